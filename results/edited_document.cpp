#include "results/edited_document.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <system_error>
#include <utility>

#include "common/errors.h"
#include "media/bleed.h"
#include "media/file_kind.h"
#include "media/html_writer.h"
#include "media/ora_reader.h"
#include "media/ora_writer.h"
#include "media/png_writer.h"
#include "media/pptx_writer.h"
#include "media/psd_reader.h"
#include "media/psd_writer.h"
#include "media/zip_writer.h"
#include "results/documents.h"
#include "results/writing_memory.h"

namespace layerpipe::results {
namespace {

namespace fs = std::filesystem;

// What tells the kind of a file.
std::string start_of(const fs::path& file) {
  constexpr std::size_t kBytes = 64;
  std::string start(kBytes, '\0');
  std::ifstream stream(file, std::ios::binary);
  stream.read(start.data(), static_cast<std::streamsize>(start.size()));
  start.resize(static_cast<std::size_t>(stream.gcount()));
  return start;
}

// `document` without empty layers, if these are to be dropped and not all, and with colours in what cannot be
// seen.
media::Document prepared(const media::Document& document, std::span<const std::size_t> empty,
                         EmptyLayers empty_layers) {
  media::Document result = document;
  result.generator = "layerpipe " LAYERPIPE_VERSION;
  result.layers.clear();
  for (std::size_t i = 0; i < document.layers.size(); ++i) {
    const bool is_dropped = empty_layers == EmptyLayers::kDrop && empty.size() < document.layers.size() &&
                            std::binary_search(empty.begin(), empty.end(), i);
    if (is_dropped) continue;
    result.layers.push_back({document.layers[i].name, [read = document.layers[i].read] {
                               media::Image image = read();
                               media::bleed_colors(image);
                               return image;
                             }});
  }
  return result;
}

void write_pngs(const fs::path& path, const media::Document& document) {
  const auto entry = [&](const std::string& name, const std::string& title,
                         std::function<media::Image()> read) {
    return media::ZipEntry{name, media::ZipMethod::kStored, [&document, title, read = std::move(read)] {
                             return media::encode_png(read(), {{"Title", title}}, document.encoding);
                           }};
  };
  std::vector<media::ZipEntry> entries;
  for (std::size_t i = 0; i < document.layers.size(); ++i)
    entries.push_back(entry(layer_name(i), document.layers[i].name, document.layers[i].read));
  entries.push_back(entry(kCompositeName, "Composite", [&document] { return media::composite(document); }));
  media::write_zip(path, entries);
}

void write_one(const fs::path& path, Format format, const media::Document& document) {
  switch (format) {
    case Format::kPsd:
      return media::write_psd(path, document);
    case Format::kPptx:
      return media::write_pptx(path, document);
    case Format::kOra:
      return media::write_ora(path, document);
    case Format::kZip:
      return write_pngs(path, document);
    case Format::kHtml:
      return media::write_html(path, document);
    case Format::kPng:
      break;
  }
  throw common::InternalError("a document is to be written as single pictures");
}

// How often a format reads a layer: one more time for a composite.
std::int64_t readings_of(Format format) {
  return format == Format::kPptx || format == Format::kHtml ? 1 : 2;
}

}  // namespace

EditedDocument open_edited_document(const std::string& option, const fs::path& file) {
  std::error_code error;
  const bool can_be_read = fs::is_regular_file(file, error) && ::access(file.c_str(), R_OK) == 0;
  const std::string start = can_be_read ? start_of(file) : "";
  if (!can_be_read || start.starts_with("8BPS")) {  // the reader says why it cannot
    media::PsdContent content = media::read_psd(file);
    return {std::move(content.document), std::move(content.remarks)};
  }
  if (start.starts_with("PK")) return {media::read_ora(file), {}};
  const std::string kind = media::describe_file_kind(start);
  throw common::InputError(
      fmt::format("{} {} is {}not an OpenRaster or Photoshop document", option, file.string(),
                  kind.empty() ? "" : kind + ", "),
      "Give a folder with layers as layerpipe decompose writes them, or an .ora, .psd or .psb file.");
}

std::vector<std::size_t> empty_layers_of(const media::Document& document,
                                         const std::atomic<bool>& stop_requested) {
  std::vector<std::size_t> empty;
  for (std::size_t i = 0; i < document.layers.size(); ++i) {
    if (stop_requested.load()) throw common::InterruptedError();
    if (is_empty(document.layers[i].read())) empty.push_back(i);
  }
  return empty;
}

std::uint64_t writing_bytes(Format format, const media::Document& document, int threads) {
  return writing_bytes(format, common::Size{document.width, document.height}) +
         static_cast<std::uint64_t>(threads) * kEncodingThreadBytes;
}

void write_edited_document(const fs::path& folder, std::span<const Format> formats,
                           const media::Document& document, std::span<const std::size_t> empty,
                           EmptyLayers empty_layers, const WritingLimits& limits,
                           const std::atomic<bool>& stop_requested) {
  media::Document ready = prepared(document, empty, empty_layers);
  for (media::DocumentLayer& layer : ready.layers) {
    layer.read = [read = std::move(layer.read), &stop_requested] {
      if (stop_requested.load()) throw common::InterruptedError();
      return read();
    };
  }
  std::vector<WritingTask> tasks;
  for (const Format format : formats) {
    tasks.push_back(
        {.units = readings_of(format) * static_cast<std::int64_t>(ready.layers.size()),
         .bytes = writing_bytes(format, ready, limits.threads),
         .behind = {},
         .run = [&ready, format, path = folder / document_name(format)](const WritingSteps& steps) {
           write_one(path, format, counted(ready, steps));
         }});
  }
  run_writing_tasks(tasks, limits, [](const WritingProgress&) {});
}

}  // namespace layerpipe::results
