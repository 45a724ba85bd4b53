// Changing the size of a picture.
#pragma once

#include "media/image.h"

namespace layerpipe::media {

// The picture at width x height pixels by a Lanczos filter of three lobes, widened when the picture becomes
// smaller. The result is that of Pillow 13's Image.resize((width, height), Image.LANCZOS) for mode RGBA, bit
// for bit: the model's condition depends on every bit of it. A copy when the size is right already.
//
// One thread. Throws InternalError when the image is not valid or a side is not between 1 and kMaxSide.
Image resize_lanczos(const Image& image, int width, int height);

}  // namespace layerpipe::media
