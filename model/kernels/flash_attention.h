// Attention for Hopper GPUs (compute capability 9.0): softmax(q kᵀ / sqrt(head_dim)) v, tile by tile, in the
// manner of FlashAttention-3 (Shah et al., 2024, arXiv:2407.08608): a warp that only copies, two groups of
// warps that compute in turns, the softmax of one under the products of the other and of its own next tile.
#pragma once

#include <ATen/core/Tensor.h>

namespace layerpipe::model::kernels {

// Whether flash_attention() is for these: bf16 on a GPU of compute capability 9.0 that this build has the
// kernel for, as many heads in each, head_dim 64 or 128, at least one query and one key, and strides that the
// copy engine takes: rows and heads at multiples of 16 bytes.
bool takes_flash_attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value);

// Every query sees every key. query [queries, heads, head_dim], key and value [keys, heads, head_dim], the
// last stride 1; out [queries, heads · head_dim], contiguous bf16. Sums in fp32; probabilities are rounded to
// bf16 before they are multiplied by the values. The same bits each time. On LibTorch's current stream; takes
// no memory of the device.
void flash_attention(const at::Tensor& out, const at::Tensor& query, const at::Tensor& key,
                     const at::Tensor& value);

}  // namespace layerpipe::model::kernels
