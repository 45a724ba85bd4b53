// Writing OpenRaster documents, which GIMP, Krita and MyPaint open with their layers.
#pragma once

#include <filesystem>

#include "media/document.h"

namespace layerpipe::media {

// Writes `document` as OpenRaster (openraster.org, version 0.0.3 of the specification): each layer as a PNG
// cut to its content, at its offset; a group as a stack; the picture of all layers, and one of at most 256
// pixels a side. Names are cut to 255 bytes of one line. Each layer is read twice: for itself, and for the
// picture of all.
//
// The same document gives the same bytes (with the same versions of the libraries). The file appears under
// its name when it is complete; nothing is left otherwise. Memory: 20 bytes a pixel of the document, or one
// layer and its PNG. Throws OutputError when it cannot be written; InputError when a layer has another size
// than the document, and always in a build without libzip and pugixml; and whatever a layer's read() throws.
void write_ora(const std::filesystem::path& path, const Document& document);

}  // namespace layerpipe::media
