#include <ATen/core/Tensor.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_bf16.h>
#include <cuda_fp8.h>
#include <algorithm>
#include <cfloat>

#include <cstdint>

#include "common/errors.h"
#include "model/kernels/kernels.h"

namespace layerpipe::model::kernels {
namespace {

constexpr int kWarp = 32;
// Kernels that give a row to a block: 3072 values in bf16 are three vectors a thread.
constexpr int kRowThreads = 128;
constexpr int kRowVectors = 4;
// Kernels that give a row to a warp.
constexpr int kWarpsPerBlock = 8;
constexpr int kWarpVectors = 2;
// Kernels without sums, and those that give a row to less than a warp.
constexpr int kElementwiseThreads = 256;

// 16 bytes of a row: the widest access of one thread.
template <typename T>
struct alignas(16) Vector {
  static constexpr int kSize = 16 / sizeof(T);
  T values[kSize];
};

__device__ inline float to_float(float x) {
  return x;
}
__device__ inline float to_float(__nv_bfloat16 x) {
  return __bfloat162float(x);
}
template <typename T>
__device__ T from_float(float x);
template <>
__device__ inline float from_float<float>(float x) {
  return x;
}
template <>
__device__ inline __nv_bfloat16 from_float<__nv_bfloat16>(float x) {
  return __float2bfloat16_rn(x);
}

struct Sum {
  static constexpr float kOfNone = 0.0F;
  __device__ static float of(float a, float b) { return a + b; }
};
// Of absolute values.
struct Largest {
  static constexpr float kOfNone = 0.0F;
  __device__ static float of(float a, float b) { return fmaxf(a, b); }
};

template <typename Combine>
__device__ inline float over_warp(float x) {
  for (int offset = kWarp / 2; offset > 0; offset /= 2)
    x = Combine::of(x, __shfl_xor_sync(0xffffffffU, x, offset));
  return x;
}

// What all threads of a block have, combined and given to each of them. `partial` holds one float per warp.
template <typename Combine>
__device__ inline float over_block(float x, float* partial) {
  x = over_warp<Combine>(x);
  __syncthreads();  // the last call's readers are done with `partial`
  if (threadIdx.x % kWarp == 0) partial[threadIdx.x / kWarp] = x;
  __syncthreads();
  x = threadIdx.x % kWarp < blockDim.x / kWarp ? partial[threadIdx.x % kWarp] : Combine::kOfNone;
  return over_warp<Combine>(x);
}

// One thread's share of a row in registers: all of its loads are on their way before the first value is used.
// Rows that are longer than the threads' registers hold are read again from the L1 cache.
template <typename T, int kThreads, int kHeld>
class RowShare {
  using V = Vector<T>;

 public:
  __device__ RowShare(const T* row, int dim, int thread) : row_(row), dim_(dim), first_(thread * V::kSize) {
#pragma unroll
    for (int k = 0; k < kHeld; ++k) {
      if (first_ + k * kStep < dim_) held_[k] = load(first_ + k * kStep);
    }
  }

  // Calls fn(element index, value) for each element of the share.
  template <typename Fn>
  __device__ void visit(Fn fn) const {
    visit_vectors([&](int i, const V& vector) {
#pragma unroll
      for (int j = 0; j < V::kSize; ++j) fn(i + j, to_float(vector.values[j]));
    });
  }

  // Writes fn(element index, value) to the same elements of `out`.
  template <typename Fn>
  __device__ void map(T* out, Fn fn) const {
    visit_vectors([&](int i, const V& vector) {
      V result;
#pragma unroll
      for (int j = 0; j < V::kSize; ++j)
        result.values[j] = from_float<T>(fn(i + j, to_float(vector.values[j])));
      *reinterpret_cast<V*>(out + i) = result;
    });
  }

  // Calls fn(index of the first element, vector) for each vector of the share.
  template <typename Fn>
  __device__ void visit_vectors(Fn fn) const {
#pragma unroll
    for (int k = 0; k < kHeld; ++k) {
      if (first_ + k * kStep < dim_) fn(first_ + k * kStep, held_[k]);
    }
    for (int i = first_ + kHeld * kStep; i < dim_; i += kStep) fn(i, load(i));
  }

 private:
  static constexpr int kStep = kThreads * V::kSize;
  __device__ V load(int i) const {
    return *reinterpret_cast<const V*>(row_ + i);
  }

  const T* row_;
  int dim_;
  int first_;
  V held_[kHeld];
};

template <typename T>
using BlockRow = RowShare<T, kRowThreads, kRowVectors>;
template <typename T>
using WarpRow = RowShare<T, kWarp, kWarpVectors>;

template <typename T>
__global__ void __launch_bounds__(kRowThreads)
    layer_norm_modulate_kernel(T* out, const T* x, std::int64_t x_stride, const T* scale, const T* shift,
                               int dim, float eps) {
  __shared__ float partial[kRowThreads / kWarp];
  const BlockRow<T> row(x + blockIdx.x * x_stride, dim, threadIdx.x);
  float sum = 0;
  row.visit([&](int, float value) { sum += value; });
  const float mean = over_block<Sum>(sum, partial) / dim;
  float squares = 0;
  row.visit([&](int, float value) { squares += (value - mean) * (value - mean); });
  const float factor = rsqrtf(over_block<Sum>(squares, partial) / dim + eps);
  row.map(out + static_cast<std::int64_t>(blockIdx.x) * dim, [&](int i, float value) {
    return (value - mean) * factor * (1.0F + to_float(scale[i])) + to_float(shift[i]);
  });
}

template <typename T>
__global__ void __launch_bounds__(kRowThreads)
    rms_norm_kernel(T* out, const T* x, std::int64_t x_stride, const T* weight, int dim, float eps) {
  __shared__ float partial[kRowThreads / kWarp];
  const BlockRow<T> row(x + blockIdx.x * x_stride, dim, threadIdx.x);
  float squares = 0;
  row.visit([&](int, float value) { squares += value * value; });
  const float factor = rsqrtf(over_block<Sum>(squares, partial) / dim + eps);
  row.map(out + static_cast<std::int64_t>(blockIdx.x) * dim,
          [&](int i, float value) { return value * factor * to_float(weight[i]); });
}

// kGroup threads for each head of each row: as many as a head has vectors, so that none idles. Vectors hold
// whole pairs.
template <typename T, int kGroup>
__global__ void rms_norm_rotate_kernel(T* x, const T* weight, const float* cos, const float* sin,
                                       std::int64_t heads_in_all, int heads, int head_dim, float eps) {
  using V = Vector<T>;
  const std::int64_t index =
      (static_cast<std::int64_t>(blockIdx.x) * kElementwiseThreads + threadIdx.x) / kGroup;
  const int lane = threadIdx.x % kGroup;
  const bool in_range = index < heads_in_all;  // threads beyond take part in the sums of their warp
  T* head = x + (in_range ? index : 0) * head_dim;
  const RowShare<T, kGroup, kWarpVectors> share(head, in_range ? head_dim : 0, lane);
  float squares = 0;
  share.visit([&](int, float value) { squares += value * value; });
  for (int offset = kGroup / 2; offset > 0; offset /= 2)
    squares += __shfl_xor_sync(0xffffffffU, squares, offset);
  const float factor = rsqrtf(squares / head_dim + eps);
  const std::int64_t pairs_before = index / heads * (head_dim / 2);
  share.visit_vectors([&](int i, const V& in) {
    V vector;
#pragma unroll
    for (int j = 0; j < V::kSize; j += 2) {
      const float a = to_float(in.values[j]) * factor * to_float(weight[i + j]);
      const float b = to_float(in.values[j + 1]) * factor * to_float(weight[i + j + 1]);
      const float c = cos[pairs_before + (i + j) / 2];
      const float s = sin[pairs_before + (i + j) / 2];
      vector.values[j] = from_float<T>(a * c - b * s);
      vector.values[j + 1] = from_float<T>(a * s + b * c);
    }
    *reinterpret_cast<V*>(head + i) = vector;
  });
}

template <typename T>
__global__ void gated_residual_kernel(T* hidden, const T* gate, const T* branch, std::int64_t vectors,
                                      int vectors_per_row) {
  using V = Vector<T>;
  const std::int64_t index = static_cast<std::int64_t>(blockIdx.x) * kElementwiseThreads + threadIdx.x;
  if (index >= vectors) return;
  V h = reinterpret_cast<const V*>(hidden)[index];
  const V g = reinterpret_cast<const V*>(gate)[index % vectors_per_row];
  const V b = reinterpret_cast<const V*>(branch)[index];
#pragma unroll
  for (int j = 0; j < V::kSize; ++j) {
    h.values[j] = from_float<T>(to_float(h.values[j]) + to_float(g.values[j]) * to_float(b.values[j]));
  }
  reinterpret_cast<V*>(hidden)[index] = h;
}

template <typename T, Activation kActivation>
__global__ void l2_norm_kernel(T* out, const T* x, const T* gamma, std::int64_t rows, int dim) {
  constexpr float kSmallestLength = 1e-12F;
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * kWarpsPerBlock + threadIdx.x / kWarp;
  if (row >= rows) return;
  const WarpRow<T> share(x + row * dim, dim, threadIdx.x % kWarp);
  float squares = 0;
  share.visit([&](int, float value) { squares += value * value; });
  const float length = fmaxf(sqrtf(over_warp<Sum>(squares)), kSmallestLength);
  const float root = sqrtf(static_cast<float>(dim));
  share.map(out + row * dim, [&](int i, float value) {
    const float normalised = value / length * (to_float(gamma[i]) * root);
    if constexpr (kActivation == Activation::kSilu) return normalised / (1.0F + __expf(-normalised));
    return normalised;
  });
}

// A value that is no number stays none.
template <typename T>
__global__ void __launch_bounds__(kRowThreads)
    quantise_rows_kernel(__nv_fp8_storage_t* values, float* scale, const T* x, std::int64_t x_stride,
                         int dim) {
  constexpr float kLargest = 448.0F;
  using V = Vector<T>;
  struct alignas(V::kSize) Codes {
    __nv_fp8_storage_t values[V::kSize];
  };
  __shared__ float partial[kRowThreads / kWarp];
  const BlockRow<T> row(x + blockIdx.x * x_stride, dim, threadIdx.x);
  float largest = 0;
  row.visit([&](int, float value) { largest = fmaxf(largest, fabsf(value)); });
  largest = over_block<Largest>(largest, partial);
  // The quotient of a tiny number may be none that can be divided by.
  const float divisor = largest == 0 ? 1.0F : fmaxf(largest / kLargest, FLT_MIN);
  if (threadIdx.x == 0) scale[blockIdx.x] = divisor;
  __nv_fp8_storage_t* to = values + static_cast<std::int64_t>(blockIdx.x) * dim;
  row.visit_vectors([&](int i, const V& vector) {
    Codes codes;
#pragma unroll
    for (int j = 0; j < V::kSize; ++j)
      codes.values[j] =
          __nv_cvt_float_to_fp8(to_float(vector.values[j]) / divisor, __NV_SATFINITE, __NV_E4M3);
    *reinterpret_cast<Codes*>(to + i) = codes;
  });
}

// What values that are not finite look like: all bits of the exponent are set, in e4m3 those of the mantissa
// too. A word holds one value, two or four.
template <unsigned kBits, int kBitsOfValue>
struct NotFinite {
  static constexpr unsigned kMask = kBits;
  static constexpr int kWidth = kBitsOfValue;
};
using NotFiniteFp32 = NotFinite<0x7F800000U, 32>;
using NotFiniteBf16 = NotFinite<0x7F80U, 16>;
using NotFiniteFp16 = NotFinite<0x7C00U, 16>;
using NotFiniteE4m3 = NotFinite<0x7FU, 8>;

template <typename Bits>
__device__ inline bool has_not_finite(unsigned word) {
  bool found = false;
#pragma unroll
  for (int shift = 0; shift < 32; shift += Bits::kWidth)
    found |= (word >> shift & Bits::kMask) == Bits::kMask;
  return found;
}

template <typename Bits>
__global__ void find_not_finite_kernel(int* found, const std::uint8_t* bytes, std::int64_t size) {
  const std::int64_t threads = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  const std::int64_t thread = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  const std::int64_t vectors = size / static_cast<std::int64_t>(sizeof(uint4));
  bool here = false;
  for (std::int64_t i = thread; i < vectors; i += threads) {
    const uint4 vector = reinterpret_cast<const uint4*>(bytes)[i];
    here |= has_not_finite<Bits>(vector.x) || has_not_finite<Bits>(vector.y) ||
            has_not_finite<Bits>(vector.z) || has_not_finite<Bits>(vector.w);
  }
  // What is left behind whole vectors; zeros are finite.
  constexpr int kBytes = Bits::kWidth / 8;
  const std::int64_t begin = vectors * static_cast<std::int64_t>(sizeof(uint4)) + thread * kBytes;
  if (begin < size) {
    unsigned word = 0;
    for (int i = 0; i < kBytes; ++i) word |= static_cast<unsigned>(bytes[begin + i]) << (8 * i);
    here |= has_not_finite<Bits>(word);
  }
  if (here) *found = 1;
}

unsigned blocks_for(std::int64_t items, int per_block) {
  const std::int64_t blocks = (items + per_block - 1) / per_block;
  common::ensure(blocks > 0 && blocks <= INT32_MAX, "a kernel was given nothing, or too much, to do");
  return static_cast<unsigned>(blocks);
}

template <typename T>
void check_row_width(std::int64_t dim) {
  common::ensure(dim % Vector<T>::kSize == 0 && dim <= INT32_MAX,
                 "a kernel's rows are not whole vectors of 16 bytes");
}

// Tensors of dtype T as pointers of the device's type.
template <typename T>
T* data(const at::Tensor& x) {
  return static_cast<T*>(x.data_ptr());
}

// Calls fn.template operator()<T>() with the device's type for the tensor's dtype, on its device.
template <typename Fn>
void for_dtype_of(const at::Tensor& x, Fn fn) {
  const c10::cuda::CUDAGuard guard(x.device());
  if (x.scalar_type() == at::kBFloat16) {
    fn.template operator()<__nv_bfloat16>();
  } else {
    fn.template operator()<float>();
  }
  C10_CUDA_KERNEL_LAUNCH_CHECK();
}

cudaStream_t stream() {
  return c10::cuda::getCurrentCUDAStream();
}

}  // namespace

std::vector<int> compiled_architectures() {
  constexpr int kList[] = {__CUDA_ARCH_LIST__};  // nvcc's own macro: 800,900
  std::vector<int> capabilities;
  for (const int architecture : kList) capabilities.push_back(architecture / 10);
  return capabilities;
}

int compute_capability(const c10::Device& device) {
  int major = 0;
  int minor = 0;
  C10_CUDA_CHECK(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device.index()));
  C10_CUDA_CHECK(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device.index()));
  return 10 * major + minor;
}

bool apply_to(const at::Tensor& x) {
  if (!x.is_cuda()) return false;
  const bool bf16 = x.scalar_type() == at::kBFloat16;
  const std::int64_t vector = bf16 ? Vector<__nv_bfloat16>::kSize : Vector<float>::kSize;
  // Narrow models of tests may have rows that are no whole vectors; LibTorch's functions take those.
  const bool whole_vectors =
      x.stride(-1) == 1 && x.size(-1) % vector == 0 && (x.dim() < 2 || x.stride(-2) % vector == 0);
  return (bf16 || x.scalar_type() == at::kFloat) && whole_vectors &&
         reinterpret_cast<std::uintptr_t>(x.const_data_ptr()) % sizeof(float4) == 0;
}

void layer_norm_modulate(const at::Tensor& out, const at::Tensor& x, const at::Tensor& scale,
                         const at::Tensor& shift, double eps) {
  for_dtype_of(x, [&]<typename T>() {
    check_row_width<T>(x.size(1));
    layer_norm_modulate_kernel<T><<<blocks_for(x.size(0), 1), kRowThreads, 0, stream()>>>(
        data<T>(out), data<T>(x), x.stride(0), data<T>(scale), data<T>(shift), static_cast<int>(x.size(1)),
        static_cast<float>(eps));
  });
}

void rms_norm(const at::Tensor& out, const at::Tensor& x, const at::Tensor& weight, double eps) {
  for_dtype_of(x, [&]<typename T>() {
    check_row_width<T>(x.size(1));
    rms_norm_kernel<T><<<blocks_for(x.size(0), 1), kRowThreads, 0, stream()>>>(
        data<T>(out), data<T>(x), x.stride(0), data<T>(weight), static_cast<int>(x.size(1)),
        static_cast<float>(eps));
  });
}

void rms_norm_rotate(const at::Tensor& x, const at::Tensor& weight, double eps, const at::Tensor& cos,
                     const at::Tensor& sin) {
  common::ensure(x.is_contiguous() && cos.is_contiguous() && sin.is_contiguous(),
                 "rms_norm_rotate needs whole rows");
  for_dtype_of(x, [&]<typename T>() {
    check_row_width<T>(x.size(2));
    const std::int64_t heads_in_all = x.size(0) * x.size(1);
    const auto launch = [&](auto kernel, int group) {
      kernel<<<blocks_for(heads_in_all * group, kElementwiseThreads), kElementwiseThreads, 0, stream()>>>(
          data<T>(x), data<T>(weight), data<float>(cos), data<float>(sin), heads_in_all,
          static_cast<int>(x.size(1)), static_cast<int>(x.size(2)), static_cast<float>(eps));
    };
    constexpr int kSmallGroup = 16;
    if (x.size(2) <= kSmallGroup * Vector<T>::kSize) {
      launch(rms_norm_rotate_kernel<T, kSmallGroup>, kSmallGroup);
    } else {
      launch(rms_norm_rotate_kernel<T, kWarp>, kWarp);
    }
  });
}

void gated_residual(const at::Tensor& hidden, const at::Tensor& gate, const at::Tensor& branch) {
  common::ensure(hidden.is_contiguous() && branch.is_contiguous(), "gated_residual needs whole rows");
  for_dtype_of(hidden, [&]<typename T>() {
    check_row_width<T>(hidden.size(1));
    const std::int64_t vectors = hidden.numel() / Vector<T>::kSize;
    gated_residual_kernel<T><<<blocks_for(vectors, kElementwiseThreads), kElementwiseThreads, 0, stream()>>>(
        data<T>(hidden), data<T>(gate), data<T>(branch), vectors,
        static_cast<int>(hidden.size(1) / Vector<T>::kSize));
  });
}

void quantise_rows(const at::Tensor& values, const at::Tensor& scale, const at::Tensor& x) {
  common::ensure(values.is_contiguous() && scale.is_contiguous(), "quantise_rows writes whole rows");
  for_dtype_of(x, [&]<typename T>() {
    check_row_width<T>(x.size(1));
    quantise_rows_kernel<T><<<blocks_for(x.size(0), 1), kRowThreads, 0, stream()>>>(
        static_cast<__nv_fp8_storage_t*>(values.data_ptr()), data<float>(scale), data<T>(x), x.stride(0),
        static_cast<int>(x.size(1)));
  });
}

bool finds_not_finite_in(const at::Tensor& x) {
  const at::ScalarType dtype = x.scalar_type();
  return x.is_cuda() && x.is_contiguous() &&
         reinterpret_cast<std::uintptr_t>(x.const_data_ptr()) % sizeof(uint4) == 0 &&
         (dtype == at::kFloat || dtype == at::kBFloat16 || dtype == at::kHalf || dtype == at::kFloat8_e4m3fn);
}

void find_not_finite(const at::Tensor& found, const at::Tensor& x) {
  constexpr std::int64_t kMostBlocks = 1024;  // several for each multiprocessor
  const c10::cuda::CUDAGuard guard(x.device());
  const auto size = static_cast<std::int64_t>(x.nbytes());
  if (size == 0) return;
  const auto launch = [&](auto kernel) {
    constexpr std::int64_t kBytesPerBlock = kElementwiseThreads * sizeof(uint4);
    const std::int64_t blocks = std::min<std::int64_t>(kMostBlocks, blocks_for(size, kBytesPerBlock));
    kernel<<<static_cast<unsigned>(blocks), kElementwiseThreads, 0, stream()>>>(
        data<int>(found), static_cast<const std::uint8_t*>(x.const_data_ptr()), size);
  };
  switch (x.scalar_type()) {
    case at::kFloat:
      launch(find_not_finite_kernel<NotFiniteFp32>);
      break;
    case at::kBFloat16:
      launch(find_not_finite_kernel<NotFiniteBf16>);
      break;
    case at::kHalf:
      launch(find_not_finite_kernel<NotFiniteFp16>);
      break;
    default:
      launch(find_not_finite_kernel<NotFiniteE4m3>);
  }
  C10_CUDA_KERNEL_LAUNCH_CHECK();
}

void l2_norm(const at::Tensor& out, const at::Tensor& x, const at::Tensor& gamma, Activation activation) {
  common::ensure(x.is_contiguous() && out.is_contiguous(), "l2_norm needs whole rows");
  for_dtype_of(x, [&]<typename T>() {
    check_row_width<T>(x.size(1));
    const auto launch = [&](auto kernel) {
      kernel<<<blocks_for(x.size(0), kWarpsPerBlock), kWarpsPerBlock * kWarp, 0, stream()>>>(
          data<T>(out), data<T>(x), data<T>(gamma), x.size(0), static_cast<int>(x.size(1)));
    };
    if (activation == Activation::kSilu) {
      launch(l2_norm_kernel<T, Activation::kSilu>);
    } else {
      launch(l2_norm_kernel<T, Activation::kNone>);
    }
  });
}

}  // namespace layerpipe::model::kernels
