// What a call says when it refuses its input.
#pragma once

#include <string>

#include "common/errors.h"

namespace layerpipe::testing {

// The message of the InputError that `call` throws, with every `path` in it replaced by "FILE", so that it
// can be compared word for word; "accepted" when the call throws nothing. Other exceptions pass.
template <typename Call>
std::string refusal(const std::string& path, Call&& call) {
  std::string message;
  try {
    call();
    return "accepted";
  } catch (const common::InputError& error) {
    message = error.what();
  }
  for (auto at = message.find(path); at != std::string::npos; at = message.find(path, at + 4)) {
    message.replace(at, path.size(), "FILE");
  }
  return message;
}

}  // namespace layerpipe::testing
