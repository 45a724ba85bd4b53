#include "media/png_profile.h"

#include <zlib.h>

#include <algorithm>
#include <array>

#include "media/color_profile.h"

namespace layerpipe::media {
namespace {

// Deflate cannot pack more tightly: a longer profile than that is not in the chunk.
constexpr std::size_t kMaxRatio = 1032;

// Unpacks exactly as many bytes as `to` holds; more may follow.
bool inflate_into(std::span<std::byte> to, std::span<const std::byte> packed) {
  uLongf size = to.size();
  const int result = uncompress(reinterpret_cast<Bytef*>(to.data()), &size,
                                reinterpret_cast<const Bytef*>(packed.data()), packed.size());
  return (result == Z_OK || result == Z_BUF_ERROR) && size == to.size();
}

}  // namespace

std::optional<std::vector<std::byte>> unpack_profile(std::span<const std::byte> chunk) {
  const std::vector<std::byte> damaged;
  // A name, NUL, the method of compression, and the profile, which begins with its length.
  const auto name_end = std::find(chunk.begin(), chunk.end(), std::byte{0});
  const auto name_bytes = static_cast<std::size_t>(name_end - chunk.begin());
  if (chunk.size() < name_bytes + 2 || chunk[name_bytes + 1] != std::byte{0}) return damaged;
  const auto packed = chunk.subspan(name_bytes + 2);
  std::array<std::byte, 4> length_bytes{};
  if (!inflate_into(length_bytes, packed)) return damaged;
  std::size_t length = 0;
  for (const std::byte byte : length_bytes) length = length << 8 | std::to_integer<std::size_t>(byte);
  if (length > kMaxProfileBytes) return std::nullopt;
  if (length > packed.size() * kMaxRatio) return damaged;
  std::vector<std::byte> profile(length);
  if (!inflate_into(profile, packed)) return damaged;
  return profile;
}

}  // namespace layerpipe::media
