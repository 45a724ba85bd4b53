#include "model/ops/attention.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/_scaled_dot_product_cudnn_attention.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/scaled_dot_product_attention.h>

#include <algorithm>
#include <optional>
#include <tuple>

#include "model/ops/tiles.h"

namespace layerpipe::model::ops {
namespace {

// Queries of one task on the CPU. LibTorch's kernel works in blocks of up to 256 queries, chosen by the
// number it is given.
constexpr std::int64_t kCpuQueriesPerTask = 512;

// [tokens, heads, head_dim] → [1, heads, tokens, head_dim], a view.
at::Tensor heads_first(const at::Tensor& x) {
  return x.transpose(0, 1).unsqueeze(0);
}

// cuDNN's kernel is the fastest where it can be used (docs/performance.md); LibTorch's own choice prefers
// another one.
bool cudnn_applies(const at::Tensor& query) {
  constexpr std::int64_t kLargestHead = 128;
  constexpr std::int64_t kHeadMultiple = 8;
  return query.is_cuda() && query.scalar_type() == at::kBFloat16 && query.size(-1) <= kLargestHead &&
         query.size(-1) % kHeadMultiple == 0;
}

at::Tensor fused(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, bool is_causal) {
  const at::Tensor q = heads_first(query);
  const at::Tensor k = heads_first(key);
  const at::Tensor v = heads_first(value);
  const at::Tensor out =
      cudnn_applies(query)
          ? std::get<0>(at::_scaled_dot_product_cudnn_attention(
                q, k, v, std::nullopt, /*compute_log_sumexp=*/false, /*dropout_p=*/0.0, is_causal))
          : at::scaled_dot_product_attention(q, k, v, std::nullopt, /*dropout_p=*/0.0, is_causal);
  return out.squeeze(0).transpose(0, 1);
}

// On the CPU each task is one head and at most `queries_per_task` queries, computed by one thread.
at::Tensor attend(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, bool is_causal,
                  std::int64_t queries_per_task) {
  const std::int64_t queries = query.size(0);
  const std::int64_t heads = query.size(1);
  const std::int64_t queries_per_key_head = heads / key.size(1);
  if (!query.is_cpu()) {
    const bool grouped = queries_per_key_head > 1;
    const auto expand = [&](const at::Tensor& x) {
      return grouped ? x.repeat_interleave(queries_per_key_head, 1) : x;
    };
    return fused(query, expand(key), expand(value), is_causal).reshape({queries, -1});
  }
  at::Tensor out = at::empty({queries, heads, query.size(2)}, query.options());
  const std::int64_t chunks = (queries + queries_per_task - 1) / queries_per_task;
  for_each_task(query.device(), heads * chunks, [&](std::int64_t task) {
    const std::int64_t head = task / chunks;
    const std::int64_t begin = task % chunks * queries_per_task;
    const std::int64_t count = std::min(queries_per_task, queries - begin);
    const auto one_head = [](const at::Tensor& x, std::int64_t index) { return x.narrow(1, index, 1); };
    out.narrow(0, begin, count)
        .narrow(1, head, 1)
        .copy_(fused(one_head(query, head).narrow(0, begin, count),
                     one_head(key, head / queries_per_key_head), one_head(value, head / queries_per_key_head),
                     is_causal));
  });
  return out.view({queries, -1});
}

}  // namespace

at::Tensor full_attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value) {
  return attend(query, key, value, /*is_causal=*/false, kCpuQueriesPerTask);
}

at::Tensor causal_attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value) {
  return attend(query, key, value, /*is_causal=*/true, /*queries_per_task=*/query.size(0));
}

std::uint64_t attention_workspace_bytes(std::int64_t tokens, std::int64_t heads, std::int64_t head_dim,
                                        const ComputeTarget& target) {
  if (!target.device.is_cpu()) {
    // The fused kernels' own: a row's logarithm of its sum.
    return sizeof(float) * static_cast<std::uint64_t>(tokens * heads);
  }
  // A task's result, and the kernel's buffers: scores and sums of a block of queries in fp32, and for the
  // bf16 kernel the head's keys and values in another order.
  constexpr std::int64_t kQueriesAtOnce = 256;
  constexpr std::int64_t kKeysAtOnce = 512;
  const auto scores =
      sizeof(float) * static_cast<std::uint64_t>(kQueriesAtOnce * (2 * kKeysAtOnce + head_dim + 2));
  const std::uint64_t reordered = target.widens() ? 2 * target.bytes(tokens * head_dim) : 0;
  const std::uint64_t result = target.bytes(kCpuQueriesPerTask * head_dim);
  const std::int64_t tasks = heads * ((tokens + kCpuQueriesPerTask - 1) / kCpuQueriesPerTask);
  return static_cast<std::uint64_t>(target.at_once(tasks)) * (scores + reordered + result);
}

}  // namespace layerpipe::model::ops
