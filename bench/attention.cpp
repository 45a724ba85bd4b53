// Attention on a Hopper GPU: LibTorch's (cuDNN's kernel) and this project's, each for some seconds in turn.
//
//   bench_attention --tokens 24676 --heads 24 --head-dim 128 --seconds 10
//
// Before that, for this and for odd numbers of tokens: both against float64, and the same bits twice. A GPU
// is limited by its power, so rates are those of the second half of each turn.
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/softmax.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <limits>

#include "bench/command_line.h"
#include "bench/support.h"
#include "bench/sustained.h"
#include "common/errors.h"
#include "model/kernels/flash_attention.h"
#include "model/ops/attention.h"

namespace {

namespace bench = layerpipe::bench;
namespace model = layerpipe::model;

const at::Device kDevice(at::kCUDA, 0);

struct Case {
  at::Tensor query, key, value;  // [tokens, heads, head_dim]
};

Case random_case(std::int64_t queries, std::int64_t keys, std::int64_t heads, std::int64_t head_dim) {
  const auto random = [&](std::int64_t tokens) {
    return at::randn({tokens, heads, head_dim}, at::TensorOptions().device(kDevice).dtype(at::kBFloat16));
  };
  return {random(queries), random(keys), random(keys)};
}

using Attention = std::function<at::Tensor(const Case&)>;

at::Tensor by_cudnn(const Case& x) {
  return model::ops::full_attention(x.query, x.key, x.value);
}

at::Tensor by_flash(const Case& x) {
  // What is not written shows.
  at::Tensor out = at::full({x.query.size(0), x.query.size(1) * x.query.size(2)},
                            std::numeric_limits<double>::quiet_NaN(), x.query.options());
  model::kernels::flash_attention(out, x.query, x.key, x.value);
  return out;
}

// Of some heads, in float64 from the same values.
double relative_error(const Case& x, const at::Tensor& out) {
  const std::int64_t heads = x.query.size(1);
  const std::int64_t head_dim = x.query.size(2);
  constexpr std::int64_t kMostQueries = 256;
  const std::int64_t step = std::max<std::int64_t>(1, x.query.size(0) / kMostQueries);
  double worst = 0;
  for (const std::int64_t head : {std::int64_t{0}, heads - 1}) {
    const auto of_head = [&](const at::Tensor& tensor) { return tensor.select(1, head).to(at::kDouble); };
    const at::Tensor query = of_head(x.query).slice(0, 0, std::nullopt, step);
    const at::Tensor scores =
        at::matmul(query, of_head(x.key).t()) / std::sqrt(static_cast<double>(head_dim));
    const at::Tensor truth = at::matmul(at::softmax(scores, 1), of_head(x.value));
    const at::Tensor found =
        out.view({-1, heads, head_dim}).select(1, head).slice(0, 0, std::nullopt, step).to(at::kDouble);
    const at::Tensor error =
        at::linalg_vector_norm(found - truth, 2, 1) / at::linalg_vector_norm(truth, 2, 1);
    const double largest = error.max().item<double>();
    worst = std::isnan(largest) ? largest : std::max(worst, largest);
    if (std::isnan(worst)) return worst;
  }
  return worst;
}

// Whether the kernel is as near to the truth as cuDNN's, and the same twice.
bool is_right(std::int64_t queries, std::int64_t keys, std::int64_t heads, std::int64_t head_dim) {
  const Case x = random_case(queries, keys, heads, head_dim);
  const at::Tensor out = by_flash(x);
  const double error = relative_error(x, out);
  const double of_cudnn = relative_error(x, by_cudnn(x));
  const bool is_same = at::equal(out, by_flash(x));
  constexpr double kMost = 1.2;
  const bool holds = error <= kMost * of_cudnn + 1e-3 && is_same;
  fmt::print("{} x {} tokens, {} x {}: largest relative error of a row {:.2e}, cuDNN {:.2e}{}{}\n", queries,
             keys, heads, head_dim, error, of_cudnn, is_same ? "" : ", OTHER BITS the second time",
             holds ? "" : "  WRONG");
  std::fflush(stdout);
  return holds;
}

// TFLOP/s, sustained.
double rate(const Case& x, const Attention& attention, double seconds) {
  const double operations = 4.0 * static_cast<double>(x.query.size(0)) * static_cast<double>(x.key.size(0)) *
                            static_cast<double>(x.query.size(1) * x.query.size(2));
  constexpr int kCallsAtATime = 20;
  const bench::Sustained timed = bench::time_sustained(kDevice, seconds, [&] {
    for (int i = 0; i < kCallsAtATime; ++i) attention(x);
  });
  return kCallsAtATime * operations / timed.timing.median * 1e-12;
}

int run_benchmark(int argc, char** argv) {
  std::int64_t tokens = 24676;
  std::int64_t heads = 24;
  std::int64_t head_dim = 128;
  std::int64_t seconds = 10;
  std::int64_t rounds = 2;
  bench::CommandLine app("Compares the kernels of attention on a Hopper GPU.");
  app.add_positive("--tokens", tokens);
  app.add_positive("--heads", heads);
  app.add_positive("--head-dim", head_dim);
  app.add_positive("--seconds", seconds);
  app.add_positive("--rounds", rounds);
  app.parse(argc, argv);
  bench::require_gpu();
  const Case small = random_case(8, 8, heads, head_dim);
  if (!model::kernels::takes_flash_attention(small.query, small.key, small.value)) {
    throw layerpipe::common::InputError("this build's attention does not run on this GPU",
                                        "It is for compute capability 9.0 and heads of 64 or 128.");
  }
  bool all_right = true;
  for (const std::int64_t count : {1, 63, 64, 127, 129, 175, 176, 177, 352, 353, 4001})
    all_right &= is_right(count, count, heads, head_dim);
  all_right &= is_right(130, 4001, heads, head_dim);
  all_right &= is_right(4001, 3, heads, head_dim);
  all_right &= is_right(tokens, tokens, heads, head_dim);
  if (!all_right) return 1;
  const Case x = random_case(tokens, tokens, heads, head_dim);
  const at::Tensor out = at::empty({tokens, heads * head_dim}, x.query.options());
  const Attention flash = [&](const Case& y) {
    model::kernels::flash_attention(out, y.query, y.key, y.value);
    return out;
  };
  for (std::int64_t round = 0; round < rounds; ++round) {
    const double cudnn = rate(x, by_cudnn, static_cast<double>(seconds));
    const double ours = rate(x, flash, static_cast<double>(seconds));
    fmt::print("{} tokens, {} heads of {}: cuDNN {:.0f} TFLOP/s, this kernel {:.0f}\n", tokens, heads,
               head_dim, cudnn, ours);
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return bench::guarded("bench_attention", [&] { return run_benchmark(argc, argv); });
}
