// The layers of one result as documents: the same from a run's memory and from its files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "media/document.h"
#include "media/encoding.h"
#include "results/document_writing.h"
#include "results/formats.h"
#include "results/run_record.h"

namespace layerpipe::results {

// A function that makes a PNG, or the file that it lies in.
using PngSource =
    std::variant<std::function<std::vector<std::byte>(const media::EncodingWork&)>, std::filesystem::path>;

// A result whose layers can be read, any number of times, from the back to the front, by several threads at a
// time.
struct LayeredResult {
  RunRecord record;
  std::string report;  // the text that `record` was read from
  std::vector<std::function<media::Image()>> layers;
  std::vector<std::size_t> empty_layers;  // those without a visible pixel, ascending
  // The PNG of each layer and, behind them, of the composite; asked for in this order, and only for an
  // archive.
  std::vector<PngSource> pngs;
  // How many of the layers, those at the front, are no layers of the run: somebody put them there.
  std::size_t added_layers = 0;
  // Results that were made from a layer, by its number: they take its place in documents.
  std::map<std::size_t, std::shared_ptr<const LayeredResult>> nested{};
};

// "layer_3.png"
std::string layer_name(std::size_t index);
// 3 for "layer_3.png"; nothing for any other name, also "layer_03.png".
std::optional<std::size_t> layer_number(std::string_view name);
inline constexpr const char* kCompositeName = "composite.png";
inline constexpr const char* kReportName = "run.json";
inline constexpr const char* kPageName = "report.html";  // what `layerpipe report` makes of it

// Whether no pixel of `image` can be seen.
bool is_empty(const media::Image& image);

// "layer 3 is empty", "layers 0 and 3 are empty".
std::string empty_layers_text(std::span<const std::size_t> empty_layers);

// "layer_4.png and layer_5.png are not of the run, and lie in front"; empty where none was added.
std::string added_layers_text(const LayeredResult& result);

// The document of a result, without the original picture: names as layer_names gives them, with " (empty)"
// behind those of empty layers, or without these layers. Where all are empty none is left out. A nested
// result is a group with the name of the layer that it takes the place of, at the size of the document.
// `result` must outlive it.
media::Document make_document(const LayeredResult& result, EmptyLayers empty_layers);

// The document, whose layers begin a unit of `steps` when they are read.
media::Document counted(const media::Document& document, const WritingSteps& steps);

struct WrittenDocuments {
  std::vector<std::string> names;
  std::string remark;  // for a person: that the page is without the original picture, and why; or empty
};

// The documents of a result as tasks for run_writing_tasks. An archive holds the PNGs under their own names
// and archive_report, and each nested result beside them, in a folder with the name of its layer
// ("layer_2/layer_0.png").
class ResultDocuments {
 public:
  // `result` must outlive the object. Each of `threads` may encode.
  ResultDocuments(const LayeredResult& result, EmptyLayers empty_layers, int threads);

  // Writes document_name(format) into `folder`, which is there. The object must outlive the task, and stay
  // where it is. The task throws OutputError, InputError when the format cannot hold the document, and what
  // reading a layer throws.
  WritingTask task(const std::filesystem::path& folder, Format format);

  // Memory that the task of a format takes at most.
  std::uint64_t bytes(Format format) const;

  // For a person, once the page is written: that it is without the original picture, and why; or empty.
  const std::string& remark() const noexcept { return remark_; }

 private:
  std::int64_t units(Format format) const;
  void write(const std::filesystem::path& path, Format format, const WritingSteps& steps);

  const LayeredResult& result_;
  EmptyLayers empty_layers_;
  int threads_;
  media::Document document_;
  std::string remark_;
};

// At least as many as the units of writing `layers` layers in these formats.
std::int64_t most_writing_units(std::span<const Format> formats, std::int64_t layers);

// Writes the documents among `formats` into `folder`, which is there, side by side as far as `limits` allow;
// throws what ResultDocuments says. Documents that are done stay then.
WrittenDocuments write_documents(
    const std::filesystem::path& folder, std::span<const Format> formats, const LayeredResult& result,
    EmptyLayers empty_layers, const WritingLimits& limits,
    const std::function<void(const WritingProgress&)>& told = [](const WritingProgress&) {});

}  // namespace layerpipe::results
