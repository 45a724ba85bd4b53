#include "results/result_writer.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <fmt/format.h>
#include <unistd.h>

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
#include "results/layer_pixels.h"
#include "results/output_path.h"

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
                                             const std::function<void()>& moved) const {
  const std::filesystem::path folder = this->folder(index);
  const ResultPictures pictures(result.decoded, record.layer_size, picture_json(record), moved);
  record.layer_hashes = layer_hashes(result.decoded);
  record.empty_layers = find_empty_layers(pictures);
  record.files.clear();
  std::vector<media::ZipContent> pngs;
  if (contains(options_.formats, Format::kPng)) {
    record.files = write_pngs(folder, pictures, pngs);
  } else if (contains(options_.formats, Format::kZip)) {
    pngs = encoded_pngs(pictures);
  }
  const std::filesystem::path report = folder / kReportName;
  if (has_documents(options_.formats)) {
    // From the text of run.json, so that documents that are made from it later are the same.
    std::string text = run_json(record);
    LayeredResult layered{.record = parse_run_record(text, report.string()),
                          .report = std::move(text),
                          .layers = {},
                          .empty_layers = record.empty_layers,
                          .pngs = std::move(pngs)};
    for (std::size_t i = 0; i < pictures.count(); ++i)
      layered.layers.emplace_back([&pictures, i] { return pictures.layer(i); });
    const auto documents = write_documents(folder, options_.formats, layered, options_.empty_layers).names;
    record.files.insert(record.files.end(), documents.begin(), documents.end());
  }
  remove_leftovers(folder, options_.formats, pictures.count());
  if (options_.dump_latents) {
    dump_latents(*options_.dump_latents, result);
    record.files.push_back(options_.dump_latents->string());
  }
  common::write_file_atomically(report, run_json(record));
  return record.empty_layers;
}

}  // namespace layerpipe::results
