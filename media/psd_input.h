// The bytes of a PSD file as they are read. For psd_layers.cpp and psd_reader.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "media/picture_errors.h"

namespace layerpipe::media {

inline common::InputError psd_damaged(const PictureFile& file, const std::string& reason) {
  return common::InputError(file.name + " is a damaged Photoshop document (" + reason + ")", kFetchAgain);
}

// Takes numbers, most significant bytes first, and parts from the front of some bytes. What is not there is
// refused with InputError, as a file that is cut short. `file` must outlive it.
class PsdInput {
 public:
  PsdInput(const PictureFile& file, std::span<const std::byte> bytes) : file_(&file), left_(bytes) {}

  std::size_t left() const noexcept { return left_.size(); }

  std::span<const std::byte> take(std::uint64_t count) {
    if (count > left_.size()) throw cut_short(*file_, "Photoshop document");
    const auto part = left_.first(static_cast<std::size_t>(count));
    left_ = left_.subspan(part.size());
    return part;
  }
  PsdInput part(std::uint64_t count) { return {*file_, take(count)}; }
  std::string_view text(std::size_t count) {
    const auto part = take(count);
    return {reinterpret_cast<const char*>(part.data()), part.size()};
  }

  std::uint8_t u8() { return static_cast<std::uint8_t>(number(1)); }
  std::uint16_t u16() { return static_cast<std::uint16_t>(number(2)); }
  std::uint32_t u32() { return static_cast<std::uint32_t>(number(4)); }
  std::int16_t i16() { return static_cast<std::int16_t>(u16()); }
  std::int32_t i32() { return static_cast<std::int32_t>(u32()); }
  // A length, which has 64 bits in many places of a large document (PSB).
  std::uint64_t length(bool is_wide) { return number(is_wide ? 8 : 4); }

 private:
  std::uint64_t number(std::size_t count) {
    std::uint64_t value = 0;
    for (const std::byte byte : take(count)) value = value << 8 | std::to_integer<std::uint64_t>(byte);
    return value;
  }

  const PictureFile* file_;
  std::span<const std::byte> left_;
};

}  // namespace layerpipe::media
