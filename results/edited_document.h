// A document that came back from another program, such as layers.psd after edits there: it stands for the
// layers of a run's folder.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "media/document.h"
#include "results/document_writing.h"
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

// The layers without a visible pixel, ascending. Reads them all. Throws InterruptedError once
// `stop_requested`, and what reading a layer throws.
std::vector<std::size_t> empty_layers_of(const media::Document& document,
                                         const std::atomic<bool>& stop_requested);

// Memory that writing the document in a format takes at most, with so many threads.
std::uint64_t writing_bytes(Format format, const media::Document& document, int threads);

// Writes the documents of `formats` into `folder`, which is there, side by side as far as `limits` allow:
// layers under their own names, with colours in what cannot be seen, as decompose writes them. An archive
// holds the layers and their composite as PNG. There is no run.json: a document does not know of a run.
// `empty` are its empty_layers_of(). Ends with InterruptedError once `stop_requested`. Throws InputError when
// a format cannot hold the document; OutputError; and what reading a layer throws.
void write_edited_document(const std::filesystem::path& folder, std::span<const Format> formats,
                           const media::Document& document, std::span<const std::size_t> empty,
                           EmptyLayers empty_layers, const WritingLimits& limits,
                           const std::atomic<bool>& stop_requested);

}  // namespace layerpipe::results
