#include "media/heic_reader.h"

#include <libheif/heif.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "common/errors.h"
#include "media/color_profile.h"
#include "media/iso_boxes.h"
#include "media/picture_errors.h"
#include "media/premultiplied.h"

namespace layerpipe::media {
namespace {

using common::InputError;

struct Free {
  void operator()(heif_context* context) const noexcept { heif_context_free(context); }
  void operator()(const heif_image_handle* handle) const noexcept { heif_image_handle_release(handle); }
  void operator()(const heif_image* image) const noexcept { heif_image_release(image); }
  void operator()(heif_decoding_options* options) const noexcept { heif_decoding_options_free(options); }
};

// libheif finds plugins for its decoders when it is first used.
void check_decoder(const PictureFile& file) {
  if (heif_have_decoder_for_format(heif_compression_HEVC) != 0) return;
  throw InputError(
      file.name + " is a HEIC picture; libheif has no decoder for HEVC here",
      "Install one (Ubuntu: libheif-plugin-libde265), or save the picture as PNG and give that file.");
}

void require(const heif_error& error, const PictureFile& file) {
  if (error.code == heif_error_Ok) return;
  if (error.subcode == heif_suberror_End_of_data) throw cut_short(file, "HEIC");
  std::string text = error.message == nullptr ? "no reason" : error.message;
  for (char& c : text) {
    if (c < ' ' || c > '~') c = '?';  // names of boxes come from the file
  }
  throw damaged(file, "HEIC", "libheif: " + text);
}

void convert(Picture& picture, const heif_image_handle* handle, const PictureFile& file) {
  const auto type = heif_image_handle_get_color_profile_type(handle);
  if (type != heif_color_profile_type_rICC && type != heif_color_profile_type_prof) return;
  std::vector<std::byte> profile(heif_image_handle_get_raw_color_profile_size(handle));
  if (!profile.empty()) require(heif_image_handle_get_raw_color_profile(handle, profile.data()), file);
  convert_to_srgb(picture, profile, ColorModel::kRgb);
}

// The file's structure; nothing is decoded yet.
struct Opened {
  std::unique_ptr<heif_context, Free> context;
  std::unique_ptr<const heif_image_handle, Free> main_picture;
};

Opened open(const PictureFile& file, int longest_side) {
  Opened opened{std::unique_ptr<heif_context, Free>(heif_context_alloc()), nullptr};
  common::ensure(opened.context != nullptr, "libheif could not be started");
  heif_context* context = opened.context.get();
  heif_context_set_maximum_image_size_limit(context, longest_side);
  require(heif_context_read_from_memory_without_copy(context, file.bytes.data(), file.bytes.size(), nullptr),
          file);
  heif_image_handle* main_picture = nullptr;
  require(heif_context_get_primary_image_handle(context, &main_picture), file);
  opened.main_picture.reset(main_picture);
  return opened;
}

std::uint32_t side(int value) {
  return static_cast<std::uint32_t>(std::max(value, 0));
}

}  // namespace

Picture read_heic(const PictureFile& file) {
  check_decoder(file);
  check_boxes_are_whole(file, "HEIC");
  {
    const Opened headers = open(file, std::numeric_limits<int>::max());
    check_declared_size(file, side(heif_image_handle_get_width(headers.main_picture.get())),
                        side(heif_image_handle_get_height(headers.main_picture.get())));
  }
  // Whatever else the picture is made of is held to the same limit.
  const Opened opened = open(file, kMaxSide);
  const heif_image_handle* handle = opened.main_picture.get();
  const std::unique_ptr<heif_decoding_options, Free> options(heif_decoding_options_alloc());
  common::ensure(options != nullptr, "libheif could not be started");
  options->convert_hdr_to_8bit = 1;
  heif_image* decoded = nullptr;
  require(
      heif_decode_image(handle, &decoded, heif_colorspace_RGB, heif_chroma_interleaved_RGBA, options.get()),
      file);
  const std::unique_ptr<const heif_image, Free> image(decoded);
  const int width = heif_image_get_primary_width(decoded);
  const int height = heif_image_get_primary_height(decoded);
  check_declared_size(file, side(width), side(height));  // the code may say otherwise than the file around it
  int stride = 0;
  const std::uint8_t* rows = heif_image_get_plane_readonly(decoded, heif_channel_interleaved, &stride);
  common::ensure(rows != nullptr && heif_image_get_bits_per_pixel(decoded, heif_channel_interleaved) == 32,
                 "libheif did not turn a picture into RGBA");
  Picture picture{make_image(width, height), {}};
  for (int y = 0; y < height; ++y)
    std::memcpy(picture.image.row(y), rows + static_cast<std::ptrdiff_t>(stride) * y,
                picture.image.row_bytes());
  if (heif_image_handle_is_premultiplied_alpha(handle) != 0) unpremultiply(picture.image);
  convert(picture, handle, file);
  if (heif_context_get_number_of_top_level_images(opened.context.get()) > 1)
    picture.remarks.emplace_back("holds several pictures: only its main one is used");
  return picture;
}

}  // namespace layerpipe::media
