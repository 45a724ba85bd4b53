#include "launch/decompose_command.h"

#include <ATen/Context.h>
#include <ATen/Functions.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstring>

#include "common/errors.h"
#include "common/units.h"
#include "launch/progress_line.h"
#include "media/composite.h"
#include "media/picture_reader.h"
#include "media/png_writer.h"
#include "media/resize.h"
#include "model/weights/safetensors.h"
#include "runtime/engine.h"

namespace layerpipe::launch {
namespace {

at::Device choose_device(const std::string& option) {
  const bool gpu = at::globalContext().hasCUDA();
  if (option == "cuda" && !gpu) {
    throw common::InputError("--device cuda: there is no GPU that this LibTorch can use",
                             "Check with nvidia-smi, or take --device cpu.");
  }
  return gpu && option != "cpu" ? at::Device(at::kCUDA, 0) : at::Device(at::kCPU);
}

at::ScalarType choose_dtype(const std::string& option, const at::Device& device) {
  if (option.empty()) return device.is_cpu() ? at::kFloat : at::kBFloat16;
  return option == "bf16" ? at::kBFloat16 : at::kFloat;
}

// Makes the folder, and finds out before hours of work whether files can be written there.
void prepare_output(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (!std::filesystem::is_directory(folder)) {
    throw common::InputError("--out " + folder.string() + " cannot be made a folder" +
                                 (error ? ": " + error.message() : std::string()),
                             "Choose another folder.");
  }
  if (::access(folder.c_str(), W_OK) != 0) {
    throw common::InputError("--out " + folder.string() + " may not be written", "Choose another folder.");
  }
}

// The same for the file of --dump-latents, whose folder is not made.
void check_dump_folder(const std::filesystem::path& file) {
  const auto folder = file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
  if (!std::filesystem::is_directory(folder) || ::access(folder.c_str(), W_OK) != 0) {
    throw common::InputError("--dump-latents " + file.string() + ": there is no folder " + folder.string() +
                                 " that may be written",
                             "Choose another file.");
  }
}

// The picture at the size that the model works on: bytes [height, width, 4].
at::Tensor load_picture(const std::filesystem::path& file, const DecomposeOptions& options) {
  const auto [picture, remarks] = media::read_picture(file);
  if (!options.quiet) {
    for (const std::string& remark : remarks) fmt::print(stderr, "{}: {}\n", file.string(), remark);
  }
  const model::PictureSize size = model::working_size({picture.width, picture.height}, options.resolution);
  if (size.width == 0 || size.height == 0) {
    throw common::InputError(
        fmt::format("{} is {} × {} pixels: too long and narrow to be taken apart at {} pixels", file.string(),
                    picture.width, picture.height, options.resolution),
        "Crop it, or take a higher --resolution.");
  }
  const media::Image resized =
      media::resize_lanczos(picture, static_cast<int>(size.width), static_cast<int>(size.height));
  at::Tensor bytes = at::empty({size.height, size.width, 4}, at::kByte);
  std::memcpy(bytes.mutable_data_ptr(), resized.pixels.data(), resized.pixels.size());
  return bytes;
}

at::Tensor load_init_latents(const std::filesystem::path& file) {
  constexpr const char* kName = "init_latents";
  const model::SafetensorsFile tensors(file);
  if (!tensors.tensors().contains(kName)) {
    throw common::InputError(file.string() + " holds no tensor \"" + kName + "\"");
  }
  at::Tensor latents = tensors.view(kName);
  // diffusers' packed latents have a batch dimension of one in front.
  if (latents.dim() == 3 && latents.size(0) == 1) latents = latents.squeeze(0);
  if (latents.dim() != 2 || latents.scalar_type() != at::kFloat) {
    throw common::InputError(file.string() + ": \"" + kName +
                             "\" has to be fp32 of shape [1, tokens, channels]");
  }
  return latents;
}

std::vector<runtime::Request> make_requests(const DecomposeOptions& options) {
  runtime::Request request;
  request.prompt = options.prompt;
  if (!options.no_cfg) request.negative_prompt = options.negative_prompt;
  request.layers = options.layers;
  request.steps = options.steps;
  request.cfg_scale = options.cfg_scale;
  request.cfg_normalize = options.cfg_normalize ? model::NormRescale::kOn : model::NormRescale::kOff;
  request.seed_device = options.seed_device == "cuda" ? model::SeedDevice::kCuda : model::SeedDevice::kCpu;
  if (options.init_latents) request.init_latents = load_init_latents(*options.init_latents);

  std::vector<runtime::Request> requests;
  for (const auto& image : options.images) {
    request.picture = load_picture(image, options);
    for (std::int64_t n = 0; n < options.num_images; ++n) {
      request.seed = options.seed + static_cast<std::uint64_t>(n);
      requests.push_back(request);
    }
  }
  return requests;
}

std::vector<media::Image> to_images(const at::Tensor& decoded) {
  const at::Tensor bytes = model::tensor_to_pictures(decoded);
  std::vector<media::Image> images;
  for (const at::Tensor& layer : bytes.unbind(0)) {
    media::Image image = media::make_image(static_cast<int>(layer.size(1)), static_cast<int>(layer.size(0)));
    std::memcpy(image.pixels.data(), layer.const_data_ptr(), image.pixels.size());
    images.push_back(std::move(image));
  }
  return images;
}

// Writes one result's pictures; their names, in the order of writing.
std::vector<std::string> write_pictures(const std::filesystem::path& folder, const runtime::Result& result) {
  prepare_output(folder);
  const std::vector<media::Image> layers = to_images(result.decoded);
  std::vector<std::string> files;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    files.push_back(fmt::format("layer_{}.png", i));
    media::write_png(folder / files.back(), layers[i]);
  }
  files.emplace_back("composite.png");
  media::write_png(folder / files.back(), media::composite(layers));
  return files;
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

void run_decompose(const DecomposeOptions& options, const std::vector<runtime::OptionRecord>& records,
                   const std::atomic<bool>& stop_requested) {
  const auto start = std::chrono::steady_clock::now();
  check_decompose_options(options);
  const at::Device device = choose_device(options.device);
  if (options.seed_device == "cuda" && device.is_cpu()) {
    throw common::InputError("--seed-device cuda needs a GPU", "Take --seed-device cpu.");
  }
  const at::ScalarType dtype = choose_dtype(options.dtype, device);
  if (options.dump_latents) check_dump_folder(*options.dump_latents);
  runtime::Engine engine(
      {.model_folder = options.model,
       .device = device,
       .dtype = dtype,
       .weights = options.random_weights ? runtime::WeightOrigin::kRandom : runtime::WeightOrigin::kFiles});
  const std::vector<runtime::Request> requests = make_requests(options);
  for (const auto& request : requests) engine.check(request);
  prepare_output(options.out);

  std::vector<runtime::Result> results;
  {
    ProgressLine line(options.quiet ? ProgressStyle::kQuiet : progress_style_for_stderr());
    results = engine.run(
        requests, [&](const runtime::Progress& progress) { line.show(progress); }, stop_requested);
  }

  runtime::RunReport report{.version = LAYERPIPE_VERSION,
                            .command = "decompose",
                            .options = records,
                            .device = device.str(),
                            .dtype = dtype == at::kBFloat16 ? "bf16" : "fp32",
                            .phase_seconds = engine.phase_seconds()};
  for (std::size_t i = 0; i < results.size(); ++i) {
    const auto folder = results.size() == 1 ? options.out : options.out / std::to_string(i);
    report.files = write_pictures(folder, results[i]);
    report.picture = options.images[i / static_cast<std::size_t>(options.num_images)].string();
    report.height = results[i].decoded.size(2);
    report.width = results[i].decoded.size(3);
    report.seed = requests[i].seed;
    report.step_seconds = results[i].step_seconds;
    runtime::write_report(folder / "run.json", report);
    if (options.dump_latents) dump_latents(*options.dump_latents, results[i]);
    if (!options.quiet) {
      fmt::print(stderr, "{}: {} layers of {} × {} pixels and composite.png\n", folder.string(),
                 results[i].decoded.size(0), report.width, report.height);
    }
  }
  if (!options.quiet) {
    fmt::print(stderr, "done in {}\n", common::format_duration(std::chrono::steady_clock::now() - start));
  }
}

}  // namespace layerpipe::launch
