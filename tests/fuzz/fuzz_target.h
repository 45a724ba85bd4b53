// What the fuzz targets share: the one rule that they check.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "common/errors.h"

namespace layerpipe::testing {

inline constexpr const char* kInputName = "input-under-test";

// Ends the program unless `error` is a message that a person can use: one line of moderate length without
// control characters, that names the input.
void check_message(const common::InputError& error);

// Runs `call`, which may succeed or refuse its input by an InputError. Any other exception passes, and ends
// the program: a find.
template <typename Call>
void accept_or_refuse(Call&& call) {
  try {
    call();
  } catch (const common::InputError& error) {
    check_message(error);
  }
}

inline std::span<const std::byte> bytes_of(const std::uint8_t* data, std::size_t size) {
  return std::as_bytes(std::span(data, size));
}

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

}  // namespace layerpipe::testing

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
