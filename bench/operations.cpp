// Where the time of a forward goes: every operation of the transformer on its own, at the shapes that it has
// in one forward.
//
//   bench_operations --resolution 1024 --layers 4
//
// One line an operation: milliseconds of a call, how many calls a forward makes (over all tiles and blocks),
// their sum, and the rate (TFLOP/s of products, counted as two operations per multiply-add; GB/s of the rest,
// each input read once and each output written once). What bench_forward takes beyond the sum are gaps
// between operations and what the operations do to each other's caches and clocks.
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/randn.h>
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <functional>
#include <vector>

#include "bench/command_line.h"
#include "bench/support.h"
#include "model/ops/attention.h"
#include "model/ops/linear.h"
#include "model/ops/ops.h"
#include "model/ops/tiles.h"

namespace {

namespace ops = layerpipe::model::ops;
using ops::Linear;

const at::Device kDevice(at::kCUDA, 0);

struct Options {
  std::int64_t resolution = 1024;
  std::int64_t layers = 4;
  std::int64_t text_tokens = 100;
  std::int64_t repeat = 30;
};

struct Operation {
  const char* name;
  double calls;  // in one forward
  double work;   // of a call: operations of products, bytes of the rest
  bool is_product;
  std::function<void()> run;
};

double seconds_of_call(const Operation& operation, std::int64_t repeat) {
  for (int i = 0; i < 3; ++i) operation.run();
  layerpipe::bench::wait_for(kDevice);
  const auto start = std::chrono::steady_clock::now();
  for (std::int64_t i = 0; i < repeat; ++i) operation.run();
  layerpipe::bench::wait_for(kDevice);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() /
         static_cast<double>(repeat);
}

at::Tensor random(at::IntArrayRef shape) {
  return at::randn(shape, at::TensorOptions().device(at::kCUDA).dtype(at::kBFloat16));
}

Linear random_linear(std::int64_t in, std::int64_t out) {
  return Linear(random({out, in}) * 0.02, random({out}));
}

std::vector<Operation> operations_of_forward(const Options& options) {
  constexpr std::int64_t kDim = 3072;
  constexpr std::int64_t kHeads = 24;
  constexpr std::int64_t kHeadDim = 128;
  constexpr double kBlocks = 60;
  constexpr double kBytes = 2;
  const std::int64_t side = options.resolution / 16;
  const std::int64_t image_tokens = (options.layers + 2) * side * side;
  const std::int64_t tokens = image_tokens + options.text_tokens;
  const std::int64_t tile = ops::rows_per_tile(kDevice, image_tokens);
  const double tiles = static_cast<double>(image_tokens) / static_cast<double>(tile) * kBlocks;
  const double rows = static_cast<double>(tile);

  const at::Tensor x = random({tile, kDim});
  const at::Tensor out = random({tile, kDim});
  const at::Tensor vector = random({kDim});
  const at::Tensor head_weight = random({kHeadDim});
  const at::Tensor heads = random({tile, kHeads, kHeadDim});
  const at::Tensor angle = at::randn({tile, kHeadDim / 2}, at::kCUDA);
  const at::Tensor cos = angle.cos();
  const at::Tensor sin = angle.sin();
  const at::Tensor query = random({tokens, kHeads, kHeadDim});
  const at::Tensor key = random({tokens, kHeads, kHeadDim});
  const at::Tensor value = random({tokens, kHeads, kHeadDim});
  const Linear square = random_linear(kDim, kDim);
  const Linear mlp_in = random_linear(kDim, 4 * kDim);
  const Linear mlp_out = random_linear(4 * kDim, kDim);
  const at::Tensor wide = random({tile, 4 * kDim});
  const double square_work = 2 * rows * kDim * kDim;
  const double row_bytes = rows * kDim * kBytes;
  const auto t = static_cast<double>(tokens);
  return {
      {"attention", kBlocks, 4 * t * t * kDim, true, [=] { ops::full_attention(query, key, value); }},
      {"q, k, v, out", 4 * tiles, square_work, true, [=] { square.apply_into(out, x); }},
      {"MLP in, GELU", tiles, 4 * square_work, true, [=] { mlp_in.apply_gelu(x); }},
      {"MLP out", tiles, 4 * square_work, true, [=] { mlp_out.apply(wide); }},
      {"norm, modulate", 2 * tiles, 2 * row_bytes, false,
       [=] { ops::layer_norm_modulate(x, vector, vector, 1e-6); }},
      {"head norm, rotate", 2 * tiles, 2 * row_bytes, false,
       [=] { ops::rms_norm_rotate_(heads, head_weight, 1e-6, cos, sin); }},
      {"gated residual", 2 * tiles, 3 * row_bytes, false, [=] { ops::gated_residual_(x, vector, out); }},
  };
}

int run_benchmark(int argc, char** argv) {
  Options options;
  layerpipe::bench::CommandLine app(
      "Times the operations of one forward of the full-size transformer, one by one, on a GPU in bf16.");
  app.add("--resolution", options.resolution);
  app.add("--layers", options.layers);
  app.add("--text-tokens", options.text_tokens);
  app.add_positive("--repeat", options.repeat);
  app.parse(argc, argv);
  layerpipe::bench::require_gpu();

  fmt::print("{:<18} {:>9} {:>7} {:>10} {:>8}\n", "operation", "ms a call", "calls", "ms in all", "rate");
  double sum = 0;
  for (const Operation& operation : operations_of_forward(options)) {
    const double seconds = seconds_of_call(operation, options.repeat);
    sum += seconds * operation.calls;
    fmt::print("{:<18} {:>9.3f} {:>7.0f} {:>10.1f} {:>8.0f} {}\n", operation.name, seconds * 1e3,
               operation.calls, seconds * operation.calls * 1e3,
               operation.work / seconds * (operation.is_product ? 1e-12 : 1e-9),
               operation.is_product ? "TFLOP/s" : "GB/s");
  }
  fmt::print("{:<18} {:>9} {:>7} {:>10.1f}\n", "sum", "", "", sum * 1e3);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return layerpipe::bench::guarded("bench_operations", [&] { return run_benchmark(argc, argv); });
}
