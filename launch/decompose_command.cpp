#include "launch/decompose_command.h"

#include <ATen/Context.h>
#include <ATen/Functions.h>
#include <fmt/format.h>

#include <cstring>

#include "common/errors.h"
#include "common/units.h"
#include "launch/disk_space.h"
#include "launch/failure.h"
#include "launch/progress_line.h"
#include "launch/result_writer.h"
#include "media/picture_reader.h"
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
  constexpr const char* kDumpThem = "A file that --dump-latents wrote holds such latents.";
  const model::SafetensorsFile tensors(file);
  if (!tensors.tensors().contains(kName)) {
    throw common::InputError(file.string() + " holds no tensor \"" + kName + "\"", kDumpThem);
  }
  at::Tensor latents = tensors.view(kName);
  // diffusers' packed latents have a batch dimension of one in front.
  if (latents.dim() == 3 && latents.size(0) == 1) latents = latents.squeeze(0);
  if (latents.dim() != 2 || latents.scalar_type() != at::kFloat) {
    throw common::InputError(
        file.string() + ": \"" + kName + "\" has to be fp32 of shape [1, tokens, channels]", kDumpThem);
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

}  // namespace

void run_decompose(const DecomposeOptions& options, const std::vector<runtime::OptionRecord>& records,
                   const std::atomic<bool>& stop_requested, std::string& doing) {
  const auto start = std::chrono::steady_clock::now();
  const at::Device device = choose_device(options.device);
  if (options.seed_device == "cuda" && device.is_cpu()) {
    throw common::InputError("--seed-device cuda needs a GPU", "Take --seed-device cpu.");
  }
  const at::ScalarType dtype = choose_dtype(options.dtype, device);
  runtime::Engine engine(
      {.model_folder = options.model,
       .device = device,
       .dtype = dtype,
       .weights = options.random_weights ? runtime::WeightOrigin::kRandom : runtime::WeightOrigin::kFiles});
  doing = "the pictures";
  const std::vector<runtime::Request> requests = make_requests(options);
  for (const auto& request : requests) engine.check(request);
  check_disk_space(options, requests, engine.model_config());
  ResultWriter writer(options, requests.size(),
                      {.version = LAYERPIPE_VERSION,
                       .command = "decompose",
                       .options = records,
                       .device = device.str(),
                       .dtype = dtype == at::kBFloat16 ? "bf16" : "fp32"});
  {
    ProgressLine line(options.quiet ? ProgressStyle::kQuiet : progress_style_for_stderr());
    engine.run(
        requests,
        [&](const runtime::Progress& progress) {
          line.show(progress);
          doing = doing_after(progress);
        },
        [&](std::size_t index, const runtime::Result& result) {
          writer.write(index, requests[index], result, engine.phase_seconds());
        },
        stop_requested);
  }
  if (!options.quiet) {
    for (std::size_t i = 0; i < requests.size(); ++i) {
      const at::Tensor& picture = requests[i].picture;
      fmt::print(stderr, "{}: {} layers of {} × {} pixels and composite.png\n", writer.folder(i).string(),
                 requests[i].layers, picture.size(1), picture.size(0));
    }
  }
  if (!options.quiet) {
    fmt::print(stderr, "done in {}\n", common::format_duration(std::chrono::steady_clock::now() - start));
  }
}

}  // namespace layerpipe::launch
