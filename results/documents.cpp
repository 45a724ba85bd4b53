#include "results/documents.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include "common/errors.h"
#include "common/texts.h"
#include "media/bleed.h"
#include "media/content_box.h"
#include "media/html_writer.h"
#include "media/ora_writer.h"
#include "media/picture_reader.h"
#include "media/pptx_writer.h"
#include "media/psd_writer.h"
#include "media/resize.h"
#include "media/zip_writer.h"
#include "model/fingerprint.h"
#include "results/archive_report.h"
#include "results/layer_names.h"
#include "results/writing_memory.h"

namespace layerpipe::results {
namespace {

bool is_among(std::span<const std::size_t> sorted, std::size_t index) {
  return std::binary_search(sorted.begin(), sorted.end(), index);
}

// The layers that go into documents.
std::vector<std::size_t> kept_layers(const LayeredResult& result, EmptyLayers empty_layers) {
  const bool all_are_empty = result.empty_layers.size() == result.layers.size();
  std::vector<std::size_t> kept;
  for (std::size_t i = 0; i < result.layers.size(); ++i) {
    const bool is_dropped =
        empty_layers == EmptyLayers::kDrop && is_among(result.empty_layers, i) && !result.nested.contains(i);
    if (!is_dropped || all_are_empty) kept.push_back(i);
  }
  return kept;
}

// Whether it is the picture that the model saw: run.json may name any file, and a page is handed on.
bool is_picture_of(const media::Image& picture, const RunRecord& record) {
  if (picture.width != record.picture_size.width || picture.height != record.picture_size.height)
    return false;
  const media::Image seen = media::resize_lanczos(picture, static_cast<int>(record.working_size.width),
                                                  static_cast<int>(record.working_size.height));
  return model::hash_of(std::as_bytes(std::span(seen.pixels))) == record.picture_hash;
}

// The input at the size of the layers; without a picture when the file is not there any more, holds another
// one by now, or nothing tells which it was.
struct Original {
  std::optional<media::Image> picture;
  std::string missing;  // why there is none
};

Original original_of(const RunRecord& record) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(record.picture, error)) return {{}, record.picture + " is not there"};
  if (record.picture_hash.empty())
    return {{}, "run.json has no picture_hash to know " + record.picture + " by"};
  try {
    const media::Image picture = media::read_picture(record.picture).image;
    if (!is_picture_of(picture, record)) return {{}, record.picture + " is another picture by now"};
    return {media::resize_lanczos(picture, static_cast<int>(record.layer_size.width),
                                  static_cast<int>(record.layer_size.height)),
            {}};
  } catch (const common::InputError& failure) {
    return {{}, failure.what()};
  }
}

// What to show to a person, in the order of the command line's groups: ("Seed", "777").
std::vector<std::pair<std::string, std::string>> parameters_of(const RunRecord& record) {
  std::vector<std::pair<std::string, std::string>> parameters;
  const auto add = [&](const char* name, const std::string& value) {
    if (value.find_first_not_of(" \t\r\n") != std::string::npos) parameters.emplace_back(name, value);
  };
  const auto option = [&](std::string_view name) {
    const RecordedOption* found = record.option(name);
    return found == nullptr ? std::string() : found->values.front();
  };
  add("Picture", last_part(record.picture));
  add("Model", last_part(record.model_folder));
  add("Seed", std::to_string(record.seed));
  add("Steps", option("steps"));
  const bool is_guided = option("no-cfg") != "true";
  add("Guidance", is_guided ? option("cfg-scale") : "off");
  if (is_guided) add("Negative prompt", option("negative-prompt"));
  return parameters;
}

// What is to be said of the page.
std::string write_page(const std::filesystem::path& path, media::Document page, const RunRecord& record,
                       const WritingSteps& steps) {
  steps.begin_unit();
  Original original = original_of(record);
  if (original.picture) {
    page.original = [shared = std::make_shared<const media::Image>(std::move(*original.picture))] {
      return *shared;
    };
  }
  media::write_html(path, page);
  return original.picture ? "" : "the page is without the original picture: " + original.missing;
}

media::ZipContent content_of(const PngSource& source, const WritingSteps& steps) {
  if (const auto* file = std::get_if<std::filesystem::path>(&source)) return *file;
  return [&source, steps] {
    steps.begin_unit();
    return std::get<0>(source)(steps.encoding());
  };
}

// Adds the files of a result, below `folder` ("layer_2/"; nothing for the archive itself).
void add_files(std::vector<media::ZipEntry>& entries, const std::string& folder, const LayeredResult& result,
               EmptyLayers empty_layers, const WritingSteps& steps) {
  std::vector<std::string> files;
  const auto add = [&](const std::string& name, const PngSource& source) {
    entries.push_back({folder + name, media::ZipMethod::kStored, content_of(source, steps)});
    files.push_back(name);
  };
  for (const std::size_t index : kept_layers(result, empty_layers))
    add(layer_name(index), result.pngs.at(index));
  add(kCompositeName, result.pngs.back());
  entries.push_back({folder + kReportName, media::ZipMethod::kDeflated,
                     media::text_content(archive_report(result.report, result.empty_layers, files))});
  for (const auto& [index, nested] : result.nested)
    add_files(entries, fmt::format("{}layer_{}/", folder, index), *nested, empty_layers, steps);
}

void write_layers(const std::filesystem::path& path, const LayeredResult& result, EmptyLayers empty_layers,
                  const WritingSteps& steps) {
  std::vector<media::ZipEntry> entries;
  add_files(entries, "", result, empty_layers, steps);
  media::write_zip(path, entries);
}

// Those of layers that somebody added have no words in the prompt.
std::vector<std::string> names_of(const LayeredResult& result) {
  std::vector<std::string> names =
      layer_names(result.record.prompt(), result.layers.size() - result.added_layers);
  while (names.size() < result.layers.size()) names.push_back("Layer " + std::to_string(names.size()));
  return names;
}

// `read`'s picture at a size, with colours in what cannot be seen.
std::function<media::Image()> scaled(const std::function<media::Image()>& read, int width, int height) {
  return [read, width, height] {
    media::Image image = read();
    if (image.width == width && image.height == height) return image;
    image = media::resize_lanczos(image, width, height);
    media::bleed_colors(image);
    return image;
  };
}

void add_layers(media::Document& document, const LayeredResult& result, EmptyLayers empty_layers) {
  const std::vector<std::string> names = names_of(result);
  for (const std::size_t index : kept_layers(result, empty_layers)) {
    if (const auto nested = result.nested.find(index); nested != result.nested.end()) {
      const std::size_t group = document.groups.size();
      document.groups.push_back({names[index], document.layers.size(), 0});
      add_layers(document, *nested->second, empty_layers);
      document.groups[group].end = document.layers.size();
      continue;
    }
    const bool is_empty = is_among(result.empty_layers, index);
    document.layers.push_back({names[index] + (is_empty ? " (empty)" : ""),
                               scaled(result.layers[index], document.width, document.height)});
  }
}

// How many pictures of `layers` a format reads.
std::int64_t units_of(Format format, std::int64_t layers) {
  switch (format) {
    case Format::kPng:
    case Format::kHtml:
    case Format::kZip:
      return layers + 1;  // the composite, or the original
    case Format::kPptx:
      return layers;
    case Format::kPsd:
    case Format::kOra:
      return 2 * layers;  // one time for their composite
  }
  return 0;
}

// What a layer of a nested result takes at its own size, before it is resized.
std::uint64_t nested_bytes(const LayeredResult& result) {
  std::uint64_t most = 0;
  for (const auto& [index, nested] : result.nested)
    most = std::max({most, layer_bytes(nested->record), nested_bytes(*nested)});
  return most;
}

}  // namespace

std::string layer_name(std::size_t index) {
  return fmt::format("layer_{}.png", index);
}

std::optional<std::size_t> layer_number(std::string_view name) {
  constexpr std::string_view kBefore = "layer_";
  constexpr std::string_view kBehind = ".png";
  if (!name.starts_with(kBefore) || !name.ends_with(kBehind) ||
      name.size() <= kBefore.size() + kBehind.size())
    return std::nullopt;
  const std::string_view digits = name.substr(kBefore.size(), name.size() - kBefore.size() - kBehind.size());
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || layer_name(number) != name) return std::nullopt;
  return number;
}

bool is_empty(const media::Image& image) {
  return media::content_box(image).empty();
}

std::string empty_layers_text(std::span<const std::size_t> empty_layers) {
  std::vector<std::string> numbers;
  for (const std::size_t index : empty_layers) numbers.push_back(std::to_string(index));
  const bool is_one = numbers.size() == 1;
  return (is_one ? "layer " : "layers ") + common::listed(numbers, "and") +
         (is_one ? " is empty" : " are empty");
}

std::string added_layers_text(const LayeredResult& result) {
  if (result.added_layers == 0) return {};
  std::vector<std::string> names;
  for (std::size_t i = result.layers.size() - result.added_layers; i < result.layers.size(); ++i)
    names.push_back(layer_name(i));
  return common::listed(names, "and") + (result.added_layers == 1 ? " is not of the run, and lies in front"
                                                                  : " are not of the run, and lie in front");
}

media::Document make_document(const LayeredResult& result, EmptyLayers empty_layers) {
  const RunRecord& record = result.record;
  const std::string prompt = record.prompt();
  const bool is_named = prompt.find_first_not_of(" \t\r\n") != std::string::npos;
  media::Document document{.width = static_cast<int>(record.layer_size.width),
                           .height = static_cast<int>(record.layer_size.height),
                           .title = is_named ? prompt : last_part(record.picture),
                           .generator = "layerpipe " LAYERPIPE_VERSION,
                           .layers = {},
                           .parameters = parameters_of(record),
                           .original = {}};
  add_layers(document, result, empty_layers);
  return document;
}

media::Document counted(const media::Document& document, const WritingSteps& steps) {
  media::Document counted = document;
  for (media::DocumentLayer& layer : counted.layers) {
    layer.read = [read = std::move(layer.read), steps] {
      steps.begin_unit();
      return read();
    };
  }
  counted.encoding = steps.encoding();
  return counted;
}

ResultDocuments::ResultDocuments(const LayeredResult& result, EmptyLayers empty_layers, int threads)
    : result_(result),
      empty_layers_(empty_layers),
      threads_(threads),
      document_(make_document(result, empty_layers)) {}

std::uint64_t ResultDocuments::bytes(Format format) const {
  return writing_bytes(format, result_.record) + nested_bytes(result_) +
         static_cast<std::uint64_t>(threads_) * kEncodingThreadBytes;
}

std::int64_t ResultDocuments::units(Format format) const {
  const bool takes_files = format == Format::kZip && result_.pngs.back().index() == 1;
  return takes_files ? 1 : units_of(format, static_cast<std::int64_t>(document_.layers.size()));
}

WritingTask ResultDocuments::task(const std::filesystem::path& folder, Format format) {
  return {.units = units(format),
          .bytes = bytes(format),
          .behind = {},
          .run = [this, path = folder / document_name(format), format](const WritingSteps& steps) {
            write(path, format, steps);
          }};
}

void ResultDocuments::write(const std::filesystem::path& path, Format format, const WritingSteps& steps) {
  switch (format) {
    case Format::kPsd:
      return media::write_psd(path, counted(document_, steps));
    case Format::kPptx:
      return media::write_pptx(path, counted(document_, steps));
    case Format::kOra:
      return media::write_ora(path, counted(document_, steps));
    case Format::kZip:
      return write_layers(path, result_, empty_layers_, steps);
    case Format::kHtml:
      remark_ = write_page(path, counted(document_, steps), result_.record, steps);
      return;
    case Format::kPng:
      throw common::InternalError("PNG files are no document");
  }
}

std::int64_t most_writing_units(std::span<const Format> formats, std::int64_t layers) {
  std::int64_t units = 0;
  for (const Format format : formats) {
    const bool takes_files = format == Format::kZip && contains(formats, Format::kPng);
    units += takes_files ? 1 : units_of(format, layers);
  }
  return units;
}

WrittenDocuments write_documents(const std::filesystem::path& folder, std::span<const Format> formats,
                                 const LayeredResult& result, EmptyLayers empty_layers,
                                 const WritingLimits& limits,
                                 const std::function<void(const WritingProgress&)>& told) {
  ResultDocuments documents(result, empty_layers, limits.threads);
  std::vector<WritingTask> tasks;
  WrittenDocuments written;
  for (const Format format : formats) {
    if (format == Format::kPng) continue;
    written.names.push_back(document_name(format));
    tasks.push_back(documents.task(folder, format));
  }
  run_writing_tasks(tasks, limits, told);
  written.remark = documents.remark();
  return written;
}

}  // namespace layerpipe::results
