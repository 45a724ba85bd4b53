// Writing layered documents for Photoshop, GIMP, Krita, Affinity and others.
#pragma once

#include <cstddef>
#include <filesystem>

#include "media/document.h"

namespace layerpipe::media {

inline constexpr int kMaxPsdSide = 30'000;  // pixels
inline constexpr std::size_t kMaxPsdLayers = 32'767;

// Throws InputError when a side is longer than PSD holds: for callers who want to know before they work.
void check_psd_size(int width, int height);

// Writes `document` as PSD, version 1 (Adobe Photoshop File Formats Specification): RGB of 8 bits a channel,
// in sRGB.
//
//  - Each layer becomes a pixel layer, from the back to the front, cut to its content_box(): straight alpha,
//    mode "normal", opaque, visible. A layer without content becomes one without pixels. Colours that lie
//    under alpha 0 within the box are kept.
//  - A group becomes an open group in the mode "pass through" (lsct), around its layers.
//  - A name is written in Unicode and, for readers that know no better, in ASCII: psd_names.h says what
//    becomes of long ones and of line ends. A layer whose name is empty or blank is called "Layer 1", counted
//    from the back, a group "Group 1".
//  - The merged picture, for readers that know no layers, is composite(document) with its alpha as a fourth
//    channel; the layer count is negative, which marks that channel as transparency and not as a saved
//    selection. Its colours lie on white as lay_on_white() says, because that is what Photoshop writes there
//    and what the readers that use the channel undo; those that ignore it show the picture on white.
//  - The resources are those of put_image_resources(). Title and parameters are not written.
//
// The same document gives the same bytes (with the same version of libjpeg, for the thumbnail): nothing of
// time or place goes into the file.
//
// Each layer is read twice: once for the merged picture, whose thumbnail stands before the layers, and once
// to be written. Takes 20 bytes a pixel, of Compositor and one picture, and what read() takes, however many
// layers there are. The file grows on the disk, which needs room for it twice (psd_output.h).
//
// The file appears under its name when it is complete; otherwise nothing stays on the disk. Throws InputError
// when the document is larger or has more layers than PSD holds, or when a layer has another size than the
// document; OutputError when the file cannot be written or would have more than 2 GiB; InternalError when
// there is no layer, or one is not the same when it is read again; and whatever reading a layer throws.
void write_psd(const std::filesystem::path& path, const Document& document);

}  // namespace layerpipe::media
