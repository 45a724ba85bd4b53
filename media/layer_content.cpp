#include "media/layer_content.h"

#include <string>
#include <utility>

#include "common/errors.h"

namespace layerpipe::media {
namespace {

std::string size_text(int width, int height) {
  return std::to_string(width) + " × " + std::to_string(height);
}

}  // namespace

LayerContent layer_content(const Document& document, std::size_t index) {
  Image image = document.layers.at(index).read();
  common::ensure(is_valid(image), "a layer of a document has no valid size");
  if (image.width != document.width || image.height != document.height) {
    throw common::InputError("layer " + std::to_string(index) + " has " +
                                 size_text(image.width, image.height) + " pixels, but the document has " +
                                 size_text(document.width, document.height),
                             "Layers must have one size.");
  }
  Box box = content_box(image);
  if (box.empty()) return {make_image(1, 1), {0, 0, 1, 1}};
  if (box == Box{0, 0, image.width, image.height}) return {std::move(image), box};
  return {crop(image, box), box};
}

}  // namespace layerpipe::media
