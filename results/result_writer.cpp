#include "results/result_writer.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "common/clock.h"
#include "common/errors.h"
#include "common/files.h"
#include "media/composite.h"
#include "media/png_writer.h"
#include "model/latents.h"
#include "model/weights/safetensors.h"
#include "results/documents.h"
#include "results/file_content.h"
#include "results/kept_layers.h"
#include "results/layer_pixels.h"
#include "results/output_path.h"
#include "results/result_folder.h"
#include "results/writing_memory.h"

namespace layerpipe::results {
namespace {

// Units of work behind the files: what is in them is noted in the record.
constexpr std::int64_t kRecording = 1;

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

// Writes the result in all formats, side by side, and lists the files in its record.
void write_files(const std::filesystem::path& folder, const OutputOptions& options,
                 const ResultPictures& pictures, const WritingLimits& limits, RunRecord& record,
                 const std::function<void(const WritingProgress&)>& told) {
  std::vector<PngSource> pngs;
  if (contains(options.formats, Format::kPng)) {
    record.files = png_names(pictures.count());
    for (const std::string& name : record.files) pngs.emplace_back(folder / name);
  } else if (contains(options.formats, Format::kZip)) {
    pngs = encoded_pngs(pictures);
  }
  // From the text of run.json, so that documents that are made from it later are the same.
  std::string text = run_json(record);
  const LayeredResult layered{.record = parse_run_record(text, (folder / kReportName).string()),
                              .report = std::move(text),
                              .layers = pictures.layers(),
                              .empty_layers = record.empty_layers,
                              .pngs = std::move(pngs)};
  ResultDocuments documents(layered, options.empty_layers, limits.threads);
  run_writing_tasks(tasks_of_writing(folder, options.formats, pictures, documents), limits, told);
  for (const Format format : options.formats) {
    if (format != Format::kPng) record.files.push_back(document_name(format));
  }
}

}  // namespace

void check_writing_memory(const std::vector<RunRecord>& records, std::span<const Format> formats,
                          const runtime::MemoryUse& machine) {
  for (const RunRecord& record : records) {
    std::uint64_t needed = 0;
    for (const Format format : formats) needed = std::max(needed, writing_bytes(format, record));
    check_memory(
        fmt::format("writing layers of {} × {} pixels", record.layer_size.width, record.layer_size.height),
        needed, machine, ", or leave out --original-size.");
  }
}

ResultWriter::ResultWriter(const OutputOptions& options, std::size_t results, std::size_t layers,
                           const std::function<void()>& moved)
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
                                                                 .overwrite = options.overwrite,
                                                                 .moved = moved});
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
                                             const std::function<void(const WritingProgress&)>& told) {
  const double begin = common::now();
  const std::filesystem::path part = part_of(index, results_);
  WritingLimits limits = writing_limits();
  const ResultPictures pictures(result.decoded, record, limits);
  common::ensure(pictures.count() == layers_, "a result has another number of layers");
  record.layer_hashes = layer_hashes(result.decoded);
  const auto layers = static_cast<std::int64_t>(pictures.count());
  std::vector<std::uint8_t> empty;
  run_writing_tasks(tasks_of_looking(pictures, record, empty), limits, [&](const WritingProgress& now) {
    told({now.done, now.total + most_writing_units(options_.formats, layers) + kRecording});
  });
  record.empty_layers.clear();
  for (std::size_t i = 0; i < empty.size(); ++i) {
    if (empty[i] != 0) record.empty_layers.push_back(i);
  }
  record.files.clear();
  record.number = index;
  record.results = results_;
  const std::filesystem::path report = folder_->staged(part / kReportName);
  const std::filesystem::path folder = report.parent_path();
  folder_->write([&] {
    WritingProgress done;
    write_files(folder, options_, pictures, limits, record, [&](const WritingProgress& now) {
      done = {layers + now.done, layers + now.total + kRecording};
      told(done);
    });
    KnownContents contents([&] { told(done); });
    for (const std::string& name : record.files) {
      record.written.push_back({name, *contents.of(folder / name)});
    }
    if (options_.dump_latents) {
      dump_latents(*options_.dump_latents, result);
      record.files.push_back(options_.dump_latents->string());
    }
    record.write_seconds = record.write_seconds.value_or(0) + common::now() - begin;
    common::write_file_atomically(report, run_json(record));
    told({done.total, done.total});
  });
  ++written_;
  if (folder_->is_fresh() || written_ == results_) folder_->commit(Unplaced::kKeep);
  return record.empty_layers;
}

void ResultWriter::finish() {
  folder_->commit(Unplaced::kKeep);
}

}  // namespace layerpipe::results
