// Scaled dot-product attention through LibTorch's fused kernels: the matrix of all scores does not exist.
// (Only for fp32 heads that are not a multiple of four wide, which no published model has, LibTorch may make
// it.)
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

#include "model/compute_target.h"

namespace layerpipe::model::ops {

// softmax(q kᵀ / sqrt(head_dim)) v for every head.
//   query [queries, heads, head_dim], key and value [keys, heads, head_dim]: any strides with the last one 1
//   gives [queries, heads · head_dim], contiguous
// A block is given one of these, so that a later attention over several devices changes no block.
using AttentionFunction =
    std::function<at::Tensor(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value)>;

// Every query sees every key.
at::Tensor full_attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value);

// Query i sees keys 0 … i; as many queries as keys. `key` and `value` may have fewer heads than `query`
// (grouped-query attention): query head h reads head h · kv_heads / heads.
at::Tensor causal_attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value);

// What either takes beside its arguments and its result.
std::uint64_t attention_workspace_bytes(std::int64_t tokens, std::int64_t heads, std::int64_t head_dim,
                                        const ComputeTarget& target);

}  // namespace layerpipe::model::ops
