#include "runtime/device/overhead.h"

namespace layerpipe::runtime {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

// A CUDA context with LibTorch in it, on an H200 with CUDA 13.
constexpr std::uint64_t kCudaContext = 512 * kMiB;
// What CUDA loads when kernels are first called: those of LibTorch, cuBLAS and cuDNN, and ours. With the
// context 0.68 GiB in every phase, by the driver's count (tools/bench_memory.py on an H200).
constexpr std::uint64_t kLoadedKernels = 184 * kMiB;
// cuBLAS's workspace, which it takes from LibTorch's allocator: 32 MiB on Hopper, 8 on older cards. It is the
// difference between the formulas and docs/performance.md at 640 and at 1024 px.
constexpr std::uint64_t kCublasWorkspace = 32 * kMiB;
// What LibTorch's allocator keeps of segments that it has filled in part: up to 0.05 GiB in a phase, by what
// it held beside the tensors (tools/bench_memory.py on an H200).
constexpr std::uint64_t kPartlyFilledSegments = 64 * kMiB;
// The stream that weights come over, and what the driver keeps of memory that was registered.
constexpr std::uint64_t kStreaming = 16 * kMiB;

}  // namespace

std::uint64_t context_bytes(const at::Device& device) {
  return device.is_cpu() ? 0 : kCudaContext;
}

std::uint64_t first_use_bytes(const at::Device& device) {
  return device.is_cpu() ? 0
                         : context_bytes(device) + kLoadedKernels + kCublasWorkspace + kPartlyFilledSegments;
}

std::uint64_t streaming_bytes(const at::Device& device) {
  return device.is_cpu() ? 0 : kStreaming;
}

std::uint64_t reserved_bytes(std::uint64_t tensor_bytes, const at::Device& device) {
  if (device.is_cpu()) return tensor_bytes;
  // Source: PyTorch, c10/cuda/CUDACachingAllocator: sizes are rounded to 512 bytes; from 10 MiB on a tensor
  // has a segment of its own, of whole 2 MiB; those above 1 MiB lie in segments of 20 MiB, whose rest is too
  // small for another of their size.
  constexpr std::uint64_t kOwnSegment = 10 * kMiB;
  constexpr std::uint64_t kSharedSegment = 20 * kMiB;
  constexpr std::uint64_t kSmall = 1 * kMiB;
  const std::uint64_t unit = tensor_bytes >= kOwnSegment ? 2 * kMiB : 512;
  const std::uint64_t rounded = (tensor_bytes + unit - 1) / unit * unit;
  if (rounded <= kSmall || rounded >= kOwnSegment) return rounded;
  return kSharedSegment / (kSharedSegment / rounded);
}

}  // namespace layerpipe::runtime
