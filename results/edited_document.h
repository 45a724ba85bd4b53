// A document that came back from another program, such as layers.psd after edits there: it stands for the
// layers of a run's folder.
#pragma once

#include <atomic>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "media/document.h"
#include "results/formats.h"

namespace layerpipe::results {

struct EditedDocument {
  media::Document document;          // its visible layers, which keep the file open
  std::vector<std::string> remarks;  // about how it was read, for a person
};

// Opens an OpenRaster (.ora) or Photoshop document (.psd, .psb); the first bytes tell which, not the name.
// `option` is what named it, for messages: "--in". Throws InputError that names the file when it is missing,
// no such document, or uses what is not read (media/ora_reader.h, media/psd_reader.h).
EditedDocument open_edited_document(const std::string& option, const std::filesystem::path& file);

struct ExportedDocument {
  std::vector<std::string> names;         // of the files
  std::vector<std::size_t> empty_layers;  // those without a visible pixel, ascending
};

// Writes the documents of `formats` into `folder`, which is made where it is not there: layers under their
// own names, with colours in what cannot be seen, as decompose writes them. An archive holds the layers and
// their composite as PNG. There is no run.json: a document does not know of a run. All layers are read before
// something is written. Reading stops with InterruptedError once `stop_requested`. Throws InputError when a
// file of such a name is there already, or a format cannot hold the document; OutputError; and what reading a
// layer throws.
ExportedDocument export_edited_document(const std::filesystem::path& folder, std::span<const Format> formats,
                                        const media::Document& document, EmptyLayers empty_layers,
                                        const std::atomic<bool>& stop_requested);

}  // namespace layerpipe::results
