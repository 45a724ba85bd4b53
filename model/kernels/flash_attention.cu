#include "model/kernels/flash_attention.h"

#include <ATen/core/Tensor.h>
#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <cuda.h>
#include <cuda_bf16.h>
#include <cuda_runtime_api.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>

#include "common/errors.h"
#include "model/kernels/warpgroup.cuh"

namespace layerpipe::model::kernels {
namespace {

constexpr int kQueries = 128;  // of a tile: 64 for each of two groups of warps
constexpr int kKeys = 176;     // of a tile
constexpr int kStages = 2;     // tiles of keys, and of values, that lie in shared memory
constexpr int kGroups = 2;     // that compute
constexpr int kWarp = 32;
constexpr int kThreads = (1 + kGroups) * warpgroup::kThreads;
constexpr int kInner = 16;  // of one product
constexpr int kSwizzleBytes = 1024;

template <int kHeadDim>
struct alignas(kSwizzleBytes) Shared {
  static constexpr int kParts = kHeadDim / warpgroup::kRowElements;  // rows of 64 elements that a head takes
  __nv_bfloat16 queries[kParts][kQueries][warpgroup::kRowElements];
  __nv_bfloat16 keys[kStages][kParts][kKeys][warpgroup::kRowElements];
  __nv_bfloat16 values[kStages][kParts][kKeys][warpgroup::kRowElements];
  warpgroup::Barrier queries_there;
  warpgroup::Barrier queries_read;
  warpgroup::Barrier keys_there[kStages];
  warpgroup::Barrier keys_read[kStages];
  warpgroup::Barrier values_there[kStages];
  warpgroup::Barrier values_read[kStages];
};

// What a launch works on.
struct Work {
  int queries = 0;
  int keys = 0;
  int heads = 0;
  int query_tiles = 0;
  int tiles =
      0;  // query_tiles · heads, head by head: those that are worked on together share keys and values
  int key_tiles = 0;
  float scale = 0;  // of the scores, times log2(e)
};

#ifdef __CUDA_ARCH_FEAT_SM90_ALL

// A place in a ring of stages, and the parity of its turn.
struct Turn {
  int stage = 0;
  int parity = 0;
  __device__ __forceinline__ void advance() {
    if (++stage == kStages) {
      stage = 0;
      parity ^= 1;
    }
  }
};

// Volatile, so that the compiler leaves it where it stands between the waits for products.
__device__ __forceinline__ float power_of_2(float x) {
  float result;
  asm volatile("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
  return result;
}

__device__ __forceinline__ std::uint32_t pack(float low, float high) {
  const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
  return *reinterpret_cast<const std::uint32_t*>(&pair);
}

// Over the four threads that share rows.
__device__ __forceinline__ float most_of_row(float x) {
  x = fmaxf(x, __shfl_xor_sync(0xFFFFFFFF, x, 1));
  return fmaxf(x, __shfl_xor_sync(0xFFFFFFFF, x, 2));
}
__device__ __forceinline__ float sum_of_row(float x) {
  x += __shfl_xor_sync(0xFFFFFFFF, x, 1);
  return x + __shfl_xor_sync(0xFFFFFFFF, x, 2);
}

// Brings the tiles of one launch's share of this block, in the order in which they are read. One thread.
template <int kHeadDim>
__device__ __forceinline__ void bring(Shared<kHeadDim>& shared, const CUtensorMap& query_map,
                                      const CUtensorMap& key_map, const CUtensorMap& value_map,
                                      const Work& work) {
  constexpr int kParts = Shared<kHeadDim>::kParts;
  Turn keys;
  Turn values;
  int query_parity = 0;
  for (int tile = blockIdx.x; tile < work.tiles; tile += gridDim.x) {
    const int head = tile / work.query_tiles;
    const int query = tile % work.query_tiles * kQueries;
    const auto bring_keys = [&](int key_tile) {
      const int stage = keys.stage;
      warpgroup::wait(&shared.keys_read[stage], keys.parity ^ 1);
      warpgroup::arrive_expecting(&shared.keys_there[stage], sizeof(shared.keys[0]));
#pragma unroll
      for (int part = 0; part < kParts; ++part)
        warpgroup::copy_tile(shared.keys[stage][part], &key_map, &shared.keys_there[stage],
                             part * warpgroup::kRowElements, key_tile * kKeys, head);
      keys.advance();
    };
    const auto bring_values = [&](int key_tile) {
      const int stage = values.stage;
      warpgroup::wait(&shared.values_read[stage], values.parity ^ 1);
      warpgroup::arrive_expecting(&shared.values_there[stage], sizeof(shared.values[0]));
#pragma unroll
      for (int part = 0; part < kParts; ++part)
        warpgroup::copy_tile(shared.values[stage][part], &value_map, &shared.values_there[stage],
                             part * warpgroup::kRowElements, key_tile * kKeys, head);
      values.advance();
    };
    warpgroup::wait(&shared.queries_read, query_parity ^ 1);
    warpgroup::arrive_expecting(&shared.queries_there, sizeof(shared.queries));
#pragma unroll
    for (int part = 0; part < kParts; ++part)
      warpgroup::copy_tile(shared.queries[part], &query_map, &shared.queries_there,
                           part * warpgroup::kRowElements, query, head);
    query_parity ^= 1;
    bring_keys(work.key_tiles - 1);
    for (int key_tile = work.key_tiles - 1; key_tile > 0; --key_tile) {
      bring_keys(key_tile - 1);
      bring_values(key_tile);
    }
    bring_values(0);
  }
}

// What a group of warps computes of a tile: 64 queries. A thread has parts of two rows of everything, as
// warpgroup.cuh lays products out.
template <int kHeadDim>
class Rows {
 public:
  __device__ __forceinline__ explicit Rows(Shared<kHeadDim>& shared, int group)
      : shared_(shared), group_(group) {}

  __device__ __forceinline__ void begin() {
#pragma unroll
    for (float& value : out_) value = 0;
    sum_[0] = sum_[1] = 0;
  }

  // Enqueues scores = queries · keysᵀ.
  __device__ __forceinline__ void multiply_keys(int stage) {
    constexpr int kInnerOfPart = warpgroup::kRowElements / kInner;
    warpgroup::hold(scores_);
    warpgroup::fence();
#pragma unroll
    for (int i = 0; i < kHeadDim / kInner; ++i) {
      const int part = i / kInnerOfPart;
      const int column = i % kInnerOfPart * kInner;
      warpgroup::multiply_176(
          scores_, warpgroup::operand_along_rows(&shared_.queries[part][group_ * kQueries / kGroups][column]),
          warpgroup::operand_along_rows(&shared_.keys[stage][part][0][column]), i > 0);
    }
    warpgroup::commit();
  }

  // Enqueues out += probabilities · values.
  __device__ __forceinline__ void multiply_values(int stage) {
    warpgroup::hold(out_);
    warpgroup::hold(probabilities_);
    warpgroup::fence();
#pragma unroll
    for (int i = 0; i < kKeys / kInner; ++i) {
      warpgroup::add_product(out_, probabilities_[4 * i], probabilities_[4 * i + 1],
                             probabilities_[4 * i + 2], probabilities_[4 * i + 3],
                             warpgroup::operand_across_rows(&shared_.values[stage][0][i * kInner][0],
                                                            sizeof(shared_.values[0][0])));
    }
    warpgroup::commit();
  }

  __device__ __forceinline__ void hold_scores() {
    warpgroup::hold(scores_);
  }
  __device__ __forceinline__ void hold_out() {
    warpgroup::hold(out_);
    warpgroup::hold(probabilities_);
  }

  // Of the last tile, which may have fewer keys.
  __device__ __forceinline__ void leave_out_from(int count) {
    const int column = threadIdx.x % 4 * 2;
#pragma unroll
    for (int i = 0; i < kScores; ++i) {
      if (i / 4 * 8 + column + i % 2 >= count) scores_[i] = -INFINITY;
    }
  }

  // Turns scores into numbers whose sum over all tiles is sum_; what was summed before is to be multiplied by
  // correction_.
  template <bool kIsFirst>
  __device__ __forceinline__ void soften(float scale) {
#pragma unroll
    for (int row = 0; row < 2; ++row) {
      float most = kIsFirst ? -INFINITY : most_[row];
#pragma unroll
      for (int i = 0; i < kScores / 4; ++i)
        most = fmaxf(most, fmaxf(scores_[4 * i + 2 * row], scores_[4 * i + 2 * row + 1]));
      most = most_of_row(most);
      if constexpr (!kIsFirst) {
        correction_[row] = power_of_2((most_[row] - most) * scale);
        sum_[row] *= correction_[row];
      }
      most_[row] = most;
      const float offset = most * scale;
#pragma unroll
      for (int i = 0; i < kScores / 4; ++i) {
#pragma unroll
        for (int j = 2 * row; j < 2 * row + 2; ++j) {
          scores_[4 * i + j] = power_of_2(fmaf(scores_[4 * i + j], scale, -offset));
          sum_[row] += scores_[4 * i + j];
        }
      }
    }
  }

  // Ends what is computed before the products are waited for: ptxas would wait for them first, and raise the
  // powers while the tensor cores idle (findings/ptxas_waits_for_wgmma_before_other_arithmetic.sh). Nobody
  // leaves here: each of the powers is at most 1.
  __device__ __forceinline__ void finish_softening() const {
    constexpr float kNeverReached = 0x1p127F;
    asm volatile("{.reg .pred never;\nsetp.gt.f32 never, %0, %1;\n@never exit;\n}" ::"f"(sum_[0] + sum_[1]),
                 "f"(kNeverReached));
  }

  __device__ __forceinline__ void correct_out() {
#pragma unroll
    for (int i = 0; i < kOut; ++i) out_[i] *= correction_[i / 2 % 2];
  }

  __device__ __forceinline__ void take_probabilities() {
#pragma unroll
    for (int i = 0; i < kScores / 2; ++i) probabilities_[i] = pack(scores_[2 * i], scores_[2 * i + 1]);
  }

  __device__ __forceinline__ void write(__nv_bfloat16* out, int first_query, int head,
                                        const Work& work) const {
    const int thread = threadIdx.x % warpgroup::kThreads;
    const std::int64_t width = static_cast<std::int64_t>(work.heads) * kHeadDim;
#pragma unroll
    for (int row = 0; row < 2; ++row) {
      const float factor = 1.0F / sum_of_row(sum_[row]);
      const int query =
          first_query + group_ * kQueries / kGroups + thread / kWarp * kInner + thread % kWarp / 4 + 8 * row;
      if (query >= work.queries) continue;
      __nv_bfloat16* to = out + query * width + head * kHeadDim + thread % 4 * 2;
#pragma unroll
      for (int i = 0; i < kOut / 4; ++i)
        *reinterpret_cast<std::uint32_t*>(to + 8 * i) =
            pack(out_[4 * i + 2 * row] * factor, out_[4 * i + 2 * row + 1] * factor);
    }
  }

 private:
  static constexpr int kScores = kKeys / 2;
  static constexpr int kOut = kHeadDim / 2;

  Shared<kHeadDim>& shared_;
  int group_;
  float scores_[kScores];
  std::uint32_t probabilities_[kScores / 2];
  float out_[kOut];
  float most_[2];
  float sum_[2];
  float correction_[2];
};

// A warp has read what the barrier is for.
__device__ __forceinline__ void has_read(warpgroup::Barrier* barrier) {
  if (threadIdx.x % kWarp == 0) warpgroup::arrive(barrier);
}

template <int kHeadDim>
__device__ __forceinline__ void compute(Shared<kHeadDim>& shared, __nv_bfloat16* out, const Work& work,
                                        int group) {
  // The groups take turns in enqueueing products: named barrier 1 is the turn of the first.
  constexpr int kBoth = kGroups * warpgroup::kThreads;
  const int turn_of_mine = 1 + group;
  const int turn_of_other = 2 - group;
  if (group == 1) warpgroup::arrive_named(turn_of_other, kBoth);
  Rows<kHeadDim> rows(shared, group);
  Turn keys;
  Turn values;
  int query_parity = 0;
  for (int tile = blockIdx.x; tile < work.tiles; tile += gridDim.x) {
    rows.begin();
    warpgroup::wait(&shared.queries_there, query_parity);
    query_parity ^= 1;
    warpgroup::wait(&shared.keys_there[keys.stage], keys.parity);
    rows.multiply_keys(keys.stage);
    warpgroup::wait_for_all_but<0>();
    rows.hold_scores();
    has_read(&shared.keys_read[keys.stage]);
    keys.advance();
    rows.leave_out_from(work.keys - (work.key_tiles - 1) * kKeys);
    rows.template soften<true>(work.scale);
    rows.take_probabilities();
    for (int left = work.key_tiles - 1; left > 0; --left) {
      warpgroup::wait(&shared.keys_there[keys.stage], keys.parity);
      warpgroup::wait_named(turn_of_mine, kBoth);
      rows.multiply_keys(keys.stage);
      warpgroup::wait(&shared.values_there[values.stage], values.parity);
      rows.multiply_values(values.stage);
      warpgroup::arrive_named(turn_of_other, kBoth);
      warpgroup::wait_for_all_but<1>();
      rows.hold_scores();
      has_read(&shared.keys_read[keys.stage]);
      keys.advance();
      rows.template soften<false>(work.scale);
      rows.finish_softening();
      warpgroup::wait_for_all_but<0>();
      rows.hold_out();
      has_read(&shared.values_read[values.stage]);
      values.advance();
      rows.correct_out();
      rows.take_probabilities();
    }
    has_read(&shared.queries_read);
    warpgroup::wait(&shared.values_there[values.stage], values.parity);
    rows.multiply_values(values.stage);
    warpgroup::wait_for_all_but<0>();
    rows.hold_out();
    has_read(&shared.values_read[values.stage]);
    values.advance();
    rows.write(out, tile % work.query_tiles * kQueries, tile / work.query_tiles, work);
  }
}

#endif

template <int kHeadDim>
__global__ void __launch_bounds__(kThreads, 1)
    flash_attention_kernel(const __grid_constant__ CUtensorMap query_map,
                           const __grid_constant__ CUtensorMap key_map,
                           const __grid_constant__ CUtensorMap value_map, __nv_bfloat16* out,
                           const Work work) {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  extern __shared__ std::uint8_t memory[];
  const std::uint32_t misaligned = warpgroup::shared_address(memory) % kSwizzleBytes;
  auto& shared = *reinterpret_cast<Shared<kHeadDim>*>(memory + (kSwizzleBytes - misaligned) % kSwizzleBytes);
  constexpr int kReaders = kGroups * warpgroup::kThreads / kWarp;
  if (threadIdx.x == 0) {
    warpgroup::prefetch_map(&query_map);
    warpgroup::prefetch_map(&key_map);
    warpgroup::prefetch_map(&value_map);
    warpgroup::init(&shared.queries_there, 1);
    warpgroup::init(&shared.queries_read, kReaders);
    for (int stage = 0; stage < kStages; ++stage) {
      warpgroup::init(&shared.keys_there[stage], 1);
      warpgroup::init(&shared.keys_read[stage], kReaders);
      warpgroup::init(&shared.values_there[stage], 1);
      warpgroup::init(&shared.values_read[stage], kReaders);
    }
    warpgroup::fence_init();
  }
  __syncthreads();
  // The group of the whole warp, by a value that the compiler knows to be the same in all of its threads.
  const int group = __shfl_sync(0xFFFFFFFF, static_cast<int>(threadIdx.x) / warpgroup::kThreads, 0);
  // A multiprocessor has 65,536 registers for all: 24 · 128 + 240 · 256 is less.
  if (group == 0) {
    warpgroup::give_registers_back<24>();
    if (threadIdx.x == 0) bring(shared, query_map, key_map, value_map, work);
  } else {
    warpgroup::take_registers<240>();
    compute(shared, out, work, group - 1);
  }
#endif
}

using Encode = decltype(&cuTensorMapEncodeTiled);

Encode encode_function() {
  static const Encode function = [] {
    constexpr unsigned kVersion = 12000;
    void* found = nullptr;
    cudaDriverEntryPointQueryResult result{};
    C10_CUDA_CHECK(cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &found, kVersion,
                                                    cudaEnableDefault, &result));
    common::ensure(found != nullptr && result == cudaDriverEntryPointSuccess,
                   "the driver has no cuTensorMapEncodeTiled");
    return reinterpret_cast<Encode>(found);
  }();
  return function;
}

// The copy engine's view of x [tokens, heads, head_dim]: tiles of `rows` tokens by 64 elements of a head.
CUtensorMap map_of(const at::Tensor& x, int rows) {
  CUtensorMap map{};
  const auto size = [&](int dim) { return static_cast<cuuint64_t>(x.size(dim)); };
  const auto bytes = [&](int dim) { return static_cast<cuuint64_t>(x.stride(dim)) * x.element_size(); };
  const cuuint64_t sizes[] = {size(2), size(0), size(1)};
  const cuuint64_t strides[] = {bytes(0), bytes(1)};
  const cuuint32_t box[] = {warpgroup::kRowElements, static_cast<cuuint32_t>(rows), 1};
  const cuuint32_t steps[] = {1, 1, 1};
  const CUresult result =
      encode_function()(&map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 3, const_cast<void*>(x.const_data_ptr()),
                        sizes, strides, box, steps, CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
                        CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  common::ensure(result == CUDA_SUCCESS, "the driver takes no map of an attention's tensor");
  return map;
}

template <int kHeadDim>
void launch(const at::Tensor& out, const at::Tensor& query, const at::Tensor& key, const at::Tensor& value) {
  Work work{.queries = static_cast<int>(query.size(0)),
            .keys = static_cast<int>(key.size(0)),
            .heads = static_cast<int>(query.size(1))};
  work.query_tiles = (work.queries + kQueries - 1) / kQueries;
  work.tiles = work.query_tiles * work.heads;
  work.key_tiles = (work.keys + kKeys - 1) / kKeys;
  work.scale = static_cast<float>(std::numbers::log2e / std::sqrt(static_cast<double>(kHeadDim)));
  constexpr int kBytes = sizeof(Shared<kHeadDim>) + kSwizzleBytes;
  const auto kernel = flash_attention_kernel<kHeadDim>;
  C10_CUDA_CHECK(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, kBytes));
  const int blocks = std::min(work.tiles, at::cuda::getCurrentDeviceProperties()->multiProcessorCount);
  kernel<<<blocks, kThreads, kBytes, at::cuda::getCurrentCUDAStream()>>>(
      map_of(query, kQueries), map_of(key, kKeys), map_of(value, kKeys),
      static_cast<__nv_bfloat16*>(out.mutable_data_ptr()), work);
  C10_CUDA_KERNEL_LAUNCH_CHECK();
}

// Whether the copy engine reads it.
bool is_readable(const at::Tensor& x, const at::Tensor& query) {
  constexpr std::int64_t kBytes = 16;
  const auto is_multiple = [&](std::int64_t bytes) { return bytes % kBytes == 0; };
  const auto size = static_cast<std::int64_t>(x.element_size());
  return x.is_cuda() && x.device() == query.device() && x.scalar_type() == at::kBFloat16 && x.dim() == 3 &&
         x.size(1) == query.size(1) && x.size(2) == query.size(2) && x.size(0) > 0 && x.stride(2) == 1 &&
         is_multiple(x.stride(0) * size) && is_multiple(x.stride(1) * size) &&
         is_multiple(static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(x.const_data_ptr())));
}

}  // namespace

bool takes_flash_attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value) {
  if (query.dim() != 3 || !query.is_cuda()) return false;
  const cudaDeviceProp* device = at::cuda::getDeviceProperties(query.device().index());
  const bool is_hopper = device->major == 9 && device->minor == 0;
  const bool is_known_head = query.size(2) == 64 || query.size(2) == 128;
  return is_hopper && is_known_head && is_readable(query, query) && is_readable(key, query) &&
         is_readable(value, query) && key.size(0) == value.size(0);
}

void flash_attention(const at::Tensor& out, const at::Tensor& query, const at::Tensor& key,
                     const at::Tensor& value) {
  common::ensure(takes_flash_attention(query, key, value), "flash_attention does not take these tensors");
  common::ensure(out.is_contiguous() && out.scalar_type() == at::kBFloat16 && out.dim() == 2 &&
                     out.size(0) == query.size(0) && out.size(1) == query.size(1) * query.size(2),
                 "flash_attention writes whole rows of bf16");
  const c10::cuda::CUDAGuard guard(query.device());
  if (query.size(2) == 64) {
    launch<64>(out, query, key, value);
  } else {
    launch<128>(out, query, key, value);
  }
}

}  // namespace layerpipe::model::kernels
