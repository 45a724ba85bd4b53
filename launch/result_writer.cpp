#include "launch/result_writer.h"

#include <ATen/Functions.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstring>

#include "common/errors.h"
#include "common/units.h"
#include "media/composite.h"
#include "media/png_writer.h"
#include "media/resize.h"
#include "model/fingerprint.h"
#include "model/latents.h"
#include "model/weights/safetensors.h"

namespace layerpipe::launch {
namespace {

bool is_folder(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::is_directory(path, error);
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
  std::filesystem::remove(folder / "run.json", error);
}

// Of --dump-latents or --trace. `out` will be there when the file is written.
void check_file(const std::string& name, const std::filesystem::path& file,
                const std::filesystem::path& out) {
  const auto folder = file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
  const std::string option = name + " " + file.string();
  if (is_folder(file)) throw common::InputError(option + " is a folder", "Give the name of a file in it.");
  if (!is_folder(folder)) {
    if (std::filesystem::weakly_canonical(folder) == std::filesystem::weakly_canonical(out)) return;
    throw common::InputError(option + ": there is no folder " + folder.string(),
                             "Make it, or choose another file.");
  }
  if (::access(folder.c_str(), W_OK) != 0) {
    throw common::InputError(option + ": the folder " + folder.string() + " may not be written",
                             "Choose another file.");
  }
}

// Results replace what an earlier run left, but never what the run was made from.
void keep_inputs(const DecomposeOptions& options, const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> inputs = options.images;
  if (options.init_latents) inputs.push_back(*options.init_latents);
  for (const auto& input : inputs) {
    std::error_code error;
    const std::string name = input.filename().string();
    const bool is_result = name == "composite.png" || (name.starts_with("layer_") && name.ends_with(".png"));
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

// One layer, bytes [height, width, 4], at the size that it is written in.
media::Image to_image(const at::Tensor& bytes, const runtime::PixelSize& size) {
  media::Image image = media::make_image(static_cast<int>(bytes.size(1)), static_cast<int>(bytes.size(0)));
  std::memcpy(image.pixels.data(), bytes.const_data_ptr(), image.pixels.size());
  return media::resize_lanczos(image, static_cast<int>(size.width), static_cast<int>(size.height));
}

std::string layer_name(std::size_t index) {
  return fmt::format("layer_{}.png", index);
}

// Writes one result's pictures, one after another, each with what made it in its text; their names, in the
// order of writing. `decoded` [layers, 4, height, width] in −1 … 1.
std::vector<std::string> write_pictures(const std::filesystem::path& folder, const at::Tensor& decoded,
                                        const runtime::PixelSize& size, const std::string& origin) {
  const auto write = [&](const std::string& name, const media::Image& image, const std::string& title) {
    media::write_png(folder / name, image,
                     {{"Title", title}, {"Software", "layerpipe " LAYERPIPE_VERSION}, {"layerpipe", origin}});
  };
  const std::vector<at::Tensor> layers = model::tensor_to_pictures(decoded).unbind(0);
  media::Compositor compositor(static_cast<int>(size.width), static_cast<int>(size.height));
  std::vector<std::string> files;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const media::Image layer = to_image(layers[i], size);
    compositor.add(layer);
    files.push_back(layer_name(i));
    write(files.back(), layer, fmt::format("Layer {} of {}", i, layers.size()));
  }
  files.emplace_back("composite.png");
  write(files.back(), compositor.picture(), "Composite");
  // An earlier run with more layers must not seem to belong to this one.
  std::error_code error;
  for (std::size_t i = layers.size(); std::filesystem::remove(folder / layer_name(i), error); ++i) {
  }
  return files;
}

// Of what `layerpipe rerun` compares. `decoded` [layers, 4, height, width] in −1 … 1.
std::vector<std::string> hash_layers(const at::Tensor& decoded) {
  std::vector<std::string> hashes;
  for (const at::Tensor& layer : model::tensor_to_pictures(decoded).unbind(0)) {
    const at::Tensor pixels = layer.contiguous();
    hashes.push_back(
        model::hash_of({static_cast<const std::byte*>(pixels.const_data_ptr()), pixels.nbytes()}));
  }
  return hashes;
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

void check_writing_memory(const std::vector<runtime::ResultRecord>& records,
                          const runtime::MemoryUse& machine) {
  // The compositor's 16 bytes a pixel, and the layer that is written, or their composite.
  constexpr std::uint64_t kBytesOfAPixel = 16 + 4;
  for (const runtime::ResultRecord& record : records) {
    const auto [width, height] = record.layer_size;
    const std::uint64_t needed =
        kBytesOfAPixel * static_cast<std::uint64_t>(width) * static_cast<std::uint64_t>(height);
    if (needed <= machine.free) continue;
    throw common::DoesNotFitError(
        fmt::format("writing layers of {} × {} pixels takes {}; this machine has {} of {} free", width,
                    height, common::format_bytes(needed), common::format_bytes(machine.free),
                    common::format_bytes(machine.total)),
        "Close other programs, or leave out --original-size.");
  }
}

ResultWriter::ResultWriter(const DecomposeOptions& options, std::size_t results, runtime::RunOrigin origin)
    : options_(options), results_(results), origin_(std::move(origin)) {
  if (options.dump_latents) check_file("--dump-latents", *options.dump_latents, folder(0));
  if (options.trace) check_file("--trace", *options.trace, folder(0));
  for (std::size_t i = 0; i < results; ++i) keep_inputs(options, folder(i));
  for (std::size_t i = 0; i < results; ++i) prepare_folder(folder(i));
}

std::filesystem::path ResultWriter::folder(std::size_t index) const {
  return results_ == 1 ? options_.out : options_.out / std::to_string(index);
}

void ResultWriter::write(std::size_t index, const runtime::ResultRecord& record,
                         const runtime::Result& result, const runtime::RunFigures& figures) const {
  std::vector<std::string> files =
      write_pictures(folder(index), result.decoded, record.layer_size, runtime::origin_json(origin_, record));
  if (options_.dump_latents) {
    dump_latents(*options_.dump_latents, result);
    files.push_back(options_.dump_latents->string());
  }
  runtime::ResultRecord whole = record;
  whole.layer_hashes = hash_layers(result.decoded);
  runtime::write_report(folder(index) / "run.json", origin_, whole, figures, files);
}

}  // namespace layerpipe::launch
