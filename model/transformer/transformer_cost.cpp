#include "model/transformer/transformer_cost.h"

#include <algorithm>

#include "model/ops/attention.h"
#include "model/ops/tiles.h"

namespace layerpipe::model {
namespace {

constexpr std::int64_t kMlpRatio = 4;
constexpr std::int64_t kWideBytes = sizeof(float);

// Nobody reads the text's result in the last block.
bool is_last(const TransformerConfig& config, std::int64_t block) {
  return block + 1 == config.num_layers;
}

std::int64_t tile_rows(const ComputeTarget& target, std::int64_t rows) {
  return std::min(rows, ops::rows_per_tile(target.device, rows));
}

// One row tile from norm to head norm: the normed rows and, on a CPU, what the plain operations lay between.
std::uint64_t projection_tile_bytes(const TransformerConfig& config, std::int64_t rows,
                                    const ComputeTarget& target) {
  const std::int64_t values = rows * config.inner_dim();
  if (!target.device.is_cpu()) return target.bytes(values);
  // Head norm and rotation: the widened rows, their square or product, both halves turned, joined.
  constexpr std::int64_t kWideRows = 4;
  return target.bytes(values) + static_cast<std::uint64_t>(kWideRows * kWideBytes * values);
}

// One row tile from the attention's result to the end of the MLP: normed rows, hidden layer, its projection.
std::uint64_t mlp_tile_bytes(const TransformerConfig& config, std::int64_t rows,
                             const ComputeTarget& target) {
  const std::int64_t values = rows * config.inner_dim();
  const std::uint64_t tile = target.bytes((kMlpRatio + 2) * values);
  // The gated residual's operands and sum in fp32.
  constexpr std::int64_t kWideRows = 3;
  return target.widens() ? tile + static_cast<std::uint64_t>(kWideRows * kWideBytes * values) : tile;
}

}  // namespace

std::uint64_t stream_bytes(const TransformerConfig& config, const TransformerTokens& tokens,
                           const ComputeTarget& target) {
  return target.bytes(tokens.joint() * config.inner_dim());
}

std::uint64_t block_workspace_bytes(const TransformerConfig& config, const TransformerTokens& tokens,
                                    const ComputeTarget& target) {
  const std::uint64_t whole = target.bytes(tokens.joint() * config.inner_dim());
  const std::int64_t rows = std::max(tile_rows(target, tokens.image), tile_rows(target, tokens.text));
  const std::int64_t tiles =
      (std::max(tokens.image, tokens.text) + rows - 1) / std::max<std::int64_t>(rows, 1);
  const auto at_once = static_cast<std::uint64_t>(target.at_once(tiles));
  const std::uint64_t projecting = 3 * whole + at_once * projection_tile_bytes(config, rows, target);
  const std::uint64_t attending =
      4 * whole + ops::attention_workspace_bytes(tokens.joint(), config.num_attention_heads,
                                                 config.attention_head_dim, target);
  const std::uint64_t finishing = whole + at_once * mlp_tile_bytes(config, rows, target);
  return std::max({projecting, attending, finishing});
}

std::uint64_t block_modulation_bytes(const TransformerConfig& config, const ComputeTarget& target) {
  constexpr std::int64_t kVectors = 12;  // shift, scale, gate, of attention and MLP, of both streams
  return target.bytes(kVectors * config.inner_dim());
}

std::uint64_t head_modulation_bytes(const TransformerConfig& config, const ComputeTarget& target) {
  constexpr std::int64_t kVectors = 2;  // scale, shift
  return target.bytes(kVectors * config.inner_dim());
}

std::uint64_t conditioning_bytes(const TransformerConfig& config, const ComputeTarget& target) {
  return target.bytes(config.inner_dim());
}

std::uint64_t row_making_bytes(const TransformerConfig& config, const ComputeTarget& target) {
  constexpr std::int64_t kLargest = 6;           // a stream's, times the dimension
  constexpr std::int64_t kPieceBytes = 1 << 20;  // of a thread (weights/weights.h)
  return target.bytes(kLargest * config.inner_dim()) +
         static_cast<std::uint64_t>(target.device.is_cpu() ? target.threads * kPieceBytes : 0);
}

std::uint64_t quantised_block_workspace_bytes(const TransformerConfig& config,
                                              const TransformerTokens& tokens, const ComputeTarget& target,
                                              ops::Product product) {
  const std::int64_t rows = std::max(tile_rows(target, tokens.image), tile_rows(target, tokens.text));
  const std::int64_t tiles =
      (std::max(tokens.image, tokens.text) + rows - 1) / std::max<std::int64_t>(rows, 1);
  const std::int64_t dim = config.inner_dim();
  const auto one = [&](std::int64_t in, std::int64_t out) {
    return ops::quantised_workspace_bytes(in, out, rows, target, product);
  };
  return static_cast<std::uint64_t>(target.at_once(tiles)) *
         std::max({one(dim, dim), one(dim, kMlpRatio * dim), one(kMlpRatio * dim, dim)});
}

std::uint64_t rotary_bytes(const TransformerConfig& config, std::int64_t tokens) {
  return static_cast<std::uint64_t>(2 * kWideBytes * tokens * (config.attention_head_dim / 2));
}

std::uint64_t latent_bytes(const TransformerConfig& config, std::int64_t tokens,
                           const ComputeTarget& target) {
  return target.bytes(tokens * config.in_channels);
}

std::uint64_t prompt_bytes(const TransformerConfig& config, std::int64_t text_tokens,
                           const ComputeTarget& target) {
  return target.bytes(text_tokens * config.joint_attention_dim);
}

double block_operations(const TransformerConfig& config, const TransformerTokens& tokens,
                        std::int64_t block) {
  const auto dim = static_cast<double>(config.inner_dim());
  const auto image = static_cast<double>(tokens.image);
  const auto text = static_cast<double>(tokens.text);
  constexpr double kAll = 4 + 2 * kMlpRatio;  // matrices of dim² for a token: q, k, v, out and the MLP
  const double text_matrices = is_last(config, block) ? 2 : kAll;  // keys and values
  return 2 * dim * dim * (kAll * image + text_matrices * text) +
         block_attention_operations(config, tokens, block);
}

double block_attention_operations(const TransformerConfig& config, const TransformerTokens& tokens,
                                  std::int64_t block) {
  const std::int64_t queries = is_last(config, block) ? tokens.image : tokens.joint();
  return 4 * static_cast<double>(queries) * static_cast<double>(tokens.joint()) *
         static_cast<double>(config.inner_dim());
}

double stream_embedder_operations(const TransformerConfig& config, const TransformerTokens& tokens) {
  return 2.0 * static_cast<double>(config.inner_dim()) *
         static_cast<double>(tokens.image * config.in_channels + tokens.text * config.joint_attention_dim);
}

double output_head_operations(const TransformerConfig& config, const TransformerTokens& tokens) {
  return 2.0 * static_cast<double>(tokens.latent * config.inner_dim()) *
         static_cast<double>(config.patch_size * config.patch_size * config.out_channels);
}

}  // namespace layerpipe::model
