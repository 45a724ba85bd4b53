// Reading Photoshop documents: our own after edits in another program, and those that are as plain.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "media/document.h"
#include "media/picture.h"

namespace layerpipe::media {

struct PsdContent {
  Document document;
  // What the user should know about how it was read, in words that follow its name and a colon.
  std::vector<std::string> remarks;
};

// The visible layers of a PSD or PSB of RGB with 8 bits a channel, each at the document's size: cut where it
// reaches over the edge, transparent where it does not reach, its alpha times its opacity, its colours those
// of sRGB (color_profile.h). Groups are dissolved (psd_layers.h). The title is `file.name`; there is no
// original. A layer is unpacked when it is read, whether it is packed by run lengths or deflated, and not
// kept; `file.bytes` must outlive that.
//
// Throws InputError that names the file, here or from a layer's read(): when it is no such document, damaged,
// cut short, or uses what is not read (parse_psd_layers); when the document or a layer is too large
// (check_declared_size). A file that is made to do harm is refused with memory in proportion to
// file.max_pixels.
PsdContent read_psd(const PictureFile& file);

// The same for a file, which is kept open by the layers; the title is its name without extension. Also throws
// InputError when it is missing or may not be read.
PsdContent read_psd(const std::filesystem::path& path);

}  // namespace layerpipe::media
