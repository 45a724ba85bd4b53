#include "model/transformer/fp8_layers.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string_view>

namespace layerpipe::model {
namespace {

constexpr std::string_view kBlocks = "transformer_blocks.";

enum class Storage { kFp8, kComputeDtype };

// Everything else (embedders, norms, norm_out, proj_out) is small, and every value of the picture goes
// through it.
struct LayerChoice {
  std::string_view layer;  // in a block
  Storage storage;
};
constexpr std::array kChoices{
    LayerChoice{"attn.to_q", Storage::kFp8},               // its errors shrink in the norm of the heads
    LayerChoice{"attn.to_k", Storage::kFp8},               // as to_q
    LayerChoice{"attn.to_v", Storage::kFp8},               // the attention takes means of it
    LayerChoice{"attn.to_out.0", Storage::kFp8},           // a gate makes it small beside the stream
    LayerChoice{"attn.add_q_proj", Storage::kFp8},         // as to_q
    LayerChoice{"attn.add_k_proj", Storage::kFp8},         // as to_k
    LayerChoice{"attn.add_v_proj", Storage::kFp8},         // as to_v
    LayerChoice{"attn.to_add_out", Storage::kFp8},         // as to_out
    LayerChoice{"img_mlp.net.0.proj", Storage::kFp8},      // GELU follows
    LayerChoice{"txt_mlp.net.0.proj", Storage::kFp8},      // GELU follows
    LayerChoice{"txt_mlp.net.2", Storage::kFp8},           // the text stream has no pixels
    LayerChoice{"img_mlp.net.2", Storage::kComputeDtype},  // its inputs have outliers; the most sensitive
    LayerChoice{"img_mod.1", Storage::kComputeDtype},      // it scales whole streams; a table stands for it
    LayerChoice{"txt_mod.1", Storage::kComputeDtype}};     // as img_mod

// A block's number, and the layer in it, of "transformer_blocks.3.attn.to_q.weight".
struct BlockLayer {
  std::int64_t block = 0;
  std::string_view layer;
};

std::optional<BlockLayer> block_layer_of(std::string_view tensor) {
  constexpr std::string_view kWeight = ".weight";
  if (!tensor.starts_with(kBlocks) || !tensor.ends_with(kWeight)) return std::nullopt;
  const std::string_view rest =
      tensor.substr(kBlocks.size(), tensor.size() - kBlocks.size() - kWeight.size());
  BlockLayer found;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), found.block);
  if (error != std::errc() || end == rest.data() + rest.size() || *end != '.') return std::nullopt;
  found.layer = rest.substr(static_cast<std::size_t>(end - rest.data()) + 1);
  return found;
}

const LayerChoice* choice_of(std::string_view layer) {
  const auto found = std::find_if(kChoices.begin(), kChoices.end(),
                                  [&](const LayerChoice& choice) { return choice.layer == layer; });
  return found == kChoices.end() ? nullptr : found;
}

}  // namespace

bool is_fp8_layer(const std::string& tensor, std::int64_t num_layers) {
  const auto found = block_layer_of(tensor);
  if (!found) return false;
  // What comes out of the first block goes through all others, and nothing evens out the last one's errors.
  const bool is_outer = found->block == 0 || found->block + 1 == num_layers;
  const LayerChoice* const choice = choice_of(found->layer);
  return !is_outer && choice != nullptr && choice->storage == Storage::kFp8;
}

bool has_fp8_layers(std::int64_t num_layers) {
  return num_layers > 2;
}

bool is_block_linear(const std::string& tensor) {
  const auto found = block_layer_of(tensor);
  return found && choice_of(found->layer) != nullptr && !found->layer.ends_with("_mod.1");
}

}  // namespace layerpipe::model
