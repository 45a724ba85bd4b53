#include "media/jpeg_reader.h"

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <span>
#include <string>
#include <string_view>

// jpeglib.h needs <cstdio> before it, and jerror.h needs jpeglib.h.
#include <jpeglib.h>

#include <jerror.h>

#include "common/errors.h"
#include "media/color_profile.h"
#include "media/library_guard.h"
#include "media/orientation.h"
#include "media/picture_errors.h"

namespace layerpipe::media {
namespace {

using common::InputError;
using namespace std::string_view_literals;

constexpr auto kExifMark = "Exif\0\0"sv;  // begins the marker APP1 that holds EXIF data
constexpr int kExifMarker = JPEG_APP0 + 1;
constexpr auto kProfileMark = "ICC_PROFILE\0"sv;
constexpr int kProfileMarker = JPEG_APP0 + 2;
constexpr unsigned kWholeMarker = 0xffff;
// Progressive pictures have about ten. Each costs a pass over all pixels, and a few hundred bytes can hold
// it.
constexpr int kMaxScans = 100;

// One decompression, and what its callbacks note; they find it through client_data.
struct Decoding {
  jpeg_decompress_struct info{};
  jpeg_error_mgr errors{};
  jpeg_source_mgr source{};
  jpeg_progress_mgr progress{};
  LibraryFailure failure;
  bool ended_early = false;
  bool too_many_scans = false;
  JOCTET* profile = nullptr;           // ours to free
  char warning[JMSG_LENGTH_MAX] = "";  // the first about bytes that belong to nothing

  Decoding() = default;
  ~Decoding() {
    jpeg_destroy_decompress(&info);  // does nothing when `info` is still empty
    std::free(profile);
  }
  Decoding(const Decoding&) = delete;
  Decoding& operator=(const Decoding&) = delete;
};

template <typename Info>
Decoding& decoding_of(Info info) {
  return *static_cast<Decoding*>(info->client_data);
}

[[noreturn]] void keep_error(j_common_ptr info) {
  Decoding& decoding = decoding_of(info);
  char text[JMSG_LENGTH_MAX];
  info->err->format_message(info, text);
  std::snprintf(decoding.failure.text, sizeof decoding.failure.text, "%s", text);
  std::longjmp(decoding.failure.place, 1);
}

// libjpeg calls it a warning when codes make no sense, and goes on with grey or garbage.
void stop_at_damage(j_common_ptr info, int level) {
  if (level >= 0) return;  // a trace
  switch (info->err->msg_code) {
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_MUST_RESYNC:
      keep_error(info);
    case JWRN_EXTRANEOUS_DATA:  // some cameras pad: no reason to refuse the picture
      if (char* warning = decoding_of(info).warning; *warning == '\0') {
        info->err->format_message(info, warning);
      }
      break;
    default:
      break;
  }
}

void no_message(j_common_ptr) {}
void nothing_to_do(j_decompress_ptr) {}

boolean no_more_bytes(j_decompress_ptr info) {
  decoding_of(info).ended_early = true;
  info->err->msg_code = JERR_INPUT_EOF;
  keep_error(reinterpret_cast<j_common_ptr>(info));
}

void skip_bytes(j_decompress_ptr info, long count) {
  if (count <= 0) return;
  if (static_cast<std::size_t>(count) > info->src->bytes_in_buffer) no_more_bytes(info);
  info->src->next_input_byte += count;
  info->src->bytes_in_buffer -= static_cast<std::size_t>(count);
}

// Called for every row of blocks.
void stop_at_many_scans(j_common_ptr info) {
  if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number <= kMaxScans) return;
  decoding_of(info).too_many_scans = true;
  std::longjmp(decoding_of(info).failure.place, 1);
}

void read_header(Decoding& decoding, std::span<const std::byte> bytes) {
  jpeg_decompress_struct& info = decoding.info;
  info.err = jpeg_std_error(&decoding.errors);
  info.client_data = &decoding;
  decoding.errors.error_exit = keep_error;
  decoding.errors.emit_message = stop_at_damage;
  decoding.errors.output_message = no_message;
  jpeg_create_decompress(&info);
  decoding.source.next_input_byte = reinterpret_cast<const JOCTET*>(bytes.data());
  decoding.source.bytes_in_buffer = bytes.size();
  decoding.source.init_source = nothing_to_do;
  decoding.source.fill_input_buffer = no_more_bytes;
  decoding.source.skip_input_data = skip_bytes;
  decoding.source.resync_to_restart = jpeg_resync_to_restart;
  decoding.source.term_source = nothing_to_do;
  info.src = &decoding.source;
  decoding.progress.progress_monitor = stop_at_many_scans;
  info.progress = &decoding.progress;
  jpeg_save_markers(&info, kExifMarker, kWholeMarker);
  jpeg_save_markers(&info, kProfileMarker, kWholeMarker);
  jpeg_read_header(&info, TRUE);
}

// Turns what libjpeg gave up with into our words.
InputError failure_of(const Decoding& decoding, const PictureFile& file) {
  if (decoding.ended_early) return cut_short(file, "JPEG");
  if (decoding.too_many_scans) {
    return damaged(file, "JPEG", "more than " + std::to_string(kMaxScans) + " scans");
  }
  const std::string reason = std::string("libjpeg: ") + decoding.failure.text;
  switch (decoding.errors.msg_code) {
    case JERR_BAD_PRECISION:
    case JERR_SOF_UNSUPPORTED:
    case JERR_CONVERSION_NOTIMPL:
      return InputError(file.name + " is of a kind of JPEG that is not read (" + reason + ")", kSaveAsPng);
    case JERR_EMPTY_IMAGE:
    case JERR_IMAGE_TOO_BIG:
      check_declared_size(file, decoding.info.image_width, decoding.info.image_height);
      break;
    default:
      break;
  }
  return damaged(file, "JPEG", reason);
}

void check_colors(const PictureFile& file, J_COLOR_SPACE space) {
  if (space != JCS_CMYK && space != JCS_YCCK) return;
  const std::string name = space == JCS_CMYK ? "CMYK" : "YCCK";
  throw InputError(
      file.name + " is a JPEG picture in " + name + ", the colours of print; only grey and RGB ones are read",
      "Convert the picture to RGB (sRGB) and give that file.");
}

Orientation orientation_of(const jpeg_decompress_struct& info) {
  for (auto marker = info.marker_list; marker != nullptr; marker = marker->next) {
    const auto content = std::as_bytes(std::span(marker->data, marker->data_length));
    const std::string_view text(reinterpret_cast<const char*>(content.data()), content.size());
    if (marker->marker == kExifMarker && text.starts_with(kExifMark)) {
      return read_orientation(content.subspan(kExifMark.size()));
    }
  }
  return Orientation::kTopLeft;
}

// The profile, from all the markers APP2 over which it is spread; empty when one is missing or wrong. Leaves
// the rest to `decoding`, which frees it.
std::optional<std::span<const std::byte>> profile_of(Decoding& decoding) {
  const auto is_profile = [](jpeg_saved_marker_ptr marker) {
    const std::string_view text(reinterpret_cast<const char*>(marker->data), marker->data_length);
    return marker->marker == kProfileMarker && text.starts_with(kProfileMark);
  };
  auto marker = decoding.info.marker_list;
  while (marker != nullptr && !is_profile(marker)) marker = marker->next;
  if (marker == nullptr) return std::nullopt;
  unsigned size = 0;
  const bool whole = guarded(decoding.failure, [&] {
    if (jpeg_read_icc_profile(&decoding.info, &decoding.profile, &size) == FALSE) size = 0;
  });
  return std::as_bytes(std::span(decoding.profile, whole ? size : 0));
}

void read_rows(jpeg_decompress_struct& info, Image& image) {
  while (info.output_scanline < info.output_height) {
    JSAMPROW row = image.row(static_cast<int>(info.output_scanline));
    jpeg_read_scanlines(&info, &row, 1);
  }
  jpeg_finish_decompress(&info);  // reads on to the end marker
}

}  // namespace

Picture read_jpeg(const PictureFile& file) {
  Decoding decoding;
  jpeg_decompress_struct& info = decoding.info;
  const auto run = [&](const auto& calls) {
    if (!guarded(decoding.failure, calls)) throw failure_of(decoding, file);
  };
  run([&] { read_header(decoding, file.bytes); });
  check_declared_size(file, info.image_width, info.image_height);
  check_colors(file, info.jpeg_color_space);
  const Orientation orientation = orientation_of(info);  // libjpeg frees the markers when it finishes
  const auto profile = profile_of(decoding);
  const ColorModel stored = info.jpeg_color_space == JCS_GRAYSCALE ? ColorModel::kGrey : ColorModel::kRgb;
  run([&] {
    info.out_color_space = JCS_EXT_RGBA;
    jpeg_start_decompress(&info);
  });
  Picture picture{make_image(static_cast<int>(info.output_width), static_cast<int>(info.output_height)), {}};
  run([&] { read_rows(info, picture.image); });
  if (profile) convert_to_srgb(picture, *profile, stored);
  picture.image = apply_orientation(std::move(picture.image), orientation);
  if (*decoding.warning != '\0') {
    picture.remarks.push_back(std::string("libjpeg warns \"") + decoding.warning +
                              "\": look whether the picture is whole");
  }
  return picture;
}

}  // namespace layerpipe::media
