#include "media/webp_reader.h"

#include <webp/decode.h>
#include <webp/demux.h>

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/errors.h"
#include "media/color_profile.h"
#include "media/orientation.h"
#include "media/picture_errors.h"

namespace layerpipe::media {
namespace {

using namespace std::string_view_literals;

constexpr auto kExifMark = "Exif\0\0"sv;  // JPEG's mark, which some programs write into a WebP too

using Demuxer = std::unique_ptr<WebPDemuxer, decltype(&WebPDemuxDelete)>;

// The first frame; of a still picture, the picture.
class Frame {
 public:
  explicit Frame(const WebPDemuxer* demuxer) { found_ = WebPDemuxGetFrame(demuxer, 1, &iterator_) != 0; }
  ~Frame() { WebPDemuxReleaseIterator(&iterator_); }
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;
  bool found() const noexcept { return found_; }
  const WebPIterator* operator->() const noexcept { return &iterator_; }

 private:
  WebPIterator iterator_{};
  bool found_;
};

WebPData data_of(const PictureFile& file) {
  return {reinterpret_cast<const std::uint8_t*>(file.bytes.data()), file.bytes.size()};
}

// Finds the parts of the file; they stay where they are.
Demuxer demux(const PictureFile& file) {
  const WebPData data = data_of(file);
  Demuxer demuxer(WebPDemux(&data), WebPDemuxDelete);
  if (demuxer) return demuxer;
  WebPDemuxState state = WEBP_DEMUX_PARSE_ERROR;
  const Demuxer part(WebPDemuxPartial(&data, &state), WebPDemuxDelete);
  if (state == WEBP_DEMUX_PARSE_ERROR) throw damaged(file, "WebP", "libwebp: no valid structure");
  throw cut_short(file, "WebP");
}

std::string_view text_of(VP8StatusCode status) {
  switch (status) {
    case VP8_STATUS_OUT_OF_MEMORY:
      return "libwebp: out of memory";
    case VP8_STATUS_UNSUPPORTED_FEATURE:
      return "libwebp: unsupported feature";
    case VP8_STATUS_SUSPENDED:
    case VP8_STATUS_NOT_ENOUGH_DATA:
      return "libwebp: the pixel data end early";
    default:
      return "libwebp: broken pixel data";
  }
}

// Decodes the frame to its place on the canvas.
void decode(const PictureFile& file, const Frame& frame, Image& canvas) {
  WebPDecoderConfig config;
  common::ensure(WebPInitDecoderConfig(&config) != 0, "libwebp is of another version than its headers");
  const std::size_t offset = canvas.row_bytes() * static_cast<std::size_t>(frame->y_offset) +
                             4 * static_cast<std::size_t>(frame->x_offset);
  common::ensure(frame->x_offset + frame->width <= canvas.width &&
                     frame->y_offset + frame->height <= canvas.height && offset < canvas.pixels.size(),
                 "libwebp let a frame pass that lies outside its canvas");
  config.output.colorspace = MODE_RGBA;
  config.output.is_external_memory = 1;
  config.output.u.RGBA.rgba = canvas.pixels.data() + offset;
  config.output.u.RGBA.stride = static_cast<int>(canvas.row_bytes());
  config.output.u.RGBA.size = canvas.pixels.size() - offset;
  const VP8StatusCode status = WebPDecode(frame->fragment.bytes, frame->fragment.size, &config);
  WebPFreeDecBuffer(&config.output);
  if (status != VP8_STATUS_OK) throw damaged(file, "WebP", text_of(status));
}

// A file may say that it has no alpha, whatever its frames hold and leave uncovered.
bool has_alpha(const PictureFile& file) {
  WebPBitstreamFeatures features;
  const WebPData data = data_of(file);
  return WebPGetFeatures(data.bytes, data.size, &features) != VP8_STATUS_OK || features.has_alpha != 0;
}

void make_opaque(Image& image) {
  for (std::size_t i = 3; i < image.pixels.size(); i += 4) image.pixels[i] = 255;
}

// The content of the first chunk of that name, where it lies in the file.
std::optional<std::span<const std::byte>> chunk(const WebPDemuxer* demuxer, const char* name) {
  WebPChunkIterator iterator;
  if (WebPDemuxGetChunk(demuxer, name, 1, &iterator) == 0) return std::nullopt;
  const auto content = std::as_bytes(std::span(iterator.chunk.bytes, iterator.chunk.size));
  WebPDemuxReleaseChunkIterator(&iterator);
  return content;
}

Orientation orientation_of(const WebPDemuxer* demuxer) {
  const auto exif = chunk(demuxer, "EXIF");
  if (!exif) return Orientation::kTopLeft;
  const std::string_view text(reinterpret_cast<const char*>(exif->data()), exif->size());
  return read_orientation(exif->subspan(text.starts_with(kExifMark) ? kExifMark.size() : 0));
}

}  // namespace

Picture read_webp(const PictureFile& file) {
  const Demuxer demuxer = demux(file);
  const std::uint32_t width = WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_WIDTH);
  const std::uint32_t height = WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_HEIGHT);
  check_declared_size(file, width, height);
  const Frame frame(demuxer.get());
  if (!frame.found()) throw damaged(file, "WebP", "libwebp: no frame");

  Picture picture{make_image(static_cast<int>(width), static_cast<int>(height)), {}};
  decode(file, frame, picture.image);
  if (!has_alpha(file)) make_opaque(picture.image);
  if (WebPDemuxGetI(demuxer.get(), WEBP_FF_FRAME_COUNT) > 1) {
    picture.remarks.emplace_back("animated: only its first frame is used");
  }
  if (const auto profile = chunk(demuxer.get(), "ICCP")) convert_to_srgb(picture, *profile, ColorModel::kRgb);
  picture.image = apply_orientation(std::move(picture.image), orientation_of(demuxer.get()));
  return picture;
}

}  // namespace layerpipe::media
