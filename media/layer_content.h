// A layer as documents keep it: without the transparent rim around its content.
#pragma once

#include <cstddef>

#include "media/content_box.h"
#include "media/document.h"

namespace layerpipe::media {

struct LayerContent {
  Image image;
  Box box;  // where it lies in the document; of the image's size
};

// Reads layer `index`. Of an empty layer its transparent pixel at (0, 0) is left, so that the layer is kept.
// Throws InputError when the layer has another size than the document; and whatever its read() throws.
LayerContent layer_content(const Document& document, std::size_t index);

}  // namespace layerpipe::media
