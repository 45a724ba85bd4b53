// The rotation that a camera noted in a picture's EXIF data, and how to apply it. Common to every file format
// that carries EXIF.
#pragma once

#include <cstddef>
#include <span>

#include "media/image.h"

namespace layerpipe::media {

// EXIF's values: where row 0 and column 0 of the stored pixels lie in the picture as it should be seen. The
// comment is what has to be done to see it so.
enum class Orientation : int {
  kTopLeft = 1,      // nothing
  kTopRight = 2,     // mirror left and right
  kBottomRight = 3,  // turn by 180 degrees
  kBottomLeft = 4,   // mirror top and bottom
  kLeftTop = 5,      // swap rows and columns
  kRightTop = 6,     // turn by 90 degrees clockwise
  kRightBottom = 7,  // swap rows and columns about the other diagonal
  kLeftBottom = 8,   // turn by 90 degrees counter-clockwise
};

// The orientation in the first directory of a TIFF-structured EXIF block (what PNG's eXIf holds; JPEG's APP1
// after its "Exif\0\0"). kTopLeft when there is none, when its value means nothing, and when the block is
// damaged: a picture is not refused for that.
Orientation read_orientation(std::span<const std::byte> exif);

// The picture as it should be seen. Does what Pillow's ImageOps.exif_transpose does.
Image apply_orientation(Image image, Orientation orientation);

}  // namespace layerpipe::media
