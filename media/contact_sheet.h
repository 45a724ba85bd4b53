// Results side by side in one picture, to be looked at.
#pragma once

#include <span>
#include <vector>

#include "media/image.h"

namespace layerpipe::media {

struct ContactRow {
  Image picture;              // what was taken apart; any size
  std::vector<Image> layers;  // from back to front, all of one size
  Image composite;            // of the layers' size
};

// One row for each result: the picture at the layers' size, the layers, their composite. Transparent places
// show a checkerboard. Opaque, on white paper, with a small gap around every picture.
//
// Throws InputError when there is no row or no layer, when the sizes in a row differ, or when the sheet would
// be larger than kMaxSide or kMaxPixels.
Image contact_sheet(std::span<const ContactRow> rows);

}  // namespace layerpipe::media
