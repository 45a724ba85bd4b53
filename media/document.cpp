#include "media/document.h"

#include "media/composite.h"

namespace layerpipe::media {

Image composite(const Document& document) {
  Compositor compositor(document.width, document.height);
  for (const DocumentLayer& layer : document.layers) compositor.add(layer.read());
  return compositor.picture();
}

}  // namespace layerpipe::media
