#include "media/avif_reader.h"

#include <avif/avif.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "common/errors.h"
#include "media/color_profile.h"
#include "media/iso_boxes.h"
#include "media/orientation.h"
#include "media/picture_errors.h"

namespace layerpipe::media {
namespace {

struct Destroy {
  void operator()(avifDecoder* decoder) const noexcept { avifDecoderDestroy(decoder); }
};
using Decoder = std::unique_ptr<avifDecoder, Destroy>;

Decoder make_decoder(const PictureFile& file, std::uint32_t max_pixels) {
  Decoder decoder(avifDecoderCreate());
  common::ensure(decoder != nullptr, "libavif could not be started");
  // As Pillow: files that lack "pixi", or whose "clap" makes no sense, are read; neither decides a pixel.
  decoder->strictFlags = AVIF_STRICT_ENABLED & ~(AVIF_STRICT_CLAP_VALID | AVIF_STRICT_PIXI_REQUIRED);
  decoder->ignoreExif = AVIF_TRUE;
  decoder->ignoreXMP = AVIF_TRUE;
  decoder->imageDimensionLimit = 0;  // check_declared_size says it with the size
  decoder->imageSizeLimit = max_pixels;
  avifDecoderSetIOMemory(decoder.get(), reinterpret_cast<const std::uint8_t*>(file.bytes.data()),
                         file.bytes.size());
  return decoder;
}

void require(avifResult result, const PictureFile& file, const avifDecoder& decoder) {
  if (result == AVIF_RESULT_OK) return;
  if (result == AVIF_RESULT_TRUNCATED_DATA || result == AVIF_RESULT_NO_CONTENT) throw cut_short(file, "AVIF");
  if (result == AVIF_RESULT_NO_CODEC_AVAILABLE) {
    throw common::InputError(
        file.name + " is an AVIF picture; libavif has no decoder for AV1 here",
        "Install dav1d's library (Debian: libdav1d6, Ubuntu 24.04: libdav1d7), or save the "
        "picture as PNG and give that file.");
  }
  std::string text = avifResultToString(result);
  if (decoder.diag.error[0] != '\0') text += std::string(", ") + decoder.diag.error;
  for (char& c : text) {
    if (c < ' ' || c > '~') c = '?';  // names of boxes come from the file
  }
  throw damaged(file, "AVIF", "libavif: " + text);
}

// irot turns counter-clockwise, and imir mirrors behind that: top and bottom (0), or left and right (1).
Orientation orientation_of(const avifImage& image) {
  const bool turns = (image.transformFlags & AVIF_TRANSFORM_IROT) != 0;
  const bool mirrors = (image.transformFlags & AVIF_TRANSFORM_IMIR) != 0;
  const auto [direction] = image.imir;  // its one member, to which versions of libavif give different names
  const bool left_and_right = direction == 1;
  switch (turns ? image.irot.angle & 3 : 0) {
    case 1:
      return !mirrors         ? Orientation::kLeftBottom
             : left_and_right ? Orientation::kRightBottom
                              : Orientation::kLeftTop;
    case 2:
      return !mirrors         ? Orientation::kBottomRight
             : left_and_right ? Orientation::kBottomLeft
                              : Orientation::kTopRight;
    case 3:
      return !mirrors         ? Orientation::kRightTop
             : left_and_right ? Orientation::kLeftTop
                              : Orientation::kRightBottom;
    default:
      return !mirrors         ? Orientation::kTopLeft
             : left_and_right ? Orientation::kTopRight
                              : Orientation::kBottomLeft;
  }
}

}  // namespace

Picture read_avif(const PictureFile& file) {
  check_boxes_are_whole(file, "AVIF");
  {
    const Decoder headers = make_decoder(file, AVIF_DEFAULT_IMAGE_SIZE_LIMIT);
    require(avifDecoderParse(headers.get()), file, *headers);
    check_declared_size(file, headers->image->width, headers->image->height);
  }
  // What AV1 itself says of its size is held to the same limit.
  const Decoder decoder = make_decoder(file, static_cast<std::uint32_t>(file.max_pixels));
  require(avifDecoderParse(decoder.get()), file, *decoder);
  require(avifDecoderNextImage(decoder.get()), file, *decoder);
  const avifImage& stored = *decoder->image;
  check_declared_size(file, stored.width, stored.height);

  Picture picture{make_image(static_cast<int>(stored.width), static_cast<int>(stored.height)), {}};
  avifRGBImage rgb;
  avifRGBImageSetDefaults(&rgb, &stored);
  rgb.depth = 8;
  rgb.format = AVIF_RGB_FORMAT_RGBA;
  rgb.pixels = picture.image.pixels.data();
  rgb.rowBytes = static_cast<std::uint32_t>(picture.image.row_bytes());
  require(avifImageYUVToRGB(&stored, &rgb), file, *decoder);
  if (decoder->imageCount > 1) picture.remarks.emplace_back("animated: only its first frame is used");
  if (stored.icc.size > 0) {
    const bool is_grey = stored.yuvFormat == AVIF_PIXEL_FORMAT_YUV400;
    convert_to_srgb(picture, std::as_bytes(std::span(stored.icc.data, stored.icc.size)),
                    is_grey ? ColorModel::kGrey : ColorModel::kRgb);
  }
  picture.image = apply_orientation(std::move(picture.image), orientation_of(stored));
  return picture;
}

}  // namespace layerpipe::media
