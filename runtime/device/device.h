// Which device a rank computes on, and what is known of it.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "runtime/device/cuda_driver.h"

namespace layerpipe::runtime {

enum class DeviceChoice { kAuto, kCuda, kCpu };

struct DeviceFacts {
  at::Device device = at::kCPU;
  std::string name;              // "NVIDIA H200", or the processor's
  int capability = 0;            // compute capability 9.0 is 90; 0 for the CPU
  int driver = 0;                // CUDA version of the driver, 13000 is 13.0; 0 for the CPU
  std::string uuid;              // of a GPU: "GPU-…"; empty for the CPU, or when the driver does not tell
  std::string pci_address;       // of a GPU: "0000:3B:00.0"; empty likewise
  bool is_mig_instance = false;  // a part of a GPU that the driver shows as one
  std::string remark;            // why `auto` did not take the GPU that is there; empty otherwise
};

// Why no GPU can be used, and what to do; an empty `reason` when GPU `index` can.
struct GpuRefusal {
  std::string reason;
  std::string cure;
};

// What this build needs of a GPU and its driver.
struct GpuNeeds {
  int cuda_runtime = 0;  // LibTorch's version of CUDA, 13000 is 13.0; 0 when it has none
  std::vector<int>
      compiled_for;  // compute capabilities of our own kernels, 90 is 9.0; none when there are none
};

// Judges what the driver says. Pure, so that it is tested for machines that are not at hand.
GpuRefusal judge_gpu(const std::optional<CudaDriver>& driver, const GpuNeeds& needs, std::size_t index);

// A rank's place among those of its host, which share its GPUs: one each, in the order of ranks.
struct HostPlace {
  int index = 0;
  int count = 1;
};

// Throws InputError, with the cause, when a GPU is asked for and cannot be used, or when there are fewer GPUs
// that will do than ranks, unless there is one: every rank may be shown its own. Without `place` the rank is
// alone.
DeviceFacts choose_device(DeviceChoice choice, const HostPlace& place = {});

// Makes it this thread's device. LibTorch computes wherever tensors lie, but returns to the thread's device
// after every operation; that is GPU 0 unless it is told, and would cost every rank of a host a context
// there.
void use_device(const at::Device& device);

// All GPUs of this machine that can be used, in the driver's order.
std::vector<DeviceFacts> usable_gpus();

// Waits until a GPU has done all that it was given: only then are times and failures those of the work.
void wait_for(const at::Device& device);

// Waits for what this thread has given it to compute, but not for channels, which may wait for another rank.
void wait_for_computing(const at::Device& device);

}  // namespace layerpipe::runtime
