// How fast weights come from the page cache to the device: the way that a network loads them, values checked.
//
//   bench_loading --folder /tmp --gib 8
//
// Writes a safetensors file of random values there, reads it once so that it lies in the page cache, then
// loads it several times through a WeightStore; once for comparison by plain copies. GB are 10^9 bytes. The
// file is removed. What arrives is compared with what was written.
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/equal.h>
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "bench/command_line.h"
#include "bench/support.h"
#include "model/weights/safetensors.h"
#include "model/weights/weights.h"

namespace {

namespace bench = layerpipe::bench;
namespace model = layerpipe::model;

// The largest matrix of a transformer block, and a small vector behind it, as in the real files.
constexpr std::int64_t kIn = 3072;
constexpr std::int64_t kOut = 12288;
constexpr std::int64_t kMatrixBytes = 2 * kIn * kOut;

struct Options {
  std::filesystem::path folder = std::filesystem::temp_directory_path();
  std::int64_t gib = 8;
  std::int64_t repeat = 3;
  std::string device = "cuda";
};

// Removes its file when it goes.
struct TemporaryWeights {
  explicit TemporaryWeights(const Options& options)
      : folder(options.folder / "layerpipe_bench_loading"), matrices((options.gib << 30) / kMatrixBytes) {
    std::filesystem::create_directories(folder);
    std::map<std::string, at::Tensor> tensors;
    for (std::int64_t i = 0; i < matrices; ++i) {
      const model::RandomTensorSource random(std::to_string(i), at::kBFloat16);
      tensors[fmt::format("{}.weight", i)] = random.read("weight", {kOut, kIn});
      tensors[fmt::format("{}.bias", i)] = random.read("bias", {kOut});
    }
    model::write_safetensors(folder / "model.safetensors", tensors);
  }
  ~TemporaryWeights() {
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }
  std::filesystem::path folder;
  std::int64_t matrices;
};

int run(const Options& options) {
  const at::Device device = bench::device_of(options.device);
  const TemporaryWeights weights(options);
  const auto source = std::make_shared<model::SafetensorsSource>(weights.folder, "model");
  const model::WeightStore store(source, device, at::kBFloat16);
  const auto load_all = [&](const auto& load) {
    std::vector<at::Tensor> kept;
    for (std::int64_t i = 0; i < weights.matrices; ++i) {
      kept.push_back(load(fmt::format("{}.weight", i), std::vector<std::int64_t>{kOut, kIn}));
      kept.push_back(load(fmt::format("{}.bias", i), std::vector<std::int64_t>{kOut}));
    }
    return kept;
  };
  const auto through_store = [&](const std::string& name, const std::vector<std::int64_t>& shape) {
    return store.get(name, shape);
  };
  const auto plain = [&](const std::string& name, const std::vector<std::int64_t>& shape) {
    return source->read(name, shape).to(device);
  };
  const std::string last = fmt::format("{}.weight", weights.matrices - 1);
  if (!at::equal(store.get(last, {kOut, kIn}).cpu(), source->read(last, {kOut, kIn}))) {
    fmt::print(stderr, "what was loaded is not what the file holds\n");
    return 1;
  }
  const double bytes = static_cast<double>(weights.matrices * (kMatrixBytes + 2 * kOut));
  const auto report = [&](const char* way, const bench::Timing& timing) {
    const nlohmann::ordered_json json{{"way", way},
                                      {"gb", bytes * 1e-9},
                                      {"seconds", bench::to_json(timing)},
                                      {"gb_per_second", bytes / timing.median * 1e-9}};
    fmt::print("{}\n", json.dump());
  };
  report("plain copies", bench::time_calls(device, options.repeat, [&] { load_all(plain); }));
  report("weight store, one by one",
         bench::time_calls(device, options.repeat, [&] { load_all(through_store); }));
  const auto as_a_network_does = [&] {
    const model::WeightStore later = model::WeightStore(source, device, at::kBFloat16).arriving_later();
    const std::vector<at::Tensor> kept =
        load_all([&](const std::string& name, const std::vector<std::int64_t>& shape) {
          return later.get(name, shape);
        });
    later.check();
  };
  report("weight store, as a network does",
         bench::time_calls(device, options.repeat, [&] { as_a_network_does(); }));
  return 0;
}

int run_benchmark(int argc, char** argv) {
  Options options;
  bench::CommandLine app("Times the loading of weights from the page cache.");
  app.add("--folder", options.folder, "Where to write the file to load");
  app.add_positive("--gib", options.gib);
  app.add_positive("--repeat", options.repeat);
  app.add_device(options.device);
  app.parse(argc, argv);
  return run(options);
}

}  // namespace

int main(int argc, char** argv) {
  return layerpipe::bench::guarded("bench_loading", [&] { return run_benchmark(argc, argv); });
}
