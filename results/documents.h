// The layers of one result as documents: the same from a run's memory and from its files.
#pragma once

#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "media/document.h"
#include "media/zip_writer.h"
#include "results/formats.h"
#include "results/run_record.h"

namespace layerpipe::results {

// A result whose layers can be read, any number of times, from the back to the front.
struct LayeredResult {
  RunRecord record;
  std::string report;  // the text that `record` was read from
  std::vector<std::function<media::Image()>> layers;
  std::vector<std::size_t> empty_layers;  // those without a visible pixel, ascending
  // The PNG of each layer and, behind them, of the composite; asked for in this order, and only for an
  // archive.
  std::vector<media::ZipContent> pngs;
};

// "layer_3.png"
std::string layer_name(std::size_t index);
inline constexpr const char* kCompositeName = "composite.png";
inline constexpr const char* kReportName = "run.json";
inline constexpr const char* kPageName = "report.html";  // what `layerpipe report` makes of it

// Whether no pixel of `image` can be seen.
bool is_empty(const media::Image& image);

// "layer 3 is empty", "layers 0 and 3 are empty".
std::string empty_layers_text(std::span<const std::size_t> empty_layers);

// The document of a result, without the original picture: names as layer_names gives them, with " (empty)"
// behind those of empty layers, or without these layers. Where all are empty none is left out. `result` must
// outlive it.
media::Document make_document(const LayeredResult& result, EmptyLayers empty_layers);

struct WrittenDocuments {
  std::vector<std::string> names;
  std::string remark;  // for a person: that the page is without the original picture, and why; or empty
};

// Writes the documents among `formats` into `folder`, which is there, one after another. An archive holds the
// PNGs under their own names and archive_report. Throws OutputError, InputError when a format cannot hold the
// document, and what reading a layer throws; the documents before it stay then.
WrittenDocuments write_documents(const std::filesystem::path& folder, std::span<const Format> formats,
                                 const LayeredResult& result, EmptyLayers empty_layers);

}  // namespace layerpipe::results
