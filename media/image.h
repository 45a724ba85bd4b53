// A picture in memory. Standard library only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace layerpipe::media {

// The largest side that is read or written: that of JPEG. Every picture that the model works on at its own
// resolutions is within (model::working_size).
inline constexpr int kMaxSide = 65500;
// The most pixels that are read, 683 MiB of RGBA: where Pillow refuses a picture as a decompression bomb.
inline constexpr std::uint64_t kMaxPixels = 178'956'970;

// RGBA, 8 bits a channel, straight (not premultiplied) alpha, rows from the top without padding.
struct Image {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> pixels;  // [height, width, 4]

  std::size_t row_bytes() const noexcept { return 4 * static_cast<std::size_t>(width); }
  const std::uint8_t* row(int y) const noexcept {
    return pixels.data() + row_bytes() * static_cast<std::size_t>(y);
  }
  std::uint8_t* row(int y) noexcept { return pixels.data() + row_bytes() * static_cast<std::size_t>(y); }

  bool operator==(const Image&) const = default;
};

// A fully transparent black picture.
inline Image make_image(int width, int height) {
  return {width, height,
          std::vector<std::uint8_t>(4 * static_cast<std::size_t>(width) * static_cast<std::size_t>(height))};
}

// Whether the sides are between 1 and kMaxSide and the pixels are as many as they say.
inline bool is_valid(const Image& image) noexcept {
  return image.width >= 1 && image.height >= 1 && image.width <= kMaxSide && image.height <= kMaxSide &&
         image.pixels.size() == image.row_bytes() * static_cast<std::size_t>(image.height);
}

}  // namespace layerpipe::media
