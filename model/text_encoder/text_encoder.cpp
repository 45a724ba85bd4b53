#include "model/text_encoder/text_encoder.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include "common/errors.h"
#include "model/ops/attention.h"
#include "model/ops/ops.h"
#include "model/ops/tiles.h"

namespace layerpipe::model {
namespace {

constexpr const char* kEmbedding = "embed_tokens.weight";

}  // namespace

WeightStore language_model_scope(const WeightStore& text_encoder) {
  // "model.layers.0…" in the published checkpoints, "model.language_model.layers.0…" in files that newer
  // versions of transformers write.
  const WeightStore newer = text_encoder.scope("model.language_model");
  return newer.contains("norm.weight") ? newer : text_encoder.scope("model");
}

TextLayerWeights load_text_layer(const WeightStore& language_model, const TextEncoderConfig& config,
                                 std::int64_t index) {
  const WeightStore layer = language_model.scope("layers", index);
  const std::int64_t hidden = config.hidden_size;
  const std::int64_t keys = config.num_key_value_heads * config.head_dim();
  const WeightStore attention = layer.scope("self_attn");
  const WeightStore mlp = layer.scope("mlp");
  return {.input_layernorm = layer.get("input_layernorm.weight", {hidden}),
          .q_proj = load_linear(attention, "q_proj", hidden, hidden),
          .k_proj = load_linear(attention, "k_proj", hidden, keys),
          .v_proj = load_linear(attention, "v_proj", hidden, keys),
          .o_proj = load_linear(attention, "o_proj", hidden, hidden, Bias::kNo),
          .post_attention_layernorm = layer.get("post_attention_layernorm.weight", {hidden}),
          .gate_proj = load_linear(mlp, "gate_proj", hidden, config.intermediate_size, Bias::kNo),
          .up_proj = load_linear(mlp, "up_proj", hidden, config.intermediate_size, Bias::kNo),
          .down_proj = load_linear(mlp, "down_proj", config.intermediate_size, hidden, Bias::kNo)};
}

TextLayer::TextLayer(const TextEncoderConfig& config)
    : heads_(config.num_attention_heads),
      key_value_heads_(config.num_key_value_heads),
      head_dim_(config.head_dim()),
      eps_(config.rms_norm_eps) {}

void TextLayer::forward(const TextLayerWeights& weights, const at::Tensor& hidden_states,
                        const RotaryTable& rotary) const {
  const std::int64_t tokens = hidden_states.size(0);
  const at::Device device = hidden_states.device();
  const auto allocate = [&](std::int64_t heads) {
    return at::empty({tokens, heads, head_dim_}, hidden_states.options());
  };
  const at::Tensor query = allocate(heads_);
  const at::Tensor key = allocate(key_value_heads_);
  const at::Tensor value = allocate(key_value_heads_);

  ops::for_each_row_tile(device, tokens, [&](common::Range rows) {
    const auto tile = [&](const at::Tensor& x) { return x.narrow(0, rows.begin, rows.size()); };
    const at::Tensor normed = ops::rms_norm(tile(hidden_states), weights.input_layernorm, eps_);
    const auto fill = [&](const at::Tensor& out, const ops::Linear& layer) {
      layer.apply_into(tile(out).flatten(1), normed);
    };
    fill(query, weights.q_proj);
    fill(key, weights.k_proj);
    fill(value, weights.v_proj);
    ops::rotate_halves_(tile(query), tile(rotary.cos), tile(rotary.sin));
    ops::rotate_halves_(tile(key), tile(rotary.cos), tile(rotary.sin));
  });
  const at::Tensor attended = ops::causal_attention(query, key, value);
  ops::for_each_row_tile(device, tokens, [&](common::Range rows) {
    at::Tensor hidden = hidden_states.narrow(0, rows.begin, rows.size());
    hidden += weights.o_proj.apply(attended.narrow(0, rows.begin, rows.size()));
    const at::Tensor normed = ops::rms_norm(hidden, weights.post_attention_layernorm, eps_);
    const at::Tensor gate = weights.gate_proj.apply(normed);
    ops::swiglu_(gate, weights.up_proj.apply(normed));
    hidden += weights.down_proj.apply(gate);
  });
}

TextEncoder::TextEncoder(const WeightStore& store, const TextEncoderConfig& config)
    : TextEncoder(store, config, {0, config.num_hidden_layers}) {}

TextEncoder::TextEncoder(const WeightStore& store, const TextEncoderConfig& config,
                         const common::Range& layers)
    : TextEncoder(store, config, layers, [&] {
        return std::make_unique<HeldBlocks<TextLayerWeights>>(
            layers, [&, language_model = language_model_scope(store)](std::int64_t index) {
              return load_text_layer(language_model, config, index);
            });
      }) {}

TextEncoder::TextEncoder(const WeightStore& store, const TextEncoderConfig& config,
                         const common::Range& layers, const MakeTextLayers& make_layers)
    : config_(config), store_(language_model_scope(store)), layer_(config), layers_(layers) {
  common::ensure(0 <= layers.begin && layers.begin < layers.end && layers.end <= config.num_hidden_layers,
                 "a part of the text encoder holds no layer, or one that there is not");
  if (layers.begin == 0) store_.require(kEmbedding, {config.vocab_size, config.hidden_size});
  layer_weights_ = make_layers();
  if (layers.end == config.num_hidden_layers) norm_ = store_.get("norm.weight", {config.hidden_size});
}

at::Tensor TextEncoder::embed(std::span<const std::int64_t> token_ids) const {
  common::ensure(layers_.begin == 0, "this part of the text encoder has no embedding");
  for (const std::int64_t id : token_ids) {
    if (id < 0 || id >= config_.vocab_size) {
      throw common::InputError("token id " + std::to_string(id) +
                                   " lies outside of the text encoder's vocabulary of " +
                                   std::to_string(config_.vocab_size),
                               "Check that the tokenizer and the text encoder belong to the same model.");
    }
  }
  return store_.get_rows(kEmbedding, {config_.vocab_size, config_.hidden_size}, token_ids);
}

void TextEncoder::forward_layers(const at::Tensor& hidden_states,
                                 const std::function<void()>& after_layer) const {
  const RotaryTable rotary = causal_rotary_table(hidden_states.size(0), config_.head_dim(),
                                                 config_.rope_theta, store_.device(), store_.compute_dtype());
  for (std::int64_t index = layers_.begin; index < layers_.end; ++index) {
    {
      const Lease<TextLayerWeights> weights = layer_weights_->acquire(index);
      layer_.forward(*weights, hidden_states, rotary);
    }
    if (after_layer) after_layer();
  }
}

at::Tensor TextEncoder::norm(const at::Tensor& hidden_states) const {
  common::ensure(norm_.defined(), "this part of the text encoder has no final norm");
  return ops::rms_norm(hidden_states, norm_, config_.rms_norm_eps);
}

at::Tensor TextEncoder::forward(std::span<const std::int64_t> token_ids) const {
  const at::Tensor hidden_states = embed(token_ids);
  forward_layers(hidden_states);
  return norm(hidden_states);
}

}  // namespace layerpipe::model
