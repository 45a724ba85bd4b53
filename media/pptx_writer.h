// Writing presentations, which PowerPoint, Keynote, LibreOffice Impress and Google Slides open.
#pragma once

#include <filesystem>

#include "media/document.h"

namespace layerpipe::media {

// Writes `document` as a presentation (Office Open XML, ISO/IEC 29500 transitional) of one slide that has the
// picture's shape and a picture for each layer, from the back, within a group of shapes for each group: named
// as the layer, with a text for people who do not see it, cut to its content, at its place. A pixel is 1/96
// inch (9,525 EMU), unless the slide would leave the 1 to 56 inches that PowerPoint allows; beyond a ratio of
// 1 : 56 the picture lies in the middle of a larger slide. Names are cut to 255 bytes of one line. The title
// and the parameters become the presentation's title and its description. Colours are spread into transparent
// pixels (bleed.h), because slides are shown at any size.
//
// The same document gives the same bytes (with the same versions of the libraries). The file appears under
// its name when it is complete; nothing is left otherwise. Memory: one layer and its PNG. Throws OutputError
// when it cannot be written; InputError when a layer has another size than the document, and always in a
// build without libzip and pugixml; and whatever a layer's read() throws.
void write_pptx(const std::filesystem::path& path, const Document& document);

}  // namespace layerpipe::media
