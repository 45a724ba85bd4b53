// Reading OpenRaster documents: our own, and those of GIMP, Krita and MyPaint.
#pragma once

#include <filesystem>

#include "media/document.h"
#include "media/picture.h"

namespace layerpipe::media {

// The visible layers of an OpenRaster document, each at the document's size: cut where it reaches over the
// edge, transparent where it does not reach, its alpha times its opacity. Groups are dissolved (ora_stack.h).
// The title is `file.name`; there is no original. A layer is unpacked when it is read, and not kept;
// `file.bytes` must outlive that.
//
// Throws InputError that names the file, here or from a layer's read(): when it is no OpenRaster, damaged,
// cut short, or uses what is not read (parse_ora_stack); when a layer is missing or is no PNG; when the
// document or a layer is too large (check_declared_size), or an entry unpacks to more than its picture can
// need; and always in a build without libzip and pugixml. A file that is made to do harm is refused with
// memory in proportion to file.max_pixels.
Document read_ora(const PictureFile& file);

// The same for a file, which is kept open by the layers; the title is its name without extension. Also throws
// InputError when it is missing or may not be read.
Document read_ora(const std::filesystem::path& path);

}  // namespace layerpipe::media
