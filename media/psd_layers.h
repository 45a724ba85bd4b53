// Which layers a Photoshop document has, and where their pixels are. For psd_reader.cpp and its tests.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "media/picture.h"

namespace layerpipe::media {

struct PsdLayer {
  std::string name;  // valid UTF-8, one line; may be empty
  // Pixels, in the document; may reach over its edges. Without any, width or height is 0.
  std::int32_t left = 0;
  std::int32_t top = 0;
  int width = 0;
  int height = 0;
  double opacity = 1;  // 0 … 1: its own and its fill's, times that of the group around it
  // Red, green, blue and alpha as they lie in the file, each with its compression in front. Without alpha the
  // layer is opaque.
  std::array<std::optional<std::span<const std::byte>>, 4> channels;
};

struct PsdLayers {
  int width = 0;  // pixels
  int height = 0;
  bool is_large = false;                              // PSB
  std::optional<std::span<const std::byte>> profile;  // ICC
  std::vector<PsdLayer> layers;  // the visible ones, from the back to the front; at least one
};

// Reads the structure of a PSD or PSB (Adobe Photoshop File Formats Specification). Groups are dissolved:
// their opacities are multiplied. What is hidden is passed over, whatever it is. The merged picture is not
// looked at.
//
// Throws InputError that names the document when it is no such file, cut short or damaged; when its size is
// not allowed (check_declared_size); when it is not RGB of 8 bits a channel; when it has no layers, none that
// is visible, or more than 1,000 of these; and, with the layer's name, when a visible layer or group is more
// than pixels in normal mode: another blending mode, a mask, clipping, adjustments, effects, smart objects,
// shapes, a text without pixels, artboards, or a translucent group of several visible layers.
PsdLayers parse_psd_layers(const PictureFile& file);

}  // namespace layerpipe::media
