// Colours that were multiplied by their alpha, as some files hold them. Standard library only.
#pragma once

#include <algorithm>
#include <cstdint>

#include "media/image.h"

namespace layerpipe::media {

// Divides the colours by the alpha, in the whole numbers of Pillow's unpacking of "RGBa": rounded down, at
// most 255; what lies under alpha 0 is black.
inline void unpremultiply(Image& image) {
  for (std::size_t i = 0; i < image.pixels.size(); i += 4) {
    const unsigned alpha = image.pixels[i + 3];
    if (alpha == 255) continue;
    for (std::size_t c = 0; c < 3; ++c) {
      image.pixels[i + c] =
          alpha == 0 ? std::uint8_t{0}
                     : static_cast<std::uint8_t>(std::min(255 * image.pixels[i + c] / alpha, 255u));
    }
  }
}

}  // namespace layerpipe::media
