// Reading GIF pictures.
#pragma once

#include "media/picture.h"

namespace layerpipe::media {

// Reads the first frame of a GIF on its canvas, which is transparent where the frame has a transparent
// colour, and the palette's first colour otherwise. When there are more frames, a remark says so; they are
// not looked at. GIF knows no orientation and no colour profile.
//
// The pixels are those of Image.open(path).convert("RGBA") in Pillow 13, bit for bit.
//
// Throws InputError that names the file when its first frame is cut short or damaged, when it is no GIF or
// too large (check_declared_size); and always in a build without giflib, for which gif_reader_absent.cpp
// stands.
Picture read_gif(const PictureFile& file);

}  // namespace layerpipe::media
