// The language model of Qwen2.5-VL as a text encoder: token ids in, last hidden states out.
// Source: transformers, Qwen2_5_VLTextModel.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <span>

#include "common/range.h"
#include "model/config.h"
#include "model/rotary.h"
#include "model/weights/block_weights.h"
#include "model/weights/weights.h"

namespace layerpipe::model {

// One decoder layer's weights.
struct TextLayerWeights {
  at::Tensor input_layernorm;           // [hidden]
  ops::Linear q_proj;                   // [heads · head_dim, hidden]
  ops::Linear k_proj;                   // [kv_heads · head_dim, hidden]
  ops::Linear v_proj;                   // [kv_heads · head_dim, hidden]
  ops::Linear o_proj;                   // [hidden, heads · head_dim], no bias
  at::Tensor post_attention_layernorm;  // [hidden]
  ops::Linear gate_proj;                // [intermediate, hidden], no bias
  ops::Linear up_proj;                  // [intermediate, hidden], no bias
  ops::Linear down_proj;                // [hidden, intermediate], no bias
};

// The store of the language model inside a text encoder's files, under either of the two names in use.
WeightStore language_model_scope(const WeightStore& text_encoder);

TextLayerWeights load_text_layer(const WeightStore& language_model, const TextEncoderConfig& config,
                                 std::int64_t index);

// The computation of a layer; holds no weights.
class TextLayer {
 public:
  explicit TextLayer(const TextEncoderConfig& config);

  // Changes hidden_states [tokens, hidden] in place.
  void forward(const TextLayerWeights& weights, const at::Tensor& hidden_states,
               const RotaryTable& rotary) const;

 private:
  std::int64_t heads_;
  std::int64_t key_value_heads_;
  std::int64_t head_dim_;
  double eps_;
};

// Makes the weights of a part's layers available, after the embedding is looked up and before the norm's are
// loaded.
using MakeTextLayers = std::function<std::unique_ptr<BlockWeights<TextLayerWeights>>()>;

// A run of the layers on one device, with the embedding when the first layer is among them and the final norm
// when the last one is. Used by one thread. The embedding table stays in its file, from which a prompt's rows
// are read.
class TextEncoder {
 public:
  // All layers, held.
  TextEncoder(const WeightStore& store, const TextEncoderConfig& config);
  // Some of them, at least one, held.
  TextEncoder(const WeightStore& store, const TextEncoderConfig& config, const common::Range& layers);
  // Some of them, whose weights come from what `make_layers` gives.
  TextEncoder(const WeightStore& store, const TextEncoderConfig& config, const common::Range& layers,
              const MakeTextLayers& make_layers);

  // Needs the first layer's part: [tokens, hidden_size], compute dtype. Throws InputError for an id outside
  // of the vocabulary, and as WeightStore::get_rows().
  at::Tensor embed(std::span<const std::int64_t> token_ids) const;
  // Changes hidden_states [tokens, hidden_size] in place, on a lease of one layer after the other.
  // `after_layer`, where there is one, is called after each, when its lease has ended.
  void forward_layers(const at::Tensor& hidden_states, const std::function<void()>& after_layer = {}) const;
  // Needs the last layer's part: the final norm.
  at::Tensor norm(const at::Tensor& hidden_states) const;

  // All of it, one after the other; needs all layers. The last hidden states after the final norm, [tokens,
  // hidden_size].
  at::Tensor forward(std::span<const std::int64_t> token_ids) const;

 private:
  TextEncoderConfig config_;
  WeightStore store_;
  TextLayer layer_;
  common::Range layers_;
  std::unique_ptr<BlockWeights<TextLayerWeights>> layer_weights_;
  at::Tensor norm_;  // [hidden]; of the last part
};

}  // namespace layerpipe::model
