// The full-size transformer with random weights, and one input for it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "bench/command_line.h"
#include "model/transformer/modulation_table.h"
#include "model/transformer/transformer.h"

namespace layerpipe::bench {

struct ForwardOptions {
  std::int64_t resolution = 1024;
  std::int64_t layers = 4;
  std::int64_t text_tokens = 100;
  std::int64_t blocks = 60;
  std::string device = "cuda";
  std::string dtype = "bf16";
};
void add_forward_options(CommandLine& app, ForwardOptions& options);

class ForwardCase {
 public:
  explicit ForwardCase(const ForwardOptions& options);

  // The prediction, [latent_tokens, 64].
  at::Tensor forward() const { return transformer_.forward(input_, modulation_.row(kTimestep), rotary_); }

  // Whether the prediction is finite, and the same bits twice.
  bool is_right() const;

  // Multiply-adds of the matrix products of both streams and of the attention, times two:
  //   blocks · (24 · tokens · dim² + 4 · tokens² · dim), tokens = image + text.
  double operations() const;

  const model::TokenGrid& grid() const { return grid_; }
  const at::Device& device() const { return device_; }

 private:
  static constexpr float kTimestep = 500;

  at::Device device_;
  model::TransformerConfig config_;
  model::TokenGrid grid_;
  std::int64_t text_tokens_;
  model::ModulationTable modulation_;
  model::Transformer transformer_;
  model::TransformerInput input_;
  model::JointRotary rotary_;
};

}  // namespace layerpipe::bench
