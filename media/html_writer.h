// A page that shows a document's layers to a person: one HTML file that holds the pictures, and opens from
// disk without a network.
#pragma once

#include <filesystem>

#include "media/document.h"

namespace layerpipe::media {

// Writes `document` as one file for a browser of 2024 or later. Its page, in media/viewer/, shows the layers
// on each other, spread out, and beside the original; switches, fades and moves them; and saves them as PNG.
// The page's Content-Security-Policy lets nothing be loaded, and no script run but its own, whatever texts
// the document has.
//
// Each layer is embedded once, as the PNG of its content_box; a layer without content is only named. A layer
// in a group stands there by its full_name(). One picture is in memory at a time, beside its PNG. The same
// document gives the same bytes (with the same versions of libpng and zlib).
//
// The file appears under its name when it is complete. Throws OutputError when it cannot be written,
// InputError when a layer or the original has another size than the document, InternalError when the document
// has no valid size or no layer, and what reading a layer throws.
void write_html(const std::filesystem::path& path, const Document& document);

}  // namespace layerpipe::media
