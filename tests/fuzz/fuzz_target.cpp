#include "tests/fuzz/fuzz_target.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace layerpipe::testing {
namespace {

constexpr std::size_t kLongestMessage = 1000;

[[noreturn]] void stop(const char* problem, std::string_view message) {
  std::fprintf(stderr, "%s: %.*s\n", problem, static_cast<int>(message.size()), message.data());
  std::abort();
}

}  // namespace

void check_message(const common::InputError& error) {
  const std::string_view message = error.what();
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; };
  if (std::any_of(message.begin(), message.end(), is_control))
    stop("control characters in a message", message);
  if (message.size() > kLongestMessage) stop("a message is too long", message);
  if (message.find(kInputName) == message.npos) stop("a message does not name its input", message);
}

}  // namespace layerpipe::testing
