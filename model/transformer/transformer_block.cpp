#include "model/transformer/transformer_block.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include "model/ops/ops.h"
#include "model/ops/tiles.h"

namespace layerpipe::model {
namespace {

constexpr double kNormEps = 1e-6;
constexpr std::int64_t kMlpRatio = 4;

// One stream's rows of the joint sequence; each [rows, heads, head_dim].
struct JointRows {
  at::Tensor query;  // undefined when nobody reads this stream's result
  at::Tensor key;
  at::Tensor value;
};

at::Tensor rows_of(const at::Tensor& x, const common::Range& rows) {
  return x.narrow(0, rows.begin, rows.size());
}

// Norm, modulation, projection, head norm and rotation of one stream, written straight into the joint
// sequence.
void project(const at::Tensor& hidden, const StreamWeights& weights, const Modulation& modulation,
             const RotaryTable& rotary, const JointRows& joint) {
  ops::for_each_row_tile(hidden.device(), hidden.size(0), [&](common::Range rows) {
    const ops::LinearInput normed(
        ops::layer_norm_modulate(rows_of(hidden, rows), modulation.scale, modulation.shift, kNormEps));
    const at::Tensor cos = rows_of(rotary.cos, rows);
    const at::Tensor sin = rows_of(rotary.sin, rows);
    const auto fill = [&](const at::Tensor& whole, const ops::Linear& layer) {
      at::Tensor out = rows_of(whole, rows);
      layer.apply_into(out.flatten(1), normed);
      return out;
    };
    fill(joint.value, weights.to_v);
    ops::rms_norm_rotate_(fill(joint.key, weights.to_k), weights.norm_k, kNormEps, cos, sin);
    if (joint.query.defined()) {
      ops::rms_norm_rotate_(fill(joint.query, weights.to_q), weights.norm_q, kNormEps, cos, sin);
    }
  });
}

// Output projection, residual, MLP, residual of one stream, in place.
void finish(const at::Tensor& hidden, const at::Tensor& attended, const StreamWeights& weights,
            const StreamModulation& modulation) {
  ops::for_each_row_tile(hidden.device(), hidden.size(0), [&](common::Range rows) {
    const at::Tensor tile = rows_of(hidden, rows);
    ops::gated_residual_(tile, modulation.attention.gate, weights.to_out.apply(rows_of(attended, rows)));
    const at::Tensor wide = weights.mlp_in.apply_gelu(
        ops::layer_norm_modulate(tile, modulation.mlp.scale, modulation.mlp.shift, kNormEps));
    ops::gated_residual_(tile, modulation.mlp.gate, weights.mlp_out.apply(wide));
  });
}

// Names of one stream's tensors inside a block.
struct StreamNames {
  const char* to_q;
  const char* to_k;
  const char* to_v;
  const char* norm_q;
  const char* norm_k;
  const char* to_out;
  const char* mlp;
};
constexpr StreamNames kImageNames{"attn.to_q",   "attn.to_k",     "attn.to_v", "attn.norm_q",
                                  "attn.norm_k", "attn.to_out.0", "img_mlp"};
constexpr StreamNames kTextNames{
    "attn.add_q_proj",   "attn.add_k_proj", "attn.add_v_proj", "attn.norm_added_q",
    "attn.norm_added_k", "attn.to_add_out", "txt_mlp"};

StreamWeights load_stream(const WeightStore& block, const TransformerConfig& config, const StreamNames& names,
                          bool result_is_read) {
  const std::int64_t dim = config.inner_dim();
  StreamWeights weights;
  weights.to_k = load_linear(block, names.to_k, dim, dim);
  weights.to_v = load_linear(block, names.to_v, dim, dim);
  weights.norm_k = block.get(std::string(names.norm_k) + ".weight", {config.attention_head_dim});
  if (!result_is_read) return weights;
  weights.to_q = load_linear(block, names.to_q, dim, dim);
  weights.norm_q = block.get(std::string(names.norm_q) + ".weight", {config.attention_head_dim});
  weights.to_out = load_linear(block, names.to_out, dim, dim);
  const WeightStore mlp = block.scope(std::string(names.mlp) + ".net");
  weights.mlp_in = load_linear(mlp, "0.proj", dim, kMlpRatio * dim);
  weights.mlp_out = load_linear(mlp, "2", kMlpRatio * dim, dim);
  return weights;
}

}  // namespace

TransformerBlockWeights load_transformer_block(const WeightStore& transformer,
                                               const TransformerConfig& config, std::int64_t index) {
  const WeightStore block = transformer.scope("transformer_blocks", index);
  TransformerBlockWeights weights;
  weights.text_result_is_read = index + 1 < config.num_layers;
  weights.image = load_stream(block, config, kImageNames, /*result_is_read=*/true);
  weights.text = load_stream(block, config, kTextNames, weights.text_result_is_read);
  return weights;
}

TransformerBlock::TransformerBlock(const TransformerConfig& config)
    : heads_(config.num_attention_heads), head_dim_(config.attention_head_dim) {}

void TransformerBlock::forward(const TransformerBlockWeights& weights, Streams& streams,
                               const BlockModulation& modulation, const JointRotary& rotary,
                               const ops::AttentionFunction& attention) const {
  const std::int64_t text_tokens = streams.encoder_hidden_states.size(0);
  const std::int64_t image_tokens = streams.hidden_states.size(0);
  // The joint sequence is text, then image. Without a reader of the text's result there are no queries for
  // it.
  const std::int64_t text_queries = weights.text_result_is_read ? text_tokens : 0;

  at::Tensor attended;
  {
    const auto allocate = [&](std::int64_t tokens) {
      return at::empty({tokens, heads_, head_dim_}, streams.hidden_states.options());
    };
    const at::Tensor query = allocate(text_queries + image_tokens);
    const at::Tensor key = allocate(text_tokens + image_tokens);
    const at::Tensor value = allocate(text_tokens + image_tokens);
    project(streams.encoder_hidden_states, weights.text, modulation.text.attention, rotary.text,
            {weights.text_result_is_read ? query.narrow(0, 0, text_tokens) : at::Tensor(),
             key.narrow(0, 0, text_tokens), value.narrow(0, 0, text_tokens)});
    project(streams.hidden_states, weights.image, modulation.image.attention, rotary.image,
            {query.narrow(0, text_queries, image_tokens), key.narrow(0, text_tokens, image_tokens),
             value.narrow(0, text_tokens, image_tokens)});
    attended = attention(query, key, value);
  }
  if (weights.text_result_is_read) {
    finish(streams.encoder_hidden_states, attended.narrow(0, 0, text_tokens), weights.text, modulation.text);
  }
  finish(streams.hidden_states, attended.narrow(0, text_queries, image_tokens), weights.image,
         modulation.image);
}

}  // namespace layerpipe::model
