// Colours for what cannot be seen.
#pragma once

#include "media/image.h"

namespace layerpipe::media {

// Gives every fully transparent pixel the colour of the nearest visible one. Nothing changes as long as the
// picture is shown as it is; but a program that scales or blurs colours and alpha each for itself mixes the
// colour of transparent pixels into the edge, which shows as a dark rim when that colour is black.
//
// Alpha and visible pixels stay. A picture without visible pixels becomes transparent black. Nearest by
// Euclidean distance; of equals the leftmost, and the upper one in a column: doing it again changes nothing.
// One thread, time linear in the pixels, 2 bytes a pixel of memory. Throws InternalError when the image is
// not valid.
void bleed_colors(Image& image);

}  // namespace layerpipe::media
