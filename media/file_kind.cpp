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
    Mark{4, "ftypavif"sv, "an AVIF picture"},
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

}  // namespace

std::optional<PictureFormat> picture_format_of(std::string_view content) {
  if (content.empty()) return std::nullopt;
  if (content.starts_with(kPngSignature) || kPngSignature.starts_with(content)) return PictureFormat::kPng;
  if (content.starts_with(kJpegStart) || kJpegStart.starts_with(content)) return PictureFormat::kJpeg;
  const bool whole_name = content.substr(0, 12).ends_with("WEBP"sv);
  const bool cut_name =
      content.size() < 12 && "WEBP"sv.starts_with(content.substr(std::min(content.size(), kRiffBytes)));
  if (content.starts_with("RIFF"sv) && (whole_name || cut_name)) return PictureFormat::kWebp;
  return std::nullopt;
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
