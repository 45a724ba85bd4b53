// Putting layers together.
#pragma once

#include <span>

#include "media/image.h"

namespace layerpipe::media {

// The picture that `layers`, from back to front, give when they lie on each other: the "over" operator of
// Porter and Duff (Compositing Digital Images, 1984) for straight alpha. Sums are in float and rounded once,
// at the end, half to even. A result pixel with alpha 0 is 0, 0, 0, 0. The back of the first layer is
// transparent.
//
// Throws InputError when there is no layer, or when their sizes differ (it names the first that does).
Image composite(std::span<const Image> layers);

}  // namespace layerpipe::media
