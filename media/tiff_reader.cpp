#include "media/tiff_reader.h"

#include <tiffio.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/errors.h"
#include "media/color_profile.h"
#include "media/orientation.h"
#include "media/picture_errors.h"
#include "media/premultiplied.h"
#include "media/tiff_source.h"

namespace layerpipe::media {
namespace {

using common::InputError;

constexpr unsigned kMostSamples = 6;  // a pixel, as Pillow
// What libtiff may take at once beside what grows with the pixels: directories, profiles.
constexpr std::size_t kExtraBytes = 1 << 20;

// What the tags say of the pixels.
struct Layout {
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  std::uint16_t bits = 1;  // a sample
  std::uint16_t samples = 1;
  std::uint16_t photometric = PHOTOMETRIC_MINISWHITE;
  std::uint16_t compression = COMPRESSION_NONE;
  bool is_apart = false;                          // one plane behind the other
  std::size_t color_samples = 1;                  // 3 of RGB
  std::uint16_t alpha = EXTRASAMPLE_UNSPECIFIED;  // what the first extra sample is
};

class Reader {
 public:
  explicit Reader(const PictureFile& file) : file_(file), source_{.bytes = file.bytes} { open(); }

  Picture read() {
    read_layout();
    Picture picture{make_image(static_cast<int>(layout_.width), static_cast<int>(layout_.height)), {}};
    check_is_whole();
    if (layout_.photometric == PHOTOMETRIC_YCBCR) {
      read_subsampled(picture.image);
    } else {
      if (TIFFIsTiled(tiff_.get()) != 0) {
        read_tiles(picture.image);
      } else {
        read_rows(picture.image);
      }
      finish(picture.image);
    }
    convert(picture);
    picture.image = apply_orientation(std::move(picture.image), orientation());
    if (has_more_pages()) picture.remarks.emplace_back("has several pages: only its first is used");
    return picture;
  }

 private:
  InputError failure() const {
    return damaged(file_, "TIFF",
                   std::string("libtiff: ") + (*source_.error != '\0' ? source_.error : "no reason"));
  }

  InputError not_read(const std::string& what, const char* cure = kSaveAsPng) const {
    return InputError(file_.name + " is a TIFF picture " + what + "; such are not read", cure);
  }

  void open() {
    tiff_ = open_tiff(source_, 8 * file_.max_pixels + kExtraBytes);
    if (tiff_) return;
    if (starts_beyond_end()) throw cut_short(file_, "TIFF");
    throw failure();
  }

  // Whether the first directory, with its number of entries in front, is not within the file.
  bool starts_beyond_end() const {
    const auto& bytes = file_.bytes;
    if (bytes.size() < 8) return true;
    const bool is_big_endian = bytes[0] == std::byte{'M'};
    const bool is_big_tiff = bytes[is_big_endian ? 3 : 2] == std::byte{43};
    const auto number = [&](std::size_t place, std::size_t count) {
      std::uint64_t value = 0;
      for (std::size_t i = 0; i < count; ++i)
        value = value << 8 |
                std::to_integer<std::uint64_t>(bytes[is_big_endian ? place + i : place + count - 1 - i]);
      return value;
    };
    if (is_big_tiff && bytes.size() < 16) return true;
    const std::uint64_t start = is_big_tiff ? number(8, 8) : number(4, 4);
    const std::size_t count_bytes = is_big_tiff ? 8 : 2;
    const std::size_t entry_bytes = is_big_tiff ? 20 : 12;
    if (start > bytes.size() || bytes.size() - start < count_bytes) return true;
    return number(start, count_bytes) > (bytes.size() - start - count_bytes) / entry_bytes;
  }

  template <typename Value>
  Value tag(std::uint32_t name, Value otherwise) const {
    Value value{};
    return TIFFGetFieldDefaulted(tiff_.get(), name, &value) == 1 ? value : otherwise;
  }

  void read_layout() {
    layout_.width = tag<std::uint32_t>(TIFFTAG_IMAGEWIDTH, 0);
    layout_.height = tag<std::uint32_t>(TIFFTAG_IMAGELENGTH, 0);
    check_declared_size(file_, layout_.width, layout_.height);
    layout_.bits = tag<std::uint16_t>(TIFFTAG_BITSPERSAMPLE, 1);
    layout_.samples = tag<std::uint16_t>(TIFFTAG_SAMPLESPERPIXEL, 1);
    layout_.photometric = tag<std::uint16_t>(TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISWHITE);
    layout_.compression = tag<std::uint16_t>(TIFFTAG_COMPRESSION, COMPRESSION_NONE);
    layout_.is_apart = tag<std::uint16_t>(TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG) == PLANARCONFIG_SEPARATE;
    check_colors();
    check_compression();
    if (layout_.photometric == PHOTOMETRIC_YCBCR && layout_.compression == COMPRESSION_JPEG &&
        !layout_.is_apart) {
      TIFFSetField(tiff_.get(), TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);  // libjpeg makes it RGB
      layout_.photometric = PHOTOMETRIC_RGB;
    }
    if (layout_.photometric == PHOTOMETRIC_RGB) layout_.color_samples = 3;
    if (layout_.photometric == PHOTOMETRIC_YCBCR) return;
    check_samples();
    std::uint16_t extras = 0;
    std::uint16_t* kinds = nullptr;
    TIFFGetFieldDefaulted(tiff_.get(), TIFFTAG_EXTRASAMPLES, &extras, &kinds);
    if (extras > 0) layout_.alpha = kinds[0];
    if (source_.extras_are_guessed && layout_.photometric == PHOTOMETRIC_RGB && layout_.samples == 4)
      layout_.alpha = EXTRASAMPLE_UNASSALPHA;  // as Pillow takes it
    if (layout_.samples == layout_.color_samples) layout_.alpha = EXTRASAMPLE_UNSPECIFIED;
  }

  void check_colors() const {
    constexpr const char* kConvert = "Convert the picture to RGB (sRGB) and give that file.";
    switch (layout_.photometric) {
      case PHOTOMETRIC_MINISWHITE:
      case PHOTOMETRIC_MINISBLACK:
      case PHOTOMETRIC_RGB:
      case PHOTOMETRIC_PALETTE:
      case PHOTOMETRIC_YCBCR:
        return;
      case PHOTOMETRIC_SEPARATED:
        throw not_read("in CMYK, the colours of print", kConvert);
      case PHOTOMETRIC_CIELAB:
      case PHOTOMETRIC_ICCLAB:
      case PHOTOMETRIC_ITULAB:
        throw not_read("in Lab", kConvert);
      default:
        throw not_read("with colours of the kind " + std::to_string(layout_.photometric), kConvert);
    }
  }

  // Those that scanners and picture programs write. Others, such as LZMA and Zstandard, take as much memory
  // as the file says.
  void check_compression() const {
    constexpr std::array<std::uint16_t, 9> kRead = {
        COMPRESSION_NONE,      COMPRESSION_CCITTRLE,      COMPRESSION_CCITTFAX3,
        COMPRESSION_CCITTFAX4, COMPRESSION_LZW,           COMPRESSION_JPEG,
        COMPRESSION_PACKBITS,  COMPRESSION_ADOBE_DEFLATE, COMPRESSION_DEFLATE};
    const bool is_read = std::find(kRead.begin(), kRead.end(), layout_.compression) != kRead.end();
    if (is_read && TIFFIsCODECConfigured(layout_.compression) != 0) return;
    const TIFFCodec* codec = TIFFFindCODEC(layout_.compression);
    throw not_read("compressed by " + (codec != nullptr ? std::string(codec->name)
                                                        : "method " + std::to_string(layout_.compression)));
  }

  void check_samples() const {
    const std::uint16_t format = tag<std::uint16_t>(TIFFTAG_SAMPLEFORMAT, SAMPLEFORMAT_UINT);
    if (format == SAMPLEFORMAT_IEEEFP) throw not_read("of floating point numbers");
    if (format != SAMPLEFORMAT_UINT && format != SAMPLEFORMAT_VOID)
      throw not_read("of samples of the format " + std::to_string(format));
    const bool is_rgb = layout_.photometric == PHOTOMETRIC_RGB;
    const bool is_palette = layout_.photometric == PHOTOMETRIC_PALETTE;
    const auto bits = layout_.bits;
    const bool is_small = bits == 1 || bits == 2 || bits == 4;
    const bool fits =
        bits == 8 || (bits == 16 && !is_palette) || (is_small && !is_rgb && layout_.samples == 1);
    if (!fits) throw not_read("of " + std::to_string(bits) + " bits a sample");
    if (layout_.samples < layout_.color_samples || layout_.samples > kMostSamples)
      throw not_read("of " + std::to_string(layout_.samples) + " samples a pixel");
  }

  // Whether the pixels are within the file, as far as the tags tell.
  void check_is_whole() const {
    const std::uint32_t count =
        TIFFIsTiled(tiff_.get()) != 0 ? TIFFNumberOfTiles(tiff_.get()) : TIFFNumberOfStrips(tiff_.get());
    for (std::uint32_t i = 0; i < count; ++i) {
      const std::uint64_t start = TIFFGetStrileOffset(tiff_.get(), i);
      const std::uint64_t bytes = TIFFGetStrileByteCount(tiff_.get(), i);
      if (start > file_.bytes.size() || file_.bytes.size() - start < bytes) throw cut_short(file_, "TIFF");
    }
  }

  // Where in RGBA a sample belongs, until finish(): greys and indices are in the place of red.
  std::optional<std::size_t> channel_of(std::size_t sample) const {
    if (sample < layout_.color_samples) return sample;
    if (sample == layout_.color_samples && layout_.alpha != EXTRASAMPLE_UNSPECIFIED) return 3;
    return std::nullopt;
  }

  // Sample `index` of a row, in 8 bits when it has more.
  std::uint8_t sample_of(const std::uint8_t* row, std::size_t index) const {
    if (layout_.bits == 8) return row[index];
    if (layout_.bits == 16) {
      std::uint16_t value = 0;
      std::memcpy(&value, row + 2 * index, 2);
      return static_cast<std::uint8_t>(value >> 8);
    }
    const std::size_t bit = index * layout_.bits;
    return static_cast<std::uint8_t>(row[bit / 8] >> (8 - layout_.bits - bit % 8) &
                                     ((1 << layout_.bits) - 1));
  }

  // Puts `count` pixels of a row to where `out` is: all samples of each, or those of one plane.
  void put(const std::uint8_t* row, std::uint32_t count, std::size_t plane, std::uint8_t* out) const {
    const std::size_t samples = layout_.is_apart ? 1 : layout_.samples;
    for (std::size_t s = 0; s < samples; ++s) {
      const auto channel = channel_of(layout_.is_apart ? plane : s);
      if (!channel) continue;
      for (std::size_t x = 0; x < count; ++x) out[4 * x + *channel] = sample_of(row, x * samples + s);
    }
  }

  std::uint16_t planes() const {
    if (!layout_.is_apart) return 1;
    const bool has_alpha = layout_.alpha != EXTRASAMPLE_UNSPECIFIED;
    return static_cast<std::uint16_t>(layout_.color_samples + (has_alpha ? 1 : 0));
  }

  // Row by row: a strip may be as large as the picture.
  void read_rows(Image& image) const {
    std::vector<std::uint8_t> row(buffer_bytes(TIFFScanlineSize64(tiff_.get()), layout_.width, 1));
    for (std::uint16_t plane = 0; plane < planes(); ++plane) {
      for (std::uint32_t y = 0; y < layout_.height; ++y) {
        if (TIFFReadScanline(tiff_.get(), row.data(), y, plane) != 1) throw failure();
        put(row.data(), layout_.width, plane, image.row(static_cast<int>(y)));
      }
    }
  }

  // What libtiff says that it writes, which is what the pixels take.
  std::size_t buffer_bytes(std::uint64_t said, std::uint64_t width, std::uint64_t height) const {
    const std::uint64_t samples = layout_.is_apart ? 1 : layout_.samples;
    const std::uint64_t row_bytes = (width * samples * layout_.bits + 7) / 8;
    if (said != row_bytes * height) throw damaged(file_, "TIFF", "its tags contradict each other");
    return said;
  }

  void read_tiles(Image& image) const {
    const auto width = tag<std::uint32_t>(TIFFTAG_TILEWIDTH, 0);
    const auto height = tag<std::uint32_t>(TIFFTAG_TILELENGTH, 0);
    if (width == 0 || height == 0 || width > kMaxSide || height > kMaxSide ||
        std::uint64_t{width} * height > file_.max_pixels) {
      throw not_read("in tiles of " + std::to_string(width) + " × " + std::to_string(height) + " pixels");
    }
    std::vector<std::uint8_t> tile(buffer_bytes(TIFFTileSize64(tiff_.get()), width, height));
    const std::size_t row_bytes = tile.size() / height;
    for (std::uint16_t plane = 0; plane < planes(); ++plane) {
      for (std::uint32_t top = 0; top < layout_.height; top += height) {
        for (std::uint32_t left = 0; left < layout_.width; left += width) {
          if (TIFFReadTile(tiff_.get(), tile.data(), left, top, 0, plane) < 0) throw failure();
          const std::uint32_t rows = std::min(height, layout_.height - top);
          for (std::uint32_t y = 0; y < rows; ++y) {
            put(tile.data() + row_bytes * y, std::min(width, layout_.width - left), plane,
                image.row(static_cast<int>(top + y)) + 4 * std::size_t{left});
          }
        }
      }
    }
  }

  // YCbCr with fewer samples for colours than for brightness: libtiff's own conversion, which Pillow uses
  // too.
  void read_subsampled(Image& image) {
    if (TIFFIsTiled(tiff_.get()) != 0) throw not_read("in YCbCr and tiles");
    static_assert(std::endian::native == std::endian::little, "libtiff's pixels are RGBA in memory");
    TIFFRGBAImage converter;
    char reason[1024] = "";
    const auto refuse = [&] {
      if (*source_.error == '\0') std::snprintf(source_.error, sizeof source_.error, "%.200s", reason);
      return failure();
    };
    if (TIFFRGBAImageOK(tiff_.get(), reason) == 0 ||
        TIFFRGBAImageBegin(&converter, tiff_.get(), /*stop_on_error=*/1, reason) == 0) {
      throw refuse();
    }
    converter.orientation = ORIENTATION_TOPLEFT;  // it turns nothing then
    converter.req_orientation = ORIENTATION_TOPLEFT;
    const int done = TIFFRGBAImageGet(&converter, reinterpret_cast<std::uint32_t*>(image.pixels.data()),
                                      layout_.width, layout_.height);
    TIFFRGBAImageEnd(&converter);
    if (done == 0) throw refuse();
  }

  // The palette in 8 bits. Old programs wrote it so.
  std::vector<std::array<std::uint8_t, 3>> palette() const {
    std::array<std::uint16_t*, 3> columns{};
    if (TIFFGetField(tiff_.get(), TIFFTAG_COLORMAP, &columns[0], &columns[1], &columns[2]) != 1)
      throw damaged(file_, "TIFF", "it has no palette");
    const std::size_t count = std::size_t{1} << layout_.bits;
    bool has_wide = false;
    for (const std::uint16_t* column : columns)
      has_wide =
          has_wide || std::any_of(column, column + count, [](std::uint16_t value) { return value > 255; });
    std::vector<std::array<std::uint8_t, 3>> colors(count);
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t c = 0; c < 3; ++c)
        colors[i][c] = static_cast<std::uint8_t>(has_wide ? columns[c][i] >> 8 : columns[c][i]);
    }
    return colors;
  }

  // Makes RGBA of what put() left.
  void finish(Image& image) const {
    const bool has_alpha = layout_.alpha != EXTRASAMPLE_UNSPECIFIED;
    if (!has_alpha)
      for (std::size_t i = 3; i < image.pixels.size(); i += 4) image.pixels[i] = 255;
    if (layout_.photometric == PHOTOMETRIC_PALETTE) {
      const auto colors = palette();
      for (std::size_t i = 0; i < image.pixels.size(); i += 4)
        std::ranges::copy(colors[image.pixels[i]], &image.pixels[i]);
    } else if (layout_.photometric != PHOTOMETRIC_RGB) {
      const unsigned most = (1u << std::min<unsigned>(layout_.bits, 8)) - 1;
      for (std::size_t i = 0; i < image.pixels.size(); i += 4) {
        unsigned grey = image.pixels[i] * 255u / most;
        if (layout_.photometric == PHOTOMETRIC_MINISWHITE) grey = 255 - grey;
        for (std::size_t c = 0; c < 3; ++c) image.pixels[i + c] = static_cast<std::uint8_t>(grey);
      }
    }
    if (layout_.alpha == EXTRASAMPLE_ASSOCALPHA) unpremultiply(image);
  }

  void convert(Picture& picture) const {
    std::uint32_t size = 0;
    void* profile = nullptr;
    if (TIFFGetField(tiff_.get(), TIFFTAG_ICCPROFILE, &size, &profile) != 1) return;
    const bool is_grey =
        layout_.photometric == PHOTOMETRIC_MINISWHITE || layout_.photometric == PHOTOMETRIC_MINISBLACK;
    convert_to_srgb(picture, std::span(static_cast<const std::byte*>(profile), size),
                    is_grey ? ColorModel::kGrey : ColorModel::kRgb);
  }

  Orientation orientation() const {
    const auto value = tag<std::uint16_t>(TIFFTAG_ORIENTATION, ORIENTATION_TOPLEFT);
    return value >= 1 && value <= 8 ? static_cast<Orientation>(value) : Orientation::kTopLeft;
  }

  // Smaller copies, which programs put behind a picture, and masks count for no page. To be asked last: it
  // reads on, and what is damaged there does not matter.
  bool has_more_pages() const {
    constexpr int kMostLooked = 64;
    for (int i = 0; i < kMostLooked && TIFFReadDirectory(tiff_.get()) == 1; ++i) {
      const auto kind = tag<std::uint32_t>(TIFFTAG_SUBFILETYPE, 0);
      if ((kind & (FILETYPE_REDUCEDIMAGE | FILETYPE_MASK)) == 0) return true;
    }
    return false;
  }

  const PictureFile& file_;
  TiffSource source_;
  TiffHandle tiff_;
  Layout layout_;
};

}  // namespace

Picture read_tiff(const PictureFile& file) {
  return Reader(file).read();
}

}  // namespace layerpipe::media
