// Writing and reading the small messages between ranks. Numbers travel as they lie in memory: all ranks are
// of one kind (x86-64) and one build, which they compare before they start. Standard library only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "common/errors.h"

namespace layerpipe::comm {

class WireWriter {
 public:
  template <typename Number>
  void number(Number value) {
    static_assert(std::is_arithmetic_v<Number> || std::is_enum_v<Number>);
    append(std::as_bytes(std::span(&value, 1)));
  }
  void bytes(std::span<const std::byte> value) {
    common::ensure(value.size() <= std::numeric_limits<std::uint32_t>::max(),
                   "a message between ranks is too long");
    number(static_cast<std::uint32_t>(value.size()));
    append(value);
  }
  void text(std::string_view value) { bytes(std::as_bytes(std::span(value))); }
  std::vector<std::byte> take() { return std::move(bytes_); }

 private:
  // It is not inline, since GCC 12 warns without cause of a vector that grows by known sizes.
  void append(std::span<const std::byte> more);

  std::vector<std::byte> bytes_;
};

// Every read checks what is left: throws PeerFailedError where the message is too short, and at end() where
// it is too long.
class WireReader {
 public:
  explicit WireReader(std::span<const std::byte> bytes) : left_(bytes) {}

  template <typename Number>
  Number number() {
    static_assert(std::is_arithmetic_v<Number> || std::is_enum_v<Number>);
    Number value;
    std::memcpy(&value, take(sizeof(value)).data(), sizeof(value));
    return value;
  }
  // A part of the message that is read.
  std::span<const std::byte> bytes() { return take(number<std::uint32_t>()); }
  std::string text() {
    const auto value = bytes();
    return {reinterpret_cast<const char*>(value.data()), value.size()};
  }
  void end() const { require(left_.empty(), "it is too long"); }

  static void require(bool condition, const char* what) {
    if (condition) return;
    throw common::PeerFailedError(std::string("a message between ranks cannot be read: ") + what,
                                  "Start the same build of layerpipe on all ranks.");
  }

 private:
  std::span<const std::byte> take(std::size_t count) {
    require(count <= left_.size(), "it is too short");
    const auto bytes = left_.first(count);
    left_ = left_.subspan(count);
    return bytes;
  }

  std::span<const std::byte> left_;
};

}  // namespace layerpipe::comm
