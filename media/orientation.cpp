#include "media/orientation.h"

#include <cstdint>
#include <cstring>
#include <optional>
#include <utility>

namespace layerpipe::media {
namespace {

constexpr std::uint32_t kOrientationTag = 0x0112;

// Unsigned numbers of a TIFF block in its own byte order; nothing beyond its end.
class TiffNumbers {
 public:
  TiffNumbers(std::span<const std::byte> bytes, bool big_endian) : bytes_(bytes), big_endian_(big_endian) {}

  std::optional<std::uint32_t> at(std::size_t offset, std::size_t size) const {
    if (offset > bytes_.size() || bytes_.size() - offset < size) return std::nullopt;
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < size; ++i) {
      const std::size_t place = big_endian_ ? offset + i : offset + size - 1 - i;
      value = value << 8 | std::to_integer<std::uint32_t>(bytes_[place]);
    }
    return value;
  }

 private:
  std::span<const std::byte> bytes_;
  bool big_endian_;
};

// The value of a directory entry with one integer, which lies in the entry itself.
std::optional<std::uint32_t> single_integer(const TiffNumbers& numbers, std::size_t entry) {
  if (numbers.at(entry + 4, 4) != 1u) return std::nullopt;  // the count
  switch (numbers.at(entry + 2, 2).value_or(0)) {           // the type
    case 1:
      return numbers.at(entry + 8, 1);
    case 3:
      return numbers.at(entry + 8, 2);
    case 4:
      return numbers.at(entry + 8, 4);
    default:
      return std::nullopt;
  }
}

// Where the stored pixel that is seen at (x, y) lies: rows and columns may change places, then each may run
// backwards.
struct Mapping {
  bool swapped;
  bool from_right;
  bool from_bottom;
};

Mapping mapping_of(Orientation orientation) {
  switch (orientation) {
    case Orientation::kTopRight:
      return {false, true, false};
    case Orientation::kBottomRight:
      return {false, true, true};
    case Orientation::kBottomLeft:
      return {false, false, true};
    case Orientation::kLeftTop:
      return {true, false, false};
    case Orientation::kRightTop:
      return {true, false, true};
    case Orientation::kRightBottom:
      return {true, true, true};
    case Orientation::kLeftBottom:
      return {true, true, false};
    case Orientation::kTopLeft:
      break;
  }
  return {false, false, false};
}

}  // namespace

Orientation read_orientation(std::span<const std::byte> exif) {
  const bool big_endian = !exif.empty() && exif[0] == std::byte{'M'};
  const TiffNumbers numbers(exif, big_endian);
  if (numbers.at(0, 2) != (big_endian ? 0x4d4du : 0x4949u) || numbers.at(2, 2) != 42u)
    return Orientation::kTopLeft;
  const std::size_t directory = numbers.at(4, 4).value_or(0);
  const std::uint32_t entries = numbers.at(directory, 2).value_or(0);
  for (std::uint32_t i = 0; i < entries; ++i) {
    const std::size_t entry = directory + 2 + 12 * static_cast<std::size_t>(i);
    if (numbers.at(entry, 2) != kOrientationTag) continue;
    const std::uint32_t value = single_integer(numbers, entry).value_or(1);
    return value >= 1 && value <= 8 ? static_cast<Orientation>(value) : Orientation::kTopLeft;
  }
  return Orientation::kTopLeft;
}

Image apply_orientation(Image image, Orientation orientation) {
  if (orientation == Orientation::kTopLeft) return image;
  const Mapping mapping = mapping_of(orientation);
  Image seen =
      mapping.swapped ? make_image(image.height, image.width) : make_image(image.width, image.height);
  for (int y = 0; y < seen.height; ++y) {
    std::uint8_t* out = seen.row(y);
    for (int x = 0; x < seen.width; ++x, out += 4) {
      int column = mapping.swapped ? y : x;
      int row = mapping.swapped ? x : y;
      if (mapping.from_right) column = image.width - 1 - column;
      if (mapping.from_bottom) row = image.height - 1 - row;
      std::memcpy(out, image.row(row) + 4 * static_cast<std::size_t>(column), 4);
    }
  }
  return seen;
}

}  // namespace layerpipe::media
