#include "media/gif_reader.h"

#include <gif_lib.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/errors.h"
#include "media/picture_errors.h"

namespace layerpipe::media {
namespace {

using Color = std::array<std::uint8_t, 4>;  // RGBA

// Where giflib's next bytes come from.
struct Source {
  std::span<const std::byte> left;
  bool ended_early = false;
};

int read_from_source(GifFileType* gif, GifByteType* to, int count) {
  auto* source = static_cast<Source*>(gif->UserData);
  const std::size_t wanted = count < 0 ? 0 : static_cast<std::size_t>(count);
  const std::size_t given = std::min(wanted, source->left.size());
  if (given < wanted) source->ended_early = true;
  std::memcpy(to, source->left.data(), given);
  source->left = source->left.subspan(given);
  return static_cast<int>(given);
}

struct Close {
  void operator()(GifFileType* gif) const noexcept { DGifCloseFile(gif, nullptr); }
};
using Handle = std::unique_ptr<GifFileType, Close>;

class Reader {
 public:
  explicit Reader(const PictureFile& file) : file_(file), source_{file.bytes} {
    int error = 0;
    gif_.reset(DGifOpen(&source_, read_from_source, &error));
    if (!gif_) throw failure(error);
  }

  Picture read() {
    while (next_record() != IMAGE_DESC_RECORD_TYPE) read_extension();
    require(DGifGetImageDesc(gif_.get()));
    // A frame that reaches over the edge makes the canvas larger, as in Pillow.
    const GifImageDesc& frame = gif_->Image;
    const auto width = static_cast<std::uint32_t>(std::max(gif_->SWidth, frame.Left + frame.Width));
    const auto height = static_cast<std::uint32_t>(std::max(gif_->SHeight, frame.Top + frame.Height));
    check_declared_size(file_, width, height);
    Picture picture{make_image(static_cast<int>(width), static_cast<int>(height)), {}};
    read_frame(picture.image);
    if (is_animated()) picture.remarks.emplace_back("animated: only its first frame is used");
    return picture;
  }

 private:
  common::InputError failure(int error) const {
    if (source_.ended_early) return cut_short(file_, "GIF");
    const char* text = GifErrorString(error);
    return damaged(file_, "GIF", std::string("giflib: ") + (text == nullptr ? "unknown error" : text));
  }

  void require(int result) const {
    if (result != GIF_OK) throw failure(gif_->Error);
  }

  // Up to the first frame, without which there is no picture.
  GifRecordType next_record() {
    GifRecordType type = UNDEFINED_RECORD_TYPE;
    require(DGifGetRecordType(gif_.get(), &type));
    if (type == TERMINATE_RECORD_TYPE) throw damaged(file_, "GIF", "giflib: no frame");
    return type;
  }

  void read_extension() {
    int code = 0;
    GifByteType* block = nullptr;  // its length, and that many bytes
    require(DGifGetExtension(gif_.get(), &code, &block));
    GraphicsControlBlock control{};
    if (code == GRAPHICS_EXT_FUNC_CODE && block != nullptr &&
        DGifExtensionToGCB(block[0], block + 1, &control) == GIF_OK) {
      if (control.TransparentColor != NO_TRANSPARENT_COLOR) transparent_ = control.TransparentColor;
    }
    while (block != nullptr) require(DGifGetExtensionNext(gif_.get(), &block));
  }

  // The palette, which beyond its end is black; without one, indices are greys.
  std::array<Color, 256> colors() const {
    const ColorMapObject* map = gif_->Image.ColorMap != nullptr ? gif_->Image.ColorMap : gif_->SColorMap;
    std::array<Color, 256> colors{};
    for (std::size_t i = 0; i < colors.size(); ++i) {
      const auto grey = static_cast<std::uint8_t>(i);
      colors[i] = map == nullptr ? Color{grey, grey, grey, 255} : Color{0, 0, 0, 255};
      if (map != nullptr && static_cast<int>(i) < map->ColorCount) {
        const GifColorType& color = map->Colors[i];
        colors[i] = {color.Red, color.Green, color.Blue, 255};
      }
    }
    if (transparent_) colors[static_cast<std::size_t>(*transparent_)][3] = 0;
    return colors;
  }

  void read_frame(Image& image) {
    const std::array<Color, 256> palette = colors();
    const Color& back = palette[static_cast<std::size_t>(transparent_.value_or(0))];
    for (std::size_t i = 0; i < image.pixels.size(); i += 4) std::ranges::copy(back, &image.pixels[i]);
    const GifImageDesc& frame = gif_->Image;
    if (frame.Width <= 0 || frame.Height <= 0) throw damaged(file_, "GIF", "giflib: a frame without pixels");
    std::vector<GifPixelType> line(static_cast<std::size_t>(frame.Width));
    const auto read_line = [&](int y) {
      require(DGifGetLine(gif_.get(), line.data(), frame.Width));
      std::uint8_t* out = image.row(frame.Top + y) + 4 * static_cast<std::size_t>(frame.Left);
      for (const GifPixelType index : line) out = std::ranges::copy(palette[index], out).out;
    };
    struct Pass {
      int first;
      int step;
    };
    constexpr std::array<Pass, 4> kInterlaced = {{{0, 8}, {4, 8}, {2, 4}, {1, 2}}};
    constexpr std::array<Pass, 1> kPlain = {{{0, 1}}};
    for (const Pass& pass :
         frame.Interlace ? std::span<const Pass>(kInterlaced) : std::span<const Pass>(kPlain)) {
      for (int y = pass.first; y < frame.Height; y += pass.step) read_line(y);
    }
  }

  // What is damaged behind the first frame does not matter: it is not used.
  bool is_animated() {
    GifRecordType type = UNDEFINED_RECORD_TYPE;
    while (DGifGetRecordType(gif_.get(), &type) == GIF_OK) {
      if (type == IMAGE_DESC_RECORD_TYPE) return true;
      if (type != EXTENSION_RECORD_TYPE) return false;
      int code = 0;
      GifByteType* block = nullptr;
      if (DGifGetExtension(gif_.get(), &code, &block) != GIF_OK) return false;
      while (block != nullptr) {
        if (DGifGetExtensionNext(gif_.get(), &block) != GIF_OK) return false;
      }
    }
    return false;
  }

  const PictureFile& file_;
  Source source_;
  Handle gif_;
  std::optional<int> transparent_;  // 0 … 255
};

}  // namespace

Picture read_gif(const PictureFile& file) {
  return Reader(file).read();
}

}  // namespace layerpipe::media
