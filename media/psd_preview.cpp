#include "media/psd_preview.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>

// jpeglib.h needs <cstdio> before it.
#include <jpeglib.h>

#include "common/errors.h"
#include "media/library_guard.h"
#include "media/resize.h"

namespace layerpipe::media {
namespace {

constexpr int kLongestSide = 160;  // pixels
constexpr int kQuality = 85;       // of 100: at this size, a few KiB

// One compression, and the memory that libjpeg makes for the result.
struct Encoding {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  LibraryFailure failure;
  unsigned char* content = nullptr;  // ours to free
  unsigned long content_bytes = 0;

  Encoding() = default;
  ~Encoding() {
    jpeg_destroy_compress(&info);  // does nothing when `info` is still empty
    std::free(content);
  }
  Encoding(const Encoding&) = delete;
  Encoding& operator=(const Encoding&) = delete;
};

[[noreturn]] void keep_error(j_common_ptr info) {
  auto* failure = static_cast<LibraryFailure*>(info->client_data);
  char text[JMSG_LENGTH_MAX];
  info->err->format_message(info, text);
  std::snprintf(failure->text, sizeof failure->text, "%s", text);
  std::longjmp(failure->place, 1);
}

void no_message(j_common_ptr) {}

void encode(Encoding& encoding, const Image& image) {
  jpeg_compress_struct& info = encoding.info;
  info.err = jpeg_std_error(&encoding.errors);
  info.client_data = &encoding.failure;
  encoding.errors.error_exit = keep_error;
  encoding.errors.output_message = no_message;
  jpeg_create_compress(&info);
  jpeg_mem_dest(&info, &encoding.content, &encoding.content_bytes);
  info.image_width = static_cast<JDIMENSION>(image.width);
  info.image_height = static_cast<JDIMENSION>(image.height);
  info.input_components = 4;
  info.in_color_space = JCS_EXT_RGBX;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, kQuality, TRUE);
  jpeg_start_compress(&info, TRUE);
  while (info.next_scanline < info.image_height) {
    // libjpeg reads the row only, though it takes it as one that can be written.
    JSAMPROW row = const_cast<JSAMPROW>(image.row(static_cast<int>(info.next_scanline)));
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
}

std::vector<std::uint8_t> encode_jpeg(const Image& image) {
  Encoding encoding;
  if (!guarded(encoding.failure, [&] { encode(encoding, image); })) {
    throw common::InternalError(std::string("a thumbnail could not be made (libjpeg: ") +
                                encoding.failure.text + ")");
  }
  return {encoding.content, encoding.content + encoding.content_bytes};
}

// `side` made smaller in the proportion that brings `longest` to kLongestSide, rounded, at least 1.
int scaled(int side, int longest) {
  return std::max(1, (2 * side * kLongestSide + longest) / (2 * longest));
}

}  // namespace

void lay_on_white(Image& image) {
  for (std::size_t i = 0; i < image.pixels.size(); i += 4) {
    const unsigned alpha = image.pixels[i + 3];
    for (std::size_t c = i; c < i + 3; ++c) {
      const unsigned sum = image.pixels[c] * alpha + 255 * (255 - alpha);
      image.pixels[c] = static_cast<std::uint8_t>((2 * sum + 255) / 510);
    }
  }
}

Thumbnail make_thumbnail(const Image& image) {
  const int longest = std::max(image.width, image.height);
  Image small = longest <= kLongestSide
                    ? image
                    : resize_lanczos(image, scaled(image.width, longest), scaled(image.height, longest));
  lay_on_white(small);
  return {small.width, small.height, encode_jpeg(small)};
}

}  // namespace layerpipe::media
