#include "launch/decompose_command.h"

#include <ATen/Functions.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "common/errors.h"
#include "common/units.h"
#include "launch/disk_space.h"
#include "launch/failure.h"
#include "launch/progress_display.h"
#include "launch/result_writer.h"
#include "launch/terminal.h"
#include "media/picture_reader.h"
#include "media/resize.h"
#include "model/fingerprint.h"
#include "model/weights/safetensors.h"
#include "runtime/device.h"
#include "runtime/engine.h"
#include "runtime/memory.h"

namespace layerpipe::launch {
namespace {

runtime::DeviceChoice device_choice(const std::string& option) {
  if (option == "cuda") return runtime::DeviceChoice::kCuda;
  return option == "cpu" ? runtime::DeviceChoice::kCpu : runtime::DeviceChoice::kAuto;
}

at::ScalarType choose_dtype(const std::string& option, const at::Device& device) {
  if (option.empty()) return device.is_cpu() ? at::kFloat : at::kBFloat16;
  return option == "bf16" ? at::kBFloat16 : at::kFloat;
}

// A file, and the size that it had.
struct InputPicture {
  std::filesystem::path file;
  runtime::PixelSize size;
};

// The requests, and the picture that each was made from.
struct Work {
  std::vector<runtime::Request> requests;
  std::vector<InputPicture> pictures;
};

// Reads a picture and says what was noticed about it.
media::Image read_picture(const std::filesystem::path& file, const DecomposeOptions& options) {
  auto [picture, remarks] = media::read_picture(file);
  if (!options.quiet) {
    for (const std::string& remark : remarks) say(fmt::format("{}: {}\n", file.string(), remark));
  }
  return std::move(picture);
}

// The picture at the size that the model works on: bytes [height, width, 4].
at::Tensor at_working_size(const media::Image& picture, const std::filesystem::path& file,
                           std::int64_t resolution) {
  const model::PictureSize size = model::working_size({picture.width, picture.height}, resolution);
  if (size.width == 0 || size.height == 0) {
    throw common::InputError(
        fmt::format("{} is {} × {} pixels: too long and narrow to be taken apart at {} pixels", file.string(),
                    picture.width, picture.height, resolution),
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
  if (!at::isfinite(latents).all().item<bool>()) {
    throw common::InputError(file.string() + ": \"" + kName + "\" holds values that are not finite numbers",
                             kDumpThem);
  }
  return latents;
}

Work make_work(const DecomposeOptions& options, const std::atomic<bool>& stop_requested) {
  runtime::Request request;
  request.prompt = options.prompt;
  if (!options.no_cfg) request.negative_prompt = options.negative_prompt;
  request.layers = options.layers;
  request.steps = options.steps;
  request.cfg_scale = options.cfg_scale;
  request.cfg_normalize = options.cfg_normalize ? model::NormRescale::kOn : model::NormRescale::kOff;
  request.seed_device = options.seed_device == "cuda" ? model::SeedDevice::kCuda : model::SeedDevice::kCpu;
  if (options.init_latents) request.init_latents = load_init_latents(*options.init_latents);

  Work work;
  for (const auto& file : options.images) {
    if (stop_requested.load()) throw common::InterruptedError();
    const media::Image picture = read_picture(file, options);
    request.picture = at_working_size(picture, file, options.resolution);
    for (std::int64_t n = 0; n < options.num_images; ++n) {
      request.seed = options.seed + static_cast<std::uint64_t>(n);
      work.requests.push_back(request);
      work.pictures.push_back({file, {picture.width, picture.height}});
    }
  }
  return work;
}

runtime::ResultRecord make_record(const InputPicture& picture, const runtime::Request& request,
                                  const DecomposeOptions& options) {
  const runtime::PixelSize working_size{request.picture.size(1), request.picture.size(0)};
  return {.picture = picture.file.string(),
          .picture_size = picture.size,
          .working_size = working_size,
          .layer_size = options.original_size ? picture.size : working_size,
          .seed = request.seed};
}

runtime::RunFigures make_figures(const runtime::Engine& engine, const runtime::Result& result,
                                 const at::Device& device) {
  runtime::RunFigures figures{.phases = engine.figures(), .step_seconds = result.step_seconds};
  for (const runtime::Network network : runtime::kNetworks)
    figures.weight_bytes.emplace_back(network, engine.weight_bytes(network));
  figures.host_peak_bytes = runtime::memory_use(at::kCPU).peak;
  if (!device.is_cpu()) return figures;
  // On the CPU each phase begins a new peak.
  for (const runtime::Phase phase : runtime::kPhases)
    figures.host_peak_bytes = std::max(figures.host_peak_bytes, figures.phases[phase].peak_bytes);
  return figures;
}

// "cuda:0 (NVIDIA H200, 139.80 GiB, of which 138.20 GiB are free), bf16"
std::string device_text(const runtime::DeviceFacts& device, const std::string& dtype) {
  const runtime::MemoryUse memory = runtime::memory_use(device.device);
  return fmt::format("{} ({}, {}, of which {} are free), {}", device.device.str(), device.name,
                     common::format_bytes(memory.total), common::format_bytes(memory.free), dtype);
}

void print_summary(const ResultWriter& writer, const std::vector<runtime::ResultRecord>& records,
                   const DecomposeOptions& options, double seconds) {
  for (std::size_t i = 0; i < records.size(); ++i) {
    const runtime::PixelSize& size = records[i].layer_size;
    say(fmt::format("{}: {} layers of {} × {} pixels and composite.png\n", writer.folder(i).string(),
                    options.layers, size.width, size.height));
  }
  say(fmt::format("done in {}\n", common::format_duration(std::chrono::duration<double>(seconds))));
}

}  // namespace

void run_decompose(const DecomposeOptions& options, const std::vector<runtime::OptionRecord>& option_records,
                   const std::atomic<bool>& stop_requested, std::string& doing) {
  const auto start = std::chrono::steady_clock::now();
  const runtime::DeviceFacts device = runtime::choose_device(device_choice(options.device));
  if (options.seed_device == "cuda" && device.device.is_cpu()) {
    throw common::InputError("--seed-device cuda needs a GPU", "Take --seed-device cpu.");
  }
  const at::ScalarType dtype = choose_dtype(options.dtype, device.device);
  const std::string dtype_name = dtype == at::kBFloat16 ? "bf16" : "fp32";
  runtime::Engine engine(
      {.model_folder = options.model,
       .device = device.device,
       .dtype = dtype,
       .weights = options.random_weights ? runtime::WeightOrigin::kRandom : runtime::WeightOrigin::kFiles});
  doing = "the pictures";
  const auto [requests, pictures] = make_work(options, stop_requested);
  for (const auto& request : requests) engine.check(request);
  engine.check_memory();
  std::vector<runtime::PixelSize> layer_sizes;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    layer_sizes.push_back(make_record(pictures[i], requests[i], options).layer_size);
  }
  check_disk_space(options, requests, layer_sizes, engine.model_config());
  const ResultWriter writer(options, requests.size(),
                            {.version = LAYERPIPE_VERSION,
                             .command = "decompose",
                             .options = option_records,
                             .model_folder = options.model.string(),
                             .pipeline = model::to_string(engine.model_config().pipeline),
                             .fingerprint = model::fingerprint(options.model),
                             .device = device,
                             .dtype = dtype_name});
  if (!options.quiet) {
    if (!device.remark.empty()) say(fmt::format("--device auto takes the CPU: {}\n", device.remark));
    say(device_text(device, dtype_name) + "\n");
  }
  std::vector<runtime::ResultRecord> records;
  {
    ProgressDisplay display(
        options.quiet ? ProgressStyle::kQuiet : progress_style_for_stderr(),
        [&] { return runtime::memory_use(device.device); }, stop_requested);
    engine.run(
        requests,
        [&](const runtime::Progress& progress) {
          display.show(progress);
          doing = doing_after(progress);
        },
        [&](std::size_t index, const runtime::Result& result) {
          records.push_back(make_record(pictures[index], requests[index], options));
          writer.write(index, records.back(), result, make_figures(engine, result, device.device));
        },
        stop_requested);
  }
  if (options.quiet) return;
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  print_summary(writer, records, options, took.count());
}

}  // namespace layerpipe::launch
