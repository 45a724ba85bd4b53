#include "results/result_writer.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "common/errors.h"
#include "common/files.h"
#include "common/host_memory.h"
#include "common/units.h"
#include "media/composite.h"
#include "media/png_writer.h"
#include "model/latents.h"
#include "model/weights/safetensors.h"
#include "results/documents.h"
#include "results/file_content.h"
#include "results/layer_pixels.h"
#include "results/output_path.h"
#include "results/result_folder.h"

namespace layerpipe::results {
namespace {

// "1" for a result among several, empty for one alone.
std::filesystem::path part_of(std::size_t index, std::size_t results) {
  return results == 1 ? std::filesystem::path() : std::filesystem::path(std::to_string(index));
}

// The files that a run writes, relative to --out.
std::vector<std::filesystem::path> names_of(const OutputOptions& options, std::size_t results,
                                            std::size_t layers) {
  std::vector<std::filesystem::path> names;
  for (std::size_t i = 0; i < results; ++i) {
    const std::filesystem::path part = part_of(i, results);
    if (contains(options.formats, Format::kPng)) {
      for (std::size_t layer = 0; layer < layers; ++layer) names.push_back(part / layer_name(layer));
      names.push_back(part / kCompositeName);
    }
    for (const Format format : options.formats) {
      if (format != Format::kPng) names.push_back(part / document_name(format));
    }
    names.push_back(part / kReportName);
  }
  return names;
}

// Checks the file of --dump-latents or --trace, which replaces what has its name: it was named outright.
// The folders of the results will be there when it is written.
void check_file(const std::string& name, const std::filesystem::path& file, const OutputOptions& options,
                std::span<const std::filesystem::path> results) {
  const auto whole = [](const std::filesystem::path& path) {
    return std::filesystem::weakly_canonical(std::filesystem::absolute(path));
  };
  const std::filesystem::path out = whole(options.out);
  const std::filesystem::path place = whole(file);
  for (const std::filesystem::path& result : results) {
    if (place != out / result) continue;
    throw common::InputError(fmt::format("{} {} is where a result will lie", name, file.string()),
                             fmt::format("Choose another file for {}.", name));
  }
  const std::filesystem::path folder = whole(folder_of(file));
  const bool will_be_made = folder == out || folder == (out / results.front()).parent_path();
  if (!will_be_made || is_folder(folder)) check_output_file(name + " " + file.string(), file);
}

// Results replace what an earlier run left, but never what the run was made from.
void keep_inputs(const OutputOptions& options, const std::filesystem::path& folder) {
  for (const auto& input : options.inputs) {
    std::error_code error;
    const std::string name = input.filename().string();
    const bool is_document = std::any_of(kDocumentFormats.begin(), kDocumentFormats.end(),
                                         [&](Format format) { return name == document_name(format); });
    const bool is_result =
        is_document || name == kCompositeName || (name.starts_with("layer_") && name.ends_with(".png"));
    const bool lies_there = is_result && std::filesystem::equivalent(input, folder / name, error);
    const bool is_dump =
        options.dump_latents && std::filesystem::equivalent(input, *options.dump_latents, error);
    const bool is_trace = options.trace && std::filesystem::equivalent(input, *options.trace, error);
    if (!lies_there && !is_dump && !is_trace) continue;
    throw common::InputError("the result would be written over " + input.string(),
                             is_dump    ? "Choose another file for --dump-latents."
                             : is_trace ? "Choose another file for --trace."
                                        : "Choose another --out.");
  }
}

// The layers of a result, and the pictures that become PNGs, each with what made it in its text.
class ResultPictures {
 public:
  // `decoded` [layers, 4, height, width] in −1 … 1; `origin` as picture_json gives it. `asked` is called
  // whenever a layer is asked for.
  ResultPictures(const at::Tensor& decoded, const common::Size& size, std::string origin,
                 const std::function<void()>& asked)
      : layers_(model::tensor_to_pictures(decoded).unbind(0)),
        size_(size),
        origin_(std::move(origin)),
        asked_(asked) {}

  std::size_t count() const { return layers_.size(); }
  media::Image layer(std::size_t index) const {
    asked_();
    return layer_image(layers_.at(index), size_);
  }
  media::Compositor compositor() const {
    return media::Compositor(static_cast<int>(size_.width), static_cast<int>(size_.height));
  }

  media::PngTexts layer_texts(std::size_t index) const {
    return texts(fmt::format("Layer {} of {}", index, layers_.size()));
  }
  media::PngTexts composite_texts() const { return texts("Composite"); }

 private:
  media::PngTexts texts(const std::string& title) const {
    return {{"Title", title}, {"Software", "layerpipe " LAYERPIPE_VERSION}, {"layerpipe", origin_}};
  }

  std::vector<at::Tensor> layers_;  // [height, width, 4], bytes
  common::Size size_;
  std::string origin_;
  const std::function<void()>& asked_;
};

std::vector<std::size_t> find_empty_layers(const ResultPictures& pictures) {
  std::vector<std::size_t> empty;
  for (std::size_t i = 0; i < pictures.count(); ++i) {
    if (is_empty(pictures.layer(i))) empty.push_back(i);
  }
  return empty;
}

// Writes the PNGs, one after another; their names, in the order of writing. `contents` gets them too.
std::vector<std::string> write_pngs(const std::filesystem::path& folder, const ResultPictures& pictures,
                                    std::vector<media::ZipContent>& contents) {
  std::vector<std::string> files;
  const auto write = [&](const std::string& name, const media::Image& image, const media::PngTexts& texts) {
    media::write_png(folder / name, image, texts);
    files.push_back(name);
    contents.emplace_back(folder / name);
  };
  media::Compositor compositor = pictures.compositor();
  for (std::size_t i = 0; i < pictures.count(); ++i) {
    const media::Image layer = pictures.layer(i);
    compositor.add(layer);
    write(layer_name(i), layer, pictures.layer_texts(i));
  }
  write(kCompositeName, compositor.picture(), pictures.composite_texts());
  return files;
}

// The same pictures for an archive, when they are not written as files. `pictures` must outlive them.
std::vector<media::ZipContent> encoded_pngs(const ResultPictures& pictures) {
  // Begun with the first layer that is asked for and let go with the last.
  const auto compositor = std::make_shared<std::optional<media::Compositor>>();
  std::vector<media::ZipContent> contents;
  for (std::size_t i = 0; i < pictures.count(); ++i) {
    contents.emplace_back([&pictures, compositor, i] {
      const media::Image layer = pictures.layer(i);
      if (!*compositor) *compositor = pictures.compositor();
      (*compositor)->add(layer);
      return media::encode_png(layer, pictures.layer_texts(i));
    });
  }
  contents.emplace_back([&pictures, compositor] {
    const media::Image composite = (*compositor)->picture();
    compositor->reset();
    return media::encode_png(composite, pictures.composite_texts());
  });
  return contents;
}

void dump_latents(const std::filesystem::path& file, const runtime::Result& result) {
  // The layout is that of diffusers: a batch dimension in front of all but the layers.
  std::map<std::string, at::Tensor> tensors{{"init_latents", result.init_latents.unsqueeze(0)},
                                            {"prompt_embeds", result.prompt_embeds.unsqueeze(0)},
                                            {"image_latents", result.image_latents.unsqueeze(0)},
                                            {"latents", result.latents.unsqueeze(0)},
                                            {"decoded", result.decoded}};
  if (result.negative_prompt_embeds.defined()) {
    tensors["negative_prompt_embeds"] = result.negative_prompt_embeds.unsqueeze(0);
  }
  model::write_safetensors(file, tensors, {{"layerpipe", LAYERPIPE_VERSION}});
}

// Writes the result in all formats and lists the files in its record.
void write_files(const std::filesystem::path& folder, const OutputOptions& options,
                 const ResultPictures& pictures, RunRecord& record) {
  std::vector<media::ZipContent> pngs;
  if (contains(options.formats, Format::kPng)) {
    record.files = write_pngs(folder, pictures, pngs);
  } else if (contains(options.formats, Format::kZip)) {
    pngs = encoded_pngs(pictures);
  }
  if (!has_documents(options.formats)) return;
  // From the text of run.json, so that documents that are made from it later are the same.
  std::string text = run_json(record);
  LayeredResult layered{.record = parse_run_record(text, (folder / kReportName).string()),
                        .report = std::move(text),
                        .layers = {},
                        .empty_layers = record.empty_layers,
                        .pngs = std::move(pngs)};
  for (std::size_t i = 0; i < pictures.count(); ++i)
    layered.layers.emplace_back([&pictures, i] { return pictures.layer(i); });
  const auto documents = write_documents(folder, options.formats, layered, options.empty_layers).names;
  record.files.insert(record.files.end(), documents.begin(), documents.end());
}

}  // namespace

void check_writing_memory(const std::vector<RunRecord>& records, const runtime::MemoryUse& machine) {
  // The compositor's 16 bytes a pixel, the layer that is written, or their composite, and its PNG, which
  // packs nothing at worst, or what it is resized from. Documents take no more.
  constexpr std::uint64_t kBytesOfAPixel = 16 + 4 + 4;
  for (const RunRecord& record : records) {
    const auto [width, height] = record.layer_size;
    const std::uint64_t needed =
        kBytesOfAPixel * static_cast<std::uint64_t>(width) * static_cast<std::uint64_t>(height);
    if (needed <= machine.free) continue;
    const common::MemoryPool pool{
        .id = {}, .cgroup = machine.cgroup, .total = machine.total, .free = machine.free};
    throw common::DoesNotFitError(fmt::format("writing layers of {} × {} pixels takes {}; {}", width, height,
                                              common::format_bytes(needed), common::free_text(pool)),
                                  std::string(common::cure_text(pool)) + ", or leave out --original-size.");
  }
}

ResultWriter::ResultWriter(const OutputOptions& options, std::size_t results, std::size_t layers)
    : options_(options), results_(results), layers_(layers) {
  const std::vector<std::filesystem::path> names = names_of(options, results, layers);
  if (options.dump_latents) check_file("--dump-latents", *options.dump_latents, options, names);
  if (options.trace) check_file("--trace", *options.trace, options, names);
  for (std::size_t i = 0; i < results; ++i) keep_inputs(options, folder(i));
  folder_ = std::make_unique<ResultFolder>(ResultFolder::Request{.question = {.folder = options.out,
                                                                              .names = names,
                                                                              .inputs = options.inputs,
                                                                              .older = Older::kReplaced},
                                                                 .option = "--out",
                                                                 .what = "results",
                                                                 .overwrite = options.overwrite});
}

std::filesystem::path ResultWriter::folder(std::size_t index) const {
  return results_ == 1 ? options_.out : options_.out / part_of(index, results_);
}

std::string ResultWriter::remark() const {
  if (folder_->is_held()) return {};
  return fmt::format(
      "--out {}: its file system keeps no locks, so nothing keeps another run from writing there meanwhile",
      options_.out.string());
}

std::vector<std::size_t> ResultWriter::write(std::size_t index, RunRecord record,
                                             const runtime::Result& result,
                                             const std::function<void()>& moved) {
  const std::filesystem::path part = part_of(index, results_);
  const ResultPictures pictures(result.decoded, record.layer_size, picture_json(record), moved);
  common::ensure(pictures.count() == layers_, "a result has another number of layers");
  record.layer_hashes = layer_hashes(result.decoded);
  record.empty_layers = find_empty_layers(pictures);
  record.files.clear();
  record.number = index;
  record.results = results_;
  const std::filesystem::path report = folder_->staged(part / kReportName);
  const std::filesystem::path folder = report.parent_path();
  folder_->write([&] {
    write_files(folder, options_, pictures, record);
    for (const std::string& name : record.files) {
      moved();
      record.written.push_back({name, *content_of(folder / name)});
    }
    if (options_.dump_latents) {
      dump_latents(*options_.dump_latents, result);
      record.files.push_back(options_.dump_latents->string());
    }
    common::write_file_atomically(report, run_json(record));
  });
  ++written_;
  if (folder_->is_fresh() || written_ == results_) folder_->commit(Unplaced::kKeep);
  return record.empty_layers;
}

void ResultWriter::finish() {
  folder_->commit(Unplaced::kKeep);
}

}  // namespace layerpipe::results
