#include "results/result_writer.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "common/clock.h"
#include "common/errors.h"
#include "common/files.h"
#include "common/units.h"
#include "media/composite.h"
#include "media/png_writer.h"
#include "model/latents.h"
#include "model/weights/safetensors.h"
#include "results/documents.h"
#include "results/kept_layers.h"
#include "results/layer_pixels.h"
#include "results/output_path.h"
#include "results/writing_memory.h"

namespace layerpipe::results {
namespace {

// Takes run.json away, without which nobody takes what is there for a finished result, and the page that was
// made from it. Returns whether there was one.
bool remove_report(const std::filesystem::path& folder) {
  std::error_code error;
  if (!std::filesystem::remove(folder / kReportName, error)) return false;
  std::filesystem::remove(folder / kPageName, error);
  return true;
}

void prepare_folder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (!is_folder(folder)) {
    throw common::InputError("--out " + folder.string() + " cannot be made a folder" +
                                 (error ? ": " + error.message() : std::string()),
                             "Choose another folder.");
  }
  if (::access(folder.c_str(), W_OK) != 0) {
    throw common::InputError("--out " + folder.string() + " may not be written", "Choose another folder.");
  }
  remove_report(folder);
  common::remove_parts(folder);
}

// Checks the file of --dump-latents or --trace. `out` will be there when it is written.
void check_file(const std::string& name, const std::filesystem::path& file,
                const std::filesystem::path& out) {
  const std::filesystem::path folder = folder_of(file);
  const bool will_be_there = !is_folder(folder) && std::filesystem::weakly_canonical(folder) ==
                                                       std::filesystem::weakly_canonical(out);
  if (!will_be_there) check_output_file(name + " " + file.string(), file);
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

// The layers of a result, and the pictures that become PNGs, each with what made it in its text. Any number
// of threads.
class ResultPictures {
 public:
  // `decoded` [layers, 4, height, width] in −1 … 1; `record` is that of the result. Layers are kept if
  // `limits` allow, which are less by that then.
  ResultPictures(const at::Tensor& decoded, const RunRecord& record, WritingLimits& limits)
      : size_(record.layer_size), origin_(picture_json(record)) {
    for (const at::Tensor& layer : model::tensor_to_pictures(decoded).unbind(0))
      layers_.emplace_back([layer, size = size_] { return layer_image(layer, size); });
    keep_layers(layers_, layer_bytes(record), limits);
  }

  std::size_t count() const { return layers_.size(); }
  const std::vector<std::function<media::Image()>>& layers() const { return layers_; }
  media::Image layer(std::size_t index) const { return layers_.at(index)(); }
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

  std::vector<std::function<media::Image()>> layers_;
  common::Size size_;
  std::string origin_;
};

// A task for each layer; they find `empty`, [layers].
std::vector<WritingTask> tasks_of_looking(const ResultPictures& pictures, const RunRecord& record,
                                          std::vector<std::uint8_t>& empty) {
  empty.assign(pictures.count(), 0);
  std::vector<WritingTask> tasks;
  for (std::size_t i = 0; i < pictures.count(); ++i) {
    tasks.push_back(
        {.units = 1, .bytes = reading_bytes(record), .behind = {}, .run = [&, i](const WritingSteps&) {
           empty[i] = is_empty(pictures.layer(i)) ? 1 : 0;
         }});
  }
  return tasks;
}

// The names of the PNGs, in the order of writing.
std::vector<std::string> png_names(std::size_t layers) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < layers; ++i) names.push_back(layer_name(i));
  names.emplace_back(kCompositeName);
  return names;
}

// Writes the PNGs, one after another.
void write_pngs(const std::filesystem::path& folder, const ResultPictures& pictures,
                const WritingSteps& steps) {
  media::Compositor compositor = pictures.compositor();
  for (std::size_t i = 0; i < pictures.count(); ++i) {
    steps.begin_unit();
    const media::Image layer = pictures.layer(i);
    compositor.add(layer);
    media::write_png(folder / layer_name(i), layer, pictures.layer_texts(i), steps.encoding());
  }
  steps.begin_unit();
  media::write_png(folder / kCompositeName, compositor.picture(), pictures.composite_texts(),
                   steps.encoding());
}

// The same pictures for an archive, when they are not written as files. `pictures` must outlive them.
std::vector<PngSource> encoded_pngs(const ResultPictures& pictures) {
  // Begun with the first layer that is asked for and let go with the last.
  const auto compositor = std::make_shared<std::optional<media::Compositor>>();
  std::vector<PngSource> sources;
  for (std::size_t i = 0; i < pictures.count(); ++i) {
    sources.emplace_back([&pictures, compositor, i](const media::EncodingWork& work) {
      const media::Image layer = pictures.layer(i);
      if (!*compositor) *compositor = pictures.compositor();
      (*compositor)->add(layer);
      return media::encode_png(layer, pictures.layer_texts(i), work);
    });
  }
  sources.emplace_back([&pictures, compositor](const media::EncodingWork& work) {
    const media::Image composite = (*compositor)->picture();
    compositor->reset();
    return media::encode_png(composite, pictures.composite_texts(), work);
  });
  return sources;
}

// The tasks that write a result into `folder`, in the order of `formats`. All that they are given must
// outlive them.
std::vector<WritingTask> tasks_of_writing(const std::filesystem::path& folder,
                                          std::span<const Format> formats, const ResultPictures& pictures,
                                          ResultDocuments& documents) {
  std::vector<WritingTask> tasks;
  std::optional<std::size_t> pngs;  // the task that writes them
  for (const Format format : formats) {
    if (format != Format::kPng) {
      tasks.push_back(documents.task(folder, format));
      continue;
    }
    pngs = tasks.size();
    tasks.push_back({.units = static_cast<std::int64_t>(pictures.count()) + 1,
                     .bytes = documents.bytes(format),
                     .behind = {},
                     .run = [&](const WritingSteps& steps) { write_pngs(folder, pictures, steps); }});
  }
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    if (formats[i] == Format::kZip) tasks[i].behind = pngs;  // it is made of their files
  }
  return tasks;
}

// What an earlier run wrote there must not seem to belong to this one: more layers, other formats.
void remove_leftovers(const std::filesystem::path& folder, std::span<const Format> formats,
                      std::size_t layers) {
  std::error_code error;
  for (const Format format : kDocumentFormats) {
    if (!contains(formats, format)) std::filesystem::remove(folder / document_name(format), error);
  }
  const bool has_pngs = contains(formats, Format::kPng);
  if (!has_pngs) std::filesystem::remove(folder / kCompositeName, error);
  for (std::size_t i = has_pngs ? layers : 0; std::filesystem::remove(folder / layer_name(i), error); ++i) {
  }
}

// Whether the run is made from `file`.
bool is_input(const OutputOptions& options, const std::filesystem::path& file) {
  const auto is_it = [&](const std::filesystem::path& input) {
    std::error_code error;
    return std::filesystem::equivalent(input, file, error);
  };
  return std::any_of(options.inputs.begin(), options.inputs.end(), is_it);
}

// Beside the folders of several results: that of an earlier run, which had one.
void remove_single_result(const OutputOptions& options) {
  if (!remove_report(options.out)) return;
  const auto remove = [&](const std::string& name) {
    std::error_code error;
    const std::filesystem::path file = options.out / name;
    if (!is_input(options, file)) std::filesystem::remove(file, error);
  };
  for (const Format format : kDocumentFormats) remove(document_name(format));
  remove(kCompositeName);
  std::error_code error;
  for (std::size_t i = 0; std::filesystem::exists(options.out / layer_name(i), error); ++i)
    remove(layer_name(i));
}

// The results of an earlier run that had more of them, from `first` on: their layers may stay, but not as
// those of a finished result.
void remove_reports_of_more(const std::filesystem::path& out, std::size_t first) {
  for (std::size_t i = first; is_folder(out / std::to_string(i)); ++i) remove_report(out / std::to_string(i));
}

void dump_latents(const std::filesystem::path& file, const runtime::Result& result) {
  // In diffusers' layout: a batch dimension in front of all but the layers.
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

}  // namespace

void check_writing_memory(const std::vector<RunRecord>& records, std::span<const Format> formats,
                          const runtime::MemoryUse& machine) {
  for (const RunRecord& record : records) {
    std::uint64_t needed = 0;
    for (const Format format : formats) needed = std::max(needed, writing_bytes(format, record));
    if (needed <= machine.free) continue;
    throw common::DoesNotFitError(
        fmt::format("writing layers of {} × {} pixels takes {}; this machine has {} of {} free",
                    record.layer_size.width, record.layer_size.height, common::format_bytes(needed),
                    common::format_bytes(machine.free), common::format_bytes(machine.total)),
        "Close other programs, or leave out --original-size.");
  }
}

ResultWriter::ResultWriter(const OutputOptions& options, std::size_t results)
    : options_(options), results_(results) {
  if (options.dump_latents) check_file("--dump-latents", *options.dump_latents, folder(0));
  if (options.trace) check_file("--trace", *options.trace, folder(0));
  for (std::size_t i = 0; i < results; ++i) keep_inputs(options, folder(i));
  for (std::size_t i = 0; i < results; ++i) prepare_folder(folder(i));
  if (results > 1) remove_single_result(options);
  remove_reports_of_more(options.out, results > 1 ? results : 0);
}

std::filesystem::path ResultWriter::folder(std::size_t index) const {
  return results_ == 1 ? options_.out : options_.out / std::to_string(index);
}

std::vector<std::size_t> ResultWriter::write(std::size_t index, RunRecord record,
                                             const runtime::Result& result,
                                             const std::function<void(const WritingProgress&)>& told) const {
  const double begin = common::now();
  const std::filesystem::path folder = this->folder(index);
  WritingLimits limits = writing_limits();
  const ResultPictures pictures(result.decoded, record, limits);
  record.layer_hashes = layer_hashes(result.decoded);
  const auto layers = static_cast<std::int64_t>(pictures.count());
  std::vector<std::uint8_t> empty;
  run_writing_tasks(tasks_of_looking(pictures, record, empty), limits, [&](const WritingProgress& now) {
    told({now.done, now.total + most_writing_units(options_.formats, layers)});
  });
  record.empty_layers.clear();
  for (std::size_t i = 0; i < empty.size(); ++i) {
    if (empty[i] != 0) record.empty_layers.push_back(i);
  }
  record.files.clear();
  std::vector<PngSource> pngs;
  if (contains(options_.formats, Format::kPng)) {
    record.files = png_names(pictures.count());
    for (const std::string& name : record.files) pngs.emplace_back(folder / name);
  } else if (contains(options_.formats, Format::kZip)) {
    pngs = encoded_pngs(pictures);
  }
  const std::filesystem::path report = folder / kReportName;
  // From the text of run.json, so that documents that are made from it later are the same.
  std::string text = run_json(record);
  const LayeredResult layered{.record = parse_run_record(text, report.string()),
                              .report = std::move(text),
                              .layers = pictures.layers(),
                              .empty_layers = record.empty_layers,
                              .pngs = std::move(pngs)};
  ResultDocuments documents(layered, options_.empty_layers, limits.threads);
  run_writing_tasks(tasks_of_writing(folder, options_.formats, pictures, documents), limits,
                    [&](const WritingProgress& now) {
                      told({layers + now.done, layers + now.total});
                    });
  for (const Format format : options_.formats) {
    if (format != Format::kPng) record.files.push_back(document_name(format));
  }
  remove_leftovers(folder, options_.formats, pictures.count());
  if (options_.dump_latents) {
    dump_latents(*options_.dump_latents, result);
    record.files.push_back(options_.dump_latents->string());
  }
  record.write_seconds = record.write_seconds.value_or(0) + common::now() - begin;
  common::write_file_atomically(report, run_json(record));
  return record.empty_layers;
}

}  // namespace layerpipe::results
