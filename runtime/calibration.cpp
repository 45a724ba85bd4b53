#include "runtime/calibration.h"

#include <ATen/Functions.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "model/transformer/transformer_block.h"
#include "runtime/clock.h"
#include "runtime/device.h"
#include "runtime/memory.h"

namespace layerpipe::runtime {
namespace {

using model::TransformerTokens;

// Neither the first nor the last, where the text's result is not read.
constexpr std::int64_t kBlock = 0;
constexpr int kRuns = 3;

// What a run may take: a few hundredths of a second of an H200, or of one core of a CPU.
double most_operations(const model::ComputeTarget& target) {
  return target.device.is_cpu() ? 1e9 * static_cast<double>(target.threads) : 8e12;
}

// Fewer of the tokens, in the same proportion; not so few that the tiles of the threads are not filled.
TransformerTokens sample_of(const model::TransformerConfig& config, TransformerTokens tokens,
                            const model::ComputeTarget& target) {
  const std::int64_t fewest = 128 * (target.device.is_cpu() ? target.threads : 16);
  while (tokens.image / 2 >= fewest && block_operations(config, tokens, kBlock) > most_operations(target)) {
    tokens.image /= 2;
    tokens.text = (tokens.text + 1) / 2;
  }
  return tokens;
}

// A block whose matrices all lie in one of random numbers. (Products of zeros or ones are faster on a GPU.)
class SampleBlock {
 public:
  SampleBlock(const model::TransformerConfig& config, const TransformerTokens& tokens,
              const model::ComputeTarget& target)
      : block_(config), options_(at::TensorOptions().device(target.device).dtype(target.dtype)) {
    const std::int64_t dim = config.inner_dim();
    const at::Tensor numbers =
        at::randn({6 * dim, dim}, options_).mul_(1 / std::sqrt(static_cast<double>(dim)));
    const auto linear = [&](std::int64_t out, std::int64_t in, std::int64_t first_row) -> model::Linear {
      return {numbers.narrow(0, first_row, out * in / dim).view({out, in}), at::zeros({out}, options_)};
    };
    const at::Tensor head_norm = at::ones({config.attention_head_dim}, options_);
    const model::StreamWeights stream{.modulation = linear(6 * dim, dim, 0),
                                      .to_q = linear(dim, dim, 0),
                                      .to_k = linear(dim, dim, dim),
                                      .to_v = linear(dim, dim, 2 * dim),
                                      .norm_q = head_norm,
                                      .norm_k = head_norm,
                                      .to_out = linear(dim, dim, 3 * dim),
                                      .mlp_in = linear(4 * dim, dim, 0),
                                      .mlp_out = linear(dim, 4 * dim, 2 * dim)};
    weights_ = {.image = stream, .text = stream};
    streams_ = {at::randn({tokens.image, dim}, options_), at::randn({tokens.text, dim}, options_)};
    conditioning_ = at::randn({1, dim}, options_);
    rotary_ = {rotary_of(tokens.image, config), rotary_of(tokens.text, config)};
  }

  struct Seconds {
    double attention = 0;
    double rest = 0;
  };
  Seconds run() {
    const at::Device device = options_.device();
    Seconds seconds;
    const auto attention = [&](const at::Tensor& query, const at::Tensor& key, const at::Tensor& value) {
      wait_for(device);
      const double begin = now();
      at::Tensor attended = model::ops::full_attention(query, key, value);
      wait_for(device);
      seconds.attention = now() - begin;
      return attended;
    };
    wait_for(device);
    const double begin = now();
    block_.forward(weights_, streams_, conditioning_, rotary_, attention);
    wait_for(device);
    seconds.rest = now() - begin - seconds.attention;
    return seconds;
  }

 private:
  model::RotaryTable rotary_of(std::int64_t tokens, const model::TransformerConfig& config) const {
    const at::Tensor angles = at::rand({tokens, config.attention_head_dim / 2}, options_.dtype(at::kFloat));
    return {angles.cos(), angles.sin()};
  }

  model::TransformerBlock block_;
  at::TensorOptions options_;
  model::TransformerBlockWeights weights_;
  model::Streams streams_;
  at::Tensor conditioning_;
  model::JointRotary rotary_;
};

double middle(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

double measure(const model::TransformerConfig& config, const TransformerTokens& tokens,
               const model::ComputeTarget& target) {
  const TransformerTokens sample = sample_of(config, tokens, target);
  SampleBlock block(config, sample, target);
  block.run();  // libraries choose their kernels
  std::vector<double> attention;
  std::vector<double> rest;
  for (int run = 0; run < kRuns; ++run) {
    const SampleBlock::Seconds seconds = block.run();
    attention.push_back(seconds.attention);
    rest.push_back(seconds.rest);
  }
  const auto attention_part = [&](const TransformerTokens& some) {
    return block_attention_operations(config, some, kBlock);
  };
  const auto rest_part = [&](const TransformerTokens& some) {
    return block_operations(config, some, kBlock) - attention_part(some);
  };
  const double seconds = middle(attention) * attention_part(tokens) / attention_part(sample) +
                         middle(rest) * rest_part(tokens) / rest_part(sample);
  return block_operations(config, tokens, kBlock) / seconds;
}

}  // namespace

double measure_operations_per_second(const model::TransformerConfig& config, const TransformerTokens& tokens,
                                     const model::ComputeTarget& target) {
  double speed = 0;
  try {
    speed = measure(config, tokens, target);
  } catch (const c10::OutOfMemoryError&) {
    // Whether the model fits is for the plan to say.
  }
  release_unused(target.device);
  return speed;
}

}  // namespace layerpipe::runtime
