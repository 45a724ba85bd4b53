#include "runtime/device/overhead.h"

namespace layerpipe::runtime {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

// A CUDA context with LibTorch in it, on an H200 with CUDA 13.
constexpr std::uint64_t kCudaContext = 512 * kMiB;
// What CUDA loads when kernels are first called: those of LibTorch, cuBLAS and cuDNN, and ours. Beside the
// context 0.18 GiB in the encode phase, by the driver's count (tools/bench_memory.py on two H200s).
constexpr std::uint64_t kLoadedKernels = 224 * kMiB;
// cuBLAS's workspace, which it takes from LibTorch's allocator: 32 MiB on Hopper, 8 on older cards. It is the
// difference between the formulas and docs/performance.md at 640 and at 1024 px.
constexpr std::uint64_t kCublasWorkspace = 32 * kMiB;

}  // namespace

std::uint64_t context_bytes(const at::Device& device) {
  return device.is_cpu() ? 0 : kCudaContext;
}

std::uint64_t first_use_bytes(const at::Device& device) {
  return device.is_cpu() ? 0 : context_bytes(device) + kLoadedKernels + kCublasWorkspace;
}

std::uint64_t reserved_bytes(std::uint64_t tensor_bytes, const at::Device& device) {
  if (device.is_cpu()) return tensor_bytes;
  // Source: PyTorch, c10/cuda/CUDACachingAllocator: sizes are rounded to 512 bytes; from 10 MiB on a tensor
  // has a segment of its own, of whole 2 MiB.
  constexpr std::uint64_t kOwnSegment = 10 * kMiB;
  const std::uint64_t unit = tensor_bytes >= kOwnSegment ? 2 * kMiB : 512;
  return (tensor_bytes + unit - 1) / unit * unit;
}

}  // namespace layerpipe::runtime
