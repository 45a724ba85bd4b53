#include "media/iso_boxes.h"

#include <cstdint>
#include <span>

#include "media/picture_errors.h"

namespace layerpipe::media {
namespace {

std::uint64_t big_endian(std::span<const std::byte> bytes) {
  std::uint64_t value = 0;
  for (const std::byte byte : bytes) value = value << 8 | std::to_integer<std::uint64_t>(byte);
  return value;
}

}  // namespace

void check_boxes_are_whole(const PictureFile& file, std::string_view format) {
  constexpr std::size_t kHeaderBytes = 4 + 4;          // size, name
  constexpr std::size_t kLongHeaderBytes = 4 + 4 + 8;  // 1, name, size
  for (auto rest = file.bytes; !rest.empty();) {
    if (rest.size() < kHeaderBytes) throw cut_short(file, format);
    std::uint64_t size = big_endian(rest.first(4));
    if (size == 0) return;  // up to the end of the file
    std::size_t least = kHeaderBytes;
    if (size == 1) {
      least = kLongHeaderBytes;
      if (rest.size() < least) throw cut_short(file, format);
      size = big_endian(rest.subspan(kHeaderBytes, 8));
    }
    if (size < least) return;  // damaged: the library says how
    if (size > rest.size()) throw cut_short(file, format);
    rest = rest.subspan(static_cast<std::size_t>(size));
  }
}

}  // namespace layerpipe::media
