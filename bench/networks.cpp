// The text encoder and the VAE at full size with random weights: seconds and peak memory of each.
//
//   bench_networks --resolution 1024 --layers 4
//
// One JSON object a line: the text encoder on one prompt, the VAE encoder on one picture, the VAE decoder on
// all layers of one. Each result is checked before anything is timed: finite, and the same bits twice.
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/randn.h>
#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <vector>

#include "bench/command_line.h"
#include "bench/support.h"
#include "model/text_encoder/text_encoder.h"
#include "model/vae/vae.h"
#include "model/weights/tensor_source.h"

namespace {

namespace bench = layerpipe::bench;
using namespace layerpipe::model;

struct Options {
  std::int64_t resolution = 1024;
  std::int64_t layers = 4;
  std::int64_t text_tokens = 134;  // 100 of them behind the template
  std::int64_t repeat = 10;
  std::string device = "cuda";
  std::string dtype = "bf16";
};

class NetworkBench {
 public:
  explicit NetworkBench(const Options& options)
      : options_(options), device_(bench::device_of(options.device)), dtype_(bench::dtype_of(options.dtype)) {
    vae_.input_channels = 4;
  }

  bool run() const {
    const std::int64_t side = options_.resolution;
    bool is_right = true;
    {
      const TextEncoder encoder(store("text_encoder"), TextEncoderConfig{});
      std::vector<std::int64_t> ids;
      for (std::int64_t i = 0; i < options_.text_tokens; ++i) ids.push_back(1000 + 7 * i);
      is_right &= measure("text encoder", [&] { return encoder.forward(ids); });
    }
    {
      const VaeEncoder encoder(store("vae"), vae_);
      const at::Tensor picture = random({1, 4, side, side}).clamp(-1, 1);
      is_right &= measure("VAE encoder", [&] { return encoder.forward(picture); });
    }
    const VaeDecoder decoder(store("vae"), vae_);
    const at::Tensor latents = random({options_.layers, vae_.z_dim, side / 8, side / 8});
    return measure("VAE decoder", [&] { return decoder.forward(latents); }) && is_right;
  }

 private:
  WeightStore store(const char* component) const {
    return {std::make_shared<RandomTensorSource>(component, at::kBFloat16), device_, dtype_};
  }
  at::Tensor random(at::IntArrayRef shape) const {
    at::manual_seed(1);
    return at::randn(shape, at::TensorOptions().device(device_).dtype(dtype_));
  }
  bool measure(const char* name, const std::function<at::Tensor()>& forward) const {
    if (const at::Tensor first = forward();
        !at::isfinite(first).all().item<bool>() || !at::equal(first, forward())) {
      fmt::print(stderr, "{}: the result is not finite, or differs from one run to the next\n", name);
      return false;
    }
    const std::int64_t before = bench::allocated_bytes(device_);
    bench::reset_peak(device_);
    const bench::Timing timing = bench::time_calls(device_, options_.repeat, [&] { forward(); });
    const nlohmann::ordered_json json{
        {"program", "layerpipe"},
        {"network", name},
        {"resolution", options_.resolution},
        {"layers", options_.layers},
        {"seconds", bench::to_json(timing)},
        {"before_gib", bench::to_gib(before)},
        {"peak_beside_weights_gib", bench::to_gib(bench::peak_bytes(device_) - before)}};
    fmt::print("{}\n", json.dump());
    return true;
  }

  Options options_;
  at::Device device_;
  at::ScalarType dtype_;
  VaeConfig vae_;
};

int run_benchmark(int argc, char** argv) {
  Options options;
  bench::CommandLine app("Times the text encoder and the VAE at full size with random weights.");
  app.add("--resolution", options.resolution);
  app.add("--layers", options.layers);
  app.add("--text-tokens", options.text_tokens);
  app.add_positive("--repeat", options.repeat);
  app.add_device(options.device);
  app.add_dtype(options.dtype);
  app.parse(argc, argv);
  return NetworkBench(options).run() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  return layerpipe::bench::guarded("bench_networks", [&] { return run_benchmark(argc, argv); });
}
