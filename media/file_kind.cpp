#include "media/file_kind.h"

#include <algorithm>
#include <array>

namespace layerpipe::media {
namespace {

using namespace std::string_view_literals;

struct Mark {
  std::size_t offset;
  std::string_view bytes;
  std::string_view kind;
};

// The first that fits counts.
constexpr std::array kMarks = {
    Mark{0, "\x89PNG\r\n\x1a\n"sv, "a PNG picture"},
    Mark{0, "\x89PNG"sv, "a PNG picture whose line ends were changed by a transfer in text mode"},
    Mark{0, "\xff\xd8\xff"sv, "a JPEG picture"},
    Mark{8, "WEBP"sv, "a WebP picture"},
    Mark{0, "GIF8"sv, "a GIF picture"},
    Mark{0, "BM"sv, "a BMP picture"},
    Mark{0, "II*\0"sv, "a TIFF picture"},
    Mark{0, "MM\0*"sv, "a TIFF picture"},
    Mark{0, "II+\0"sv, "a TIFF picture"},
    Mark{0, "MM\0+"sv, "a TIFF picture"},
    Mark{4, "ftypavif"sv, "an AVIF picture"},
    Mark{4, "ftypavis"sv, "an AVIF picture"},
    Mark{4, "ftyphei"sv, "a HEIC picture"},
    Mark{4, "ftypmif1"sv, "a HEIF picture"},
    Mark{4, "ftyp"sv, "a video"},
    Mark{0, "\xff\x0a"sv, "a JPEG XL picture"},
    Mark{4, "JXL "sv, "a JPEG XL picture"},
    Mark{0, "8BPS"sv, "a Photoshop document"},
    Mark{0, "%PDF"sv, "a PDF document"},
    Mark{0, "PK\x03\x04"sv, "a ZIP archive or an office document"},
    Mark{0, "version https://git-lfs"sv, "a Git LFS pointer, not the file itself"},
    Mark{0, "<"sv, "an SVG, HTML or XML document"},
};

constexpr std::string_view kPngSignature = kMarks[0].bytes;
constexpr std::string_view kJpegStart = kMarks[2].bytes;
constexpr std::size_t kRiffBytes = 8;  // "RIFF" and a length, before the name of what follows

bool is_webp(std::string_view content) {
  const bool whole_name = content.substr(0, 12).ends_with("WEBP"sv);
  const bool cut_name =
      content.size() < 12 && "WEBP"sv.starts_with(content.substr(std::min(content.size(), kRiffBytes)));
  return content.starts_with("RIFF"sv) && (whole_name || cut_name);
}

// Two letters are few; the size of the header behind them is one of those that there are.
bool is_bmp(std::string_view content) {
  constexpr std::array kHeaders = {"\x0c\0\0\0"sv, "\x10\0\0\0"sv, "\x28\0\0\0"sv, "\x34\0\0\0"sv,
                                   "\x38\0\0\0"sv, "\x40\0\0\0"sv, "\x6c\0\0\0"sv, "\x7c\0\0\0"sv};
  constexpr std::size_t kPlace = 14;
  if (!content.starts_with("BM"sv)) return false;
  if (content.size() < kPlace + 4) return true;  // cut
  return std::find(kHeaders.begin(), kHeaders.end(), content.substr(kPlace, 4)) != kHeaders.end();
}

// The pictures in the ISO base media file format tell themselves apart by the brands in the box "ftyp": a
// major one and, behind its version, those that the file is compatible with.
std::optional<PictureFormat> format_by_brand(std::string_view content) {
  constexpr std::array kHeicBrands = {"heic"sv, "heix"sv, "heim"sv, "heis"sv,
                                      "hevc"sv, "hevx"sv, "hevm"sv, "hevs"sv};
  constexpr std::size_t kBoxName = 4;
  constexpr std::size_t kMajor = 8;
  constexpr std::size_t kCompatible = 16;
  constexpr std::size_t kMostBrands = 32;
  if (content.size() < kMajor + 4 || content.substr(kBoxName, 4) != "ftyp"sv) return std::nullopt;
  const auto format_of = [&](std::string_view brand) -> std::optional<PictureFormat> {
    if (brand == "avif"sv || brand == "avis"sv) return PictureFormat::kAvif;
    const bool is_heic = std::find(kHeicBrands.begin(), kHeicBrands.end(), brand) != kHeicBrands.end();
    return is_heic ? std::optional(PictureFormat::kHeic) : std::nullopt;
  };
  const std::string_view major = content.substr(kMajor, 4);
  if (const auto format = format_of(major)) return format;
  if (major != "mif1"sv && major != "msf1"sv) return std::nullopt;
  std::size_t box_bytes = 0;
  for (const char byte : content.substr(0, 4)) box_bytes = box_bytes << 8 | static_cast<unsigned char>(byte);
  const std::size_t end = std::min({box_bytes, content.size(), kCompatible + 4 * kMostBrands});
  for (std::size_t place = kCompatible; place + 4 <= end; place += 4) {
    if (const auto format = format_of(content.substr(place, 4))) return format;
  }
  return PictureFormat::kHeic;  // libheif says what it lacks
}

}  // namespace

std::optional<PictureFormat> picture_format_of(std::string_view content) {
  if (content.empty()) return std::nullopt;
  if (content.starts_with(kPngSignature) || kPngSignature.starts_with(content)) return PictureFormat::kPng;
  if (content.starts_with(kJpegStart) || kJpegStart.starts_with(content)) return PictureFormat::kJpeg;
  if (is_webp(content)) return PictureFormat::kWebp;
  if (content.starts_with("GIF87a"sv) || content.starts_with("GIF89a"sv)) return PictureFormat::kGif;
  for (const std::string_view mark : {"II*\0"sv, "MM\0*"sv, "II+\0"sv, "MM\0+"sv}) {
    if (content.starts_with(mark)) return PictureFormat::kTiff;
  }
  if (is_bmp(content)) return PictureFormat::kBmp;
  return format_by_brand(content);
}

std::string describe_file_kind(std::string_view content) {
  for (const Mark& mark : kMarks) {
    if (content.size() > mark.offset && content.substr(mark.offset).starts_with(mark.bytes)) {
      return std::string(mark.kind);
    }
  }
  return {};
}

}  // namespace layerpipe::media
