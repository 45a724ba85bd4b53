#include "media/png_chunks.h"

#include <cstdint>
#include <string_view>

namespace layerpipe::media {
namespace {

constexpr std::size_t kSignatureBytes = 8;
constexpr std::size_t kFrameBytes = 4 + 4 + 4;  // of a chunk beside its content: length, name, checksum

std::size_t big_endian(std::span<const std::byte> bytes) {
  std::size_t value = 0;
  for (const std::byte byte : bytes) value = value << 8 | std::to_integer<std::size_t>(byte);
  return value;
}

}  // namespace

PngChunks find_png_chunks(std::span<const std::byte> file) {
  PngChunks chunks;
  bool pixels_seen = false;
  auto rest = file.subspan(kSignatureBytes);
  while (rest.size() >= kFrameBytes) {
    const std::size_t length = big_endian(rest.first(4));
    if (length > rest.size() - kFrameBytes) break;
    const std::string_view name(reinterpret_cast<const char*>(rest.data()) + 4, 4);
    const auto content = rest.subspan(8, length);
    if (name == "IEND") break;
    if (name == "IDAT") pixels_seen = true;
    if (name == "iCCP" && !pixels_seen && !chunks.profile) chunks.profile = content;
    if (name == "eXIf" && !chunks.exif) chunks.exif = content;
    if (name == "acTL" && !pixels_seen && content.size() >= 4)
      chunks.is_animated = big_endian(content.first(4)) > 1;
    if (name == "fcTL" && !pixels_seen) chunks.pixels_are_a_frame = true;
    rest = rest.subspan(kFrameBytes + length);
  }
  return chunks;
}

}  // namespace layerpipe::media
