// The "image resources" of a PSD file: what is known about the picture beside its pixels.
#pragma once

#include <string_view>

#include "media/image.h"
#include "media/psd_output.h"

namespace layerpipe::media {

// Puts the section with its length: a resolution of 72 dots an inch, a thumbnail of `merged` (straight
// alpha), the profile of sRGB, and that the merged picture is there and was written by `generator` (UTF-8).
void put_image_resources(PsdOutput& out, const Image& merged, std::string_view generator);

}  // namespace layerpipe::media
