#include "media/bmp_reader.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/errors.h"
#include "media/color_profile.h"
#include "media/picture_errors.h"

namespace layerpipe::media {
namespace {

using common::InputError;

constexpr std::size_t kHeaderPlace = 14;  // behind "BM", the size of the file and where the pixels begin
constexpr std::size_t kPixelsPlace = 10;
constexpr std::size_t kCoreHeader = 12;       // OS/2 1, and Windows 2
constexpr std::size_t kOs2Header = 64;        // OS/2 2; its compressions from 3 on are others
constexpr std::size_t kInfoHeader = 40;       // Windows 3
constexpr std::size_t kHeaderWithAlpha = 56;  // the shortest that has a fourth mask
constexpr std::size_t kHeaderWithProfile = 124;
constexpr std::size_t kMasksPlace = kHeaderPlace + 40;
constexpr std::uint32_t kProfileEmbedded = 0x4d424544;  // "MBED"

enum Compression : std::uint32_t {
  kRaw = 0,
  kRle8 = 1,
  kRle4 = 2,
  kMasks = 3,
  kJpeg = 4,
  kPng = 5,
  kFourMasks = 6
};

using Color = std::array<std::uint8_t, 4>;  // RGBA

// One channel of a pixel: where its bits are, and what it is without any.
struct Mask {
  std::uint32_t bits = 0;
  std::uint8_t value(std::uint32_t pixel) const {
    const int shift = std::countr_zero(bits);
    const std::uint64_t most = bits >> shift;
    return static_cast<std::uint8_t>(255 * static_cast<std::uint64_t>((pixel & bits) >> shift) / most);
  }
};

struct Header {
  std::size_t bytes = 0;
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  bool from_top = false;
  unsigned bits = 0;  // a pixel
  std::uint32_t compression = kRaw;
  std::array<Mask, 4> masks{};  // of 16 to 32 bits
  std::size_t palette = 0;      // its place
  std::size_t pixels = 0;       // their place
  std::vector<Color> colors;    // of 1 to 8 bits: one for each value
};

class Reader {
 public:
  explicit Reader(const PictureFile& file) : file_(file) {}

  Picture read() {
    read_header();
    check_declared_size(file_, header_.width, header_.height);
    Picture picture{make_image(static_cast<int>(header_.width), static_cast<int>(header_.height)), {}};
    if (header_.bits <= 8) read_palette();
    if (header_.compression == kRle8 || header_.compression == kRle4) {
      read_runs(picture.image);
    } else {
      read_rows(picture.image);
    }
    if (const auto profile = profile_place()) convert_to_srgb(picture, *profile, ColorModel::kRgb);
    return picture;
  }

 private:
  // A number of `count` bytes at `place`, the least significant first.
  std::uint32_t number(std::size_t place, std::size_t count) const {
    if (place > file_.bytes.size() || file_.bytes.size() - place < count) throw cut_short(file_, "BMP");
    std::uint32_t value = 0;
    for (std::size_t i = count; i-- > 0;)
      value = value << 8 | std::to_integer<std::uint32_t>(file_.bytes[place + i]);
    return value;
  }

  InputError not_read(const std::string& what) const {
    return InputError(file_.name + " is a BMP picture " + what + "; such are not read", kSaveAsPng);
  }

  void read_header() {
    if (number(0, 2) != 0x4d42) throw damaged(file_, "BMP", "it does not begin with BM");
    header_.pixels = number(kPixelsPlace, 4);
    header_.bytes = number(kHeaderPlace, 4);
    const auto is_known = [&](std::size_t bytes) { return bytes == header_.bytes; };
    constexpr std::array<std::size_t, 8> kKnown = {12, 16, 40, 52, 56, 64, 108, 124};
    if (std::none_of(kKnown.begin(), kKnown.end(), is_known)) {
      throw damaged(file_, "BMP", "a header of " + std::to_string(header_.bytes) + " bytes");
    }
    const std::size_t fields = kHeaderPlace + 4;
    if (header_.bytes == kCoreHeader) {
      header_.width = number(fields, 2);
      header_.height = number(fields + 2, 2);
      header_.bits = number(fields + 6, 2);
    } else {
      header_.width = number(fields, 4);
      header_.height = number(fields + 4, 4);
      header_.bits = number(fields + 10, 2);
      if (header_.height >> 31 != 0) {
        header_.from_top = true;
        header_.height = 0 - header_.height;
      }
      if (header_.bytes >= kInfoHeader) header_.compression = number(fields + 12, 4);
    }
    number(kHeaderPlace + header_.bytes - 1, 1);  // all of it is there
    check_kind();
    header_.palette = kHeaderPlace + header_.bytes;
    if (header_.bits > 8) read_masks();
  }

  void check_kind() const {
    const bool is_os2 = header_.bytes == kOs2Header;
    if (header_.compression == kJpeg && !is_os2) throw not_read("that holds a JPEG");
    if (header_.compression == kPng && !is_os2) throw not_read("that holds a PNG");
    if (header_.compression > kFourMasks || (is_os2 && header_.compression > kRle4)) {
      throw not_read("of the compression " + std::to_string(header_.compression));
    }
    const auto bits = header_.bits;
    const bool fits = header_.compression == kRle8   ? bits == 8
                      : header_.compression == kRle4 ? bits == 4
                      : header_.compression == kRaw  ? bits == 1 || bits == 2 || bits == 4 || bits == 8 ||
                                                          bits == 16 || bits == 24 || bits == 32
                                                    : bits == 16 || bits == 24 || bits == 32;
    if (!fits) {
      throw damaged(
          file_, "BMP",
          std::to_string(bits) + " bits a pixel with the compression " + std::to_string(header_.compression));
    }
  }

  void read_masks() {
    std::array<Mask, 4>& masks = header_.masks;
    if (header_.compression == kRaw) {
      masks = header_.bits == 16 ? std::array<Mask, 4>{{{0x7c00}, {0x3e0}, {0x1f}, {}}}
                                 : std::array<Mask, 4>{{{0xff0000}, {0xff00}, {0xff}, {}}};
      return;
    }
    const bool has_alpha = header_.bytes >= kHeaderWithAlpha || header_.compression == kFourMasks;
    for (std::size_t i = 0; i < (has_alpha ? 4u : 3u); ++i) masks[i].bits = number(kMasksPlace + 4 * i, 4);
    header_.palette = std::max(header_.palette, kMasksPlace + (has_alpha ? 16u : 12u));
    // Some programs leave all of them out.
    if (header_.bits == 32 && (masks[0].bits | masks[1].bits | masks[2].bits | masks[3].bits) == 0)
      masks = {{{0xff0000}, {0xff00}, {0xff}, {0xff000000}}};
    for (std::size_t i = 0; i < 4; ++i) {
      const std::uint32_t bits = masks[i].bits;
      const bool is_one_piece =
          bits != 0 && std::has_single_bit((std::uint64_t{bits} >> std::countr_zero(bits)) + 1);
      if (!is_one_piece && !(i == 3 && bits == 0)) throw damaged(file_, "BMP", "its masks make no sense");
    }
  }

  void read_palette() {
    const std::size_t entry = header_.bytes == kCoreHeader ? 3 : 4;
    std::size_t count = std::size_t{1} << header_.bits;
    header_.colors.assign(count, Color{0, 0, 0, 255});
    std::size_t stored = header_.bytes >= kInfoHeader ? number(kHeaderPlace + 32, 4) : 0;
    if (stored == 0) stored = count;
    // Some programs forget the palette when they say where the pixels begin.
    if (header_.pixels == kHeaderPlace + header_.bytes) header_.pixels = 0;
    if (header_.pixels == 0) header_.pixels = header_.palette + entry * std::min<std::size_t>(stored, 65536);
    count = std::min(count, stored);
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint32_t color = number(header_.palette + entry * i, 3);
      header_.colors[i] = {static_cast<std::uint8_t>(color >> 16), static_cast<std::uint8_t>(color >> 8),
                           static_cast<std::uint8_t>(color), 255};
    }
  }

  std::uint8_t* row(Image& image, std::uint32_t y) const {
    return image.row(static_cast<int>(header_.from_top ? y : header_.height - 1 - y));
  }

  Color color_of(std::uint32_t pixel) const {
    if (header_.bits <= 8) return header_.colors[pixel];
    const std::array<Mask, 4>& masks = header_.masks;
    return {masks[0].value(pixel), masks[1].value(pixel), masks[2].value(pixel),
            masks[3].bits == 0 ? std::uint8_t{255} : masks[3].value(pixel)};
  }

  void read_rows(Image& image) const {
    const std::size_t start = header_.pixels == 0 ? header_.palette : header_.pixels;
    const std::size_t row_bits = std::size_t{header_.width} * header_.bits;
    const std::size_t stride = (row_bits + 31) / 32 * 4;
    const std::size_t used = (row_bits + 7) / 8;
    if (start > file_.bytes.size() || file_.bytes.size() - start < stride * (header_.height - 1) + used)
      throw cut_short(file_, "BMP");
    for (std::uint32_t y = 0; y < header_.height; ++y) {
      const auto* in = reinterpret_cast<const std::uint8_t*>(file_.bytes.data()) + start + stride * y;
      std::uint8_t* out = row(image, y);
      for (std::uint32_t x = 0; x < header_.width; ++x, out += 4) {
        std::uint32_t pixel = 0;
        if (header_.bits < 8) {
          const unsigned place = x * header_.bits;
          pixel = in[place / 8] >> (8 - header_.bits - place % 8) & ((1u << header_.bits) - 1);
        } else {
          for (unsigned byte = header_.bits / 8; byte-- > 0;)
            pixel = pixel << 8 | in[x * (header_.bits / 8) + byte];
        }
        std::ranges::copy(color_of(pixel), out);
      }
    }
  }

  // Runs of equal pixels, literal ones, and jumps over some, which keep the palette's first colour. A run
  // that leaves its row ends there.
  void read_runs(Image& image) const {
    for (std::uint32_t y = 0; y < header_.height; ++y) {
      std::uint8_t* out = row(image, y);
      for (std::uint32_t x = 0; x < header_.width; ++x)
        std::ranges::copy(header_.colors[0], out + 4 * std::size_t{x});
    }
    const bool is_halves = header_.compression == kRle4;
    std::size_t place = header_.pixels;
    std::uint64_t x = 0;
    std::uint64_t y = 0;
    const auto put = [&](std::uint32_t pixel) {
      if (x < header_.width)
        std::ranges::copy(header_.colors[pixel], row(image, static_cast<std::uint32_t>(y)) + 4 * x);
      ++x;
    };
    const auto next = [&] { return number(place++, 1); };
    while (y < header_.height) {
      const std::uint32_t count = next();
      const std::uint32_t code = next();
      if (count > 0) {
        for (std::uint32_t i = 0; i < count; ++i) put(!is_halves ? code : i % 2 == 0 ? code >> 4 : code & 15);
      } else if (code == 0) {
        x = 0;
        ++y;
      } else if (code == 1) {
        return;
      } else if (code == 2) {
        x += next();
        y += next();
      } else {
        std::uint32_t pair = 0;
        for (std::uint32_t i = 0; i < code; ++i) {
          if (!is_halves || i % 2 == 0) pair = next();
          put(!is_halves ? pair : i % 2 == 0 ? pair >> 4 : pair & 15);
        }
        const std::uint32_t bytes = is_halves ? (code + 1) / 2 : code;
        place += bytes % 2;
      }
    }
  }

  // The profile; empty when the header says that it lies outside the file.
  std::optional<std::span<const std::byte>> profile_place() const {
    if (header_.bytes < kHeaderWithProfile || number(kHeaderPlace + 56, 4) != kProfileEmbedded)
      return std::nullopt;
    const std::uint64_t start = kHeaderPlace + std::uint64_t{number(kHeaderPlace + 112, 4)};
    const std::uint64_t bytes = number(kHeaderPlace + 116, 4);
    if (start > file_.bytes.size() || file_.bytes.size() - start < bytes) return std::span<const std::byte>();
    return file_.bytes.subspan(start, bytes);
  }

  const PictureFile& file_;
  Header header_;
};

}  // namespace

Picture read_bmp(const PictureFile& file) {
  return Reader(file).read();
}

}  // namespace layerpipe::media
