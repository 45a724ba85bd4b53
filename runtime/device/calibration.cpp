#include "runtime/device/calibration.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>

#include "common/clock.h"
#include "model/ops/tiles.h"
#include "model/transformer/transformer_block.h"
#include "model/weights/tensor_source.h"
#include "model/weights/uploader.h"
#include "runtime/device/device.h"
#include "runtime/device/memory.h"
#include "runtime/device/overhead.h"

namespace layerpipe::runtime {
namespace {

using model::TransformerTokens;

constexpr std::int64_t kBlock = 0;  // any but the last, where the text's result is not read
// On a CPU, where other programs make some runs longer, the quickest of these counts.
constexpr int kRuns = 3;
constexpr double kLongSeconds = 0.5;  // after which no more is measured
// A GPU is quickest while it is cold: its clocks fall to what its power allows. The second half of this
// counts.
constexpr double kSustainedSeconds = 1;

// The most operations that one run makes.
double most_operations(const model::ComputeTarget& target) {
  return target.device.is_cpu() ? 4e9 * static_cast<double>(target.threads) : 4e13;
}

// A block whose matrices all lie in one of random numbers. (Products of zeros or ones are faster on a GPU.)
class SampleBlock {
 public:
  SampleBlock(const model::TransformerConfig& config, const TransformerTokens& tokens,
              const model::ComputeTarget& target, const BlockProduct& product)
      : block_(config), options_(at::TensorOptions().device(target.device).dtype(target.compute_dtype)) {
    const std::int64_t dim = config.inner_dim();
    const at::Tensor numbers =
        at::randn({kMatrixRows * dim, dim}, options_).mul_(1 / std::sqrt(static_cast<double>(dim)));
    const auto wide_linear = [&](std::int64_t out, std::int64_t in, std::int64_t first_row) {
      return model::ops::Linear(numbers.narrow(0, first_row, out * in / dim).view({out, in}),
                                at::zeros({out}, options_));
    };
    model::ops::QuantisedRows quantised;
    if (product) quantised = model::ops::quantise_rows(numbers);
    const auto linear = [&](std::int64_t out, std::int64_t in, std::int64_t first_row) {
      if (!product) return wide_linear(out, in, first_row);
      const at::Tensor codes = quantised.values.narrow(0, first_row, out * in / dim).view({out, in});
      return model::ops::Linear(model::ops::QuantisedWeight{.values = codes,
                                                            .scale = quantised.scale.narrow(0, 0, out),
                                                            .rotation = {},
                                                            .product = *product},
                                at::zeros({out}, options_));
    };
    const at::Tensor head_norm = at::ones({config.attention_head_dim}, options_);
    const model::StreamWeights stream{.to_q = linear(dim, dim, 0),
                                      .to_k = linear(dim, dim, dim),
                                      .to_v = linear(dim, dim, 2 * dim),
                                      .norm_q = head_norm,
                                      .norm_k = head_norm,
                                      .to_out = linear(dim, dim, 3 * dim),
                                      .mlp_in = linear(4 * dim, dim, 0),
                                      .mlp_out = linear(dim, 4 * dim, 2 * dim)};
    model::StreamWeights image = stream;
    image.mlp_out = wide_linear(dim, 4 * dim, 2 * dim);  // stays as it is in fp8 as well
    weights_ = {.image = image, .text = stream, .text_result_is_read = kBlock + 1 < config.num_layers};
    streams_ = {at::randn({tokens.image, dim}, options_), at::randn({tokens.text, dim}, options_)};
    const auto modulation = [&]() -> model::Modulation {
      return {at::randn({dim}, options_), at::randn({dim}, options_), at::randn({dim}, options_)};
    };
    modulation_ = {{modulation(), modulation()}, {modulation(), modulation()}};
    rotary_ = {rotary_of(tokens.image, config), rotary_of(tokens.text, config)};
  }

  // Of what the constructor and run() take at most.
  static std::uint64_t bytes(const model::TransformerConfig& config, const TransformerTokens& tokens,
                             const model::ComputeTarget& target, const BlockProduct& product) {
    const std::int64_t numbers = kMatrixRows * config.inner_dim() * config.inner_dim();
    const std::uint64_t quantised =
        product ? static_cast<std::uint64_t>(numbers) +
                      quantised_block_workspace_bytes(config, tokens, target, *product)
                : 0;
    return target.bytes(numbers) + quantised + stream_bytes(config, tokens, target) +
           block_modulation_bytes(config, target) + block_workspace_bytes(config, tokens, target) +
           2 * rotary_bytes(config, tokens.joint());
  }

  BlockSeconds run() {
    const at::Device device = options_.device();
    BlockSeconds seconds;
    const auto attention = [&](const at::Tensor& query, const at::Tensor& key, const at::Tensor& value) {
      wait_for(device);
      const double begin = common::now();
      at::Tensor attended = model::ops::full_attention(query, key, value);
      wait_for(device);
      seconds.attention = common::now() - begin;
      return attended;
    };
    wait_for(device);
    const double begin = common::now();
    block_.forward(weights_, streams_, modulation_, rotary_, attention);
    wait_for(device);
    seconds.rest = common::now() - begin - seconds.attention;
    return seconds;
  }

 private:
  static constexpr std::int64_t kMatrixRows = 6;  // times the dimension: as far as the MLP's second one goes

  model::RotaryTable rotary_of(std::int64_t tokens, const model::TransformerConfig& config) const {
    const at::Tensor angles = at::rand({tokens, config.attention_head_dim / 2}, options_.dtype(at::kFloat));
    return {angles.cos(), angles.sin()};
  }

  model::TransformerBlock block_;
  at::TensorOptions options_;
  model::TransformerBlockWeights weights_;
  model::Streams streams_;
  model::BlockModulation modulation_;
  model::JointRotary rotary_;
};

BlockSeconds quickest(const std::function<BlockSeconds()>& run) {
  const double begin = common::now();
  BlockSeconds least = run();
  for (int runs = 1; runs < kRuns && common::now() - begin < kLongSeconds; ++runs) {
    const BlockSeconds seconds = run();
    least.attention = std::min(least.attention, seconds.attention);
    least.rest = std::min(least.rest, seconds.rest);
  }
  return least;
}

BlockSeconds sustained(const std::function<BlockSeconds()>& run) {
  const double begin = common::now();
  while (common::now() - begin < kSustainedSeconds / 2) run();
  BlockSeconds sum;
  int runs = 0;
  for (; runs == 0 || common::now() - begin < kSustainedSeconds; ++runs) {
    const BlockSeconds seconds = run();
    sum.attention += seconds.attention;
    sum.rest += seconds.rest;
  }
  return {sum.attention / runs, sum.rest / runs};
}

BlockSeconds measure(SampleBlock& block, const at::Device& device,
                     const std::function<void()>& report_progress) {
  const auto run = [&] {
    const BlockSeconds seconds = block.run();
    if (report_progress) report_progress();
    return seconds;
  };
  run();  // libraries load and choose their kernels
  return device.is_cpu() ? quickest(run) : sustained(run);
}

}  // namespace

TransformerTokens sample_tokens(const model::TransformerConfig& config, const TransformerTokens& tokens,
                                const model::ComputeTarget& target) {
  const std::int64_t round =
      target.device.is_cpu() ? target.threads * model::ops::rows_per_tile(target.device, tokens.image) : 1;
  TransformerTokens sample = tokens;
  for (std::int64_t parts = 2; block_operations(config, sample, kBlock) > most_operations(target);
       parts *= 2) {
    const std::int64_t image = tokens.image / parts / round * round;
    if (image == 0) break;
    sample = {.latent = std::max<std::int64_t>(tokens.latent * image / tokens.image, 1),
              .image = image,
              .text = std::max<std::int64_t>(tokens.text / parts, 1)};
  }
  return sample;
}

double operations_per_second(const model::TransformerConfig& config, const TransformerTokens& tokens,
                             const TransformerTokens& sample, const BlockSeconds& seconds) {
  const auto attention = [&](const TransformerTokens& some) {
    return block_attention_operations(config, some, kBlock);
  };
  const auto rest = [&](const TransformerTokens& some) {
    return block_operations(config, some, kBlock) - attention(some);
  };
  const double predicted =
      seconds.attention * attention(tokens) / attention(sample) + seconds.rest * rest(tokens) / rest(sample);
  return block_operations(config, tokens, kBlock) / predicted;
}

double measure_operations_per_second(const model::TransformerConfig& config, const TransformerTokens& tokens,
                                     const model::ComputeTarget& target, const BlockProduct& product,
                                     std::uint64_t free_bytes, const std::function<void()>& report_progress) {
  const TransformerTokens sample = sample_tokens(config, tokens, target);
  // Whether the model fits is for the plan to say.
  if (first_use_bytes(target.device) + SampleBlock::bytes(config, sample, target, product) > free_bytes)
    return 0;
  double speed = 0;
  try {
    SampleBlock block(config, sample, target, product);
    if (report_progress) report_progress();
    speed = operations_per_second(config, tokens, sample, measure(block, target.device, report_progress));
  } catch (const c10::OutOfMemoryError&) {
    // Another program was faster.
  }
  release_unused(target.device);
  return speed;
}

double measure_load_bytes_per_second(const at::Device& device, std::uint64_t free_bytes,
                                     const std::function<void()>& report_progress) {
  constexpr std::int64_t kBytes = 64 << 20;
  double speed = 0;
  if (free_bytes < 4 * static_cast<std::uint64_t>(kBytes)) return speed;
  try {
    const at::Tensor host = at::zeros({kBytes}, at::kByte);
    const auto copy = [&, from = static_cast<const std::byte*>(host.const_data_ptr())](
                          std::int64_t begin, std::span<std::byte> to) {
      std::memcpy(to.data(), from + begin, to.size());
      if (report_progress) report_progress();
    };
    const at::Tensor on_cpu = device.is_cpu() ? at::zeros({kBytes}, at::kByte) : at::Tensor();
    std::optional<model::Uploader> uploader;
    if (!device.is_cpu()) uploader.emplace(device);
    double least = std::numeric_limits<double>::infinity();
    const double first = common::now();
    for (int run = 0; run == 0 || (run < kRuns && common::now() - first < kLongSeconds); ++run) {
      const double begin = common::now();
      if (uploader) {
        const at::Tensor there = uploader->upload({kBytes}, at::kByte, copy);
        wait_for_computing(device);
      } else {
        model::read_in_parts(
            {static_cast<std::byte*>(on_cpu.mutable_data_ptr()), static_cast<std::size_t>(kBytes)}, copy);
      }
      least = std::min(least, common::now() - begin);
    }
    speed = static_cast<double>(kBytes) / least;
  } catch (const c10::Error&) {
    // There is not so much memory: on a CPU that is no OutOfMemoryError.
  }
  release_unused(device);
  return speed;
}

}  // namespace layerpipe::runtime
