// One forward of the transformer at full size with random weights: seconds, TFLOP/s, memory.
//
//   bench_forward --resolution 1024 --layers 4 --device cuda --dtype bf16
//
// TFLOP/s counts the matrix products of the image and text streams and of the attention, two operations per
// multiply-add:
//   blocks · (24 · tokens · dim² + 4 · tokens² · dim), tokens = image + text.
// The result is checked before anything is timed: finite, and the same bits twice.
#include <ATen/DeviceAccelerator.h>
#include <ATen/Functions.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <vector>

#include "model/transformer/transformer.h"
#include "model/weights/tensor_source.h"

namespace {

using namespace layerpipe::model;  // NOLINT(google-build-using-namespace): a program of one file

struct Options {
  std::int64_t resolution = 1024;
  std::int64_t layers = 4;
  std::int64_t text_tokens = 100;
  std::int64_t blocks = 60;
  std::int64_t repeat = 5;
  std::string device = "cuda";
  std::string dtype = "bf16";
  bool json = false;
};

Options parse(int argc, char** argv) {
  Options options;
  CLI::App app("Times one forward of the full-size transformer with random weights.");
  app.add_option("--resolution", options.resolution)->capture_default_str();
  app.add_option("--layers", options.layers)->capture_default_str();
  app.add_option("--text-tokens", options.text_tokens)->capture_default_str();
  app.add_option("--blocks", options.blocks)->capture_default_str();
  app.add_option("--repeat", options.repeat)->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--device", options.device)->check(CLI::IsMember({"cpu", "cuda"}))->capture_default_str();
  app.add_option("--dtype", options.dtype)->check(CLI::IsMember({"bf16", "fp32"}))->capture_default_str();
  app.add_flag("--json", options.json);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::exit(app.exit(error));
  }
  return options;
}

void wait_for(const at::Device& device) {
  if (!device.is_cpu()) at::accelerator::synchronizeDevice(device.index());
}

std::int64_t allocated_bytes(const at::Device& device, bool peak) {
  if (device.is_cpu()) return 0;
  const auto stats = at::accelerator::getDeviceStats(device.index());
  constexpr std::size_t kAll = 0;  // the sum over small and large blocks
  return peak ? stats.allocated_bytes[kAll].peak : stats.allocated_bytes[kAll].current;
}

int run(const Options& options) {
  const at::Device device = options.device == "cpu" ? at::Device(at::kCPU) : at::Device(at::kCUDA, 0);
  const at::ScalarType dtype = options.dtype == "bf16" ? at::kBFloat16 : at::kFloat;
  TransformerConfig config;
  config.num_layers = options.blocks;
  config.use_additional_t_cond = true;
  config.use_layer3d_rope = true;

  const auto load_start = std::chrono::steady_clock::now();
  const WeightStore store(std::make_shared<RandomTensorSource>("transformer", at::kBFloat16), device, dtype);
  const Transformer transformer(store, config);
  wait_for(device);
  const double load_seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - load_start).count();
  const std::int64_t weight_bytes = allocated_bytes(device, /*peak=*/false);

  const TokenGrid grid{.frames = options.layers + 1,
                       .height = options.resolution / 16,
                       .width = options.resolution / 16,
                       .has_condition = true};
  const auto options_on_device = at::TensorOptions().device(device).dtype(dtype);
  at::manual_seed(1);
  const TransformerInput input{
      .latents = at::randn({grid.latent_tokens(), config.in_channels}, options_on_device),
      .condition = at::randn({grid.frame_tokens(), config.in_channels}, options_on_device),
      .prompt_embeds = at::randn({options.text_tokens, config.joint_attention_dim}, options_on_device),
      .timestep = 500};
  const JointRotary rotary{image_rotary_table(grid, config.axes_dims_rope, device),
                           text_rotary_table(grid, config.axes_dims_rope, options.text_tokens, device)};

  const at::Tensor first = transformer.forward(input, rotary);
  if (!at::isfinite(first).all().item<bool>() || !at::equal(first, transformer.forward(input, rotary))) {
    fmt::print(stderr, "the result is not finite, or differs from one run to the next\n");
    return 1;
  }
  if (!device.is_cpu()) at::accelerator::resetPeakStats(device.index());
  std::vector<double> seconds;
  for (std::int64_t i = 0; i < options.repeat; ++i) {
    wait_for(device);
    const auto start = std::chrono::steady_clock::now();
    transformer.forward(input, rotary);
    wait_for(device);
    seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  std::sort(seconds.begin(), seconds.end());
  const double median = seconds[seconds.size() / 2];
  const double tokens = static_cast<double>(grid.image_tokens() + options.text_tokens);
  const double dim = static_cast<double>(config.inner_dim());
  const double operations =
      static_cast<double>(config.num_layers) * (24 * tokens * dim * dim + 4 * tokens * tokens * dim);
  const double gib = 1024.0 * 1024.0 * 1024.0;
  const double beside = static_cast<double>(allocated_bytes(device, /*peak=*/true) - weight_bytes) / gib;
  if (options.json) {
    const nlohmann::ordered_json json{
        {"resolution", options.resolution},
        {"layers", options.layers},
        {"image_tokens", grid.image_tokens()},
        {"text_tokens", options.text_tokens},
        {"dtype", options.dtype},
        {"seconds", {{"min", seconds.front()}, {"median", median}, {"max", seconds.back()}}},
        {"tflops", operations / median * 1e-12},
        {"weight_gib", static_cast<double>(weight_bytes) / gib},
        {"peak_beside_weights_gib", beside},
        {"load_seconds", load_seconds}};
    fmt::print("{}\n", json.dump());
  } else {
    fmt::print(
        "{} px, {} layers, {} + {} tokens, {}: {:.4f} s (min {:.4f}, max {:.4f}), {:.0f} TFLOP/s, weights "
        "{:.2f} GiB, "
        "peak beside them {:.2f} GiB, made in {:.1f} s\n",
        options.resolution, options.layers, grid.image_tokens(), options.text_tokens, options.dtype, median,
        seconds.front(), seconds.back(), operations / median * 1e-12, static_cast<double>(weight_bytes) / gib,
        beside, load_seconds);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return run(parse(argc, argv));
}
