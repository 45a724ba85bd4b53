// What the NVIDIA driver says, before LibTorch is asked to use it. LibTorch's own answer to a machine that it
// cannot use is "no GPU", whatever the cause; the driver's library tells the causes apart.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace layerpipe::runtime {

struct GpuFacts {
  std::string name;    // "NVIDIA H200"
  int capability = 0;  // compute capability 9.0 is 90
  std::uint64_t total_bytes = 0;
  std::string uuid;              // "GPU-…", as nvidia-smi -L shows it; empty when the driver does not tell
  std::string pci_address;       // "0000:3B:00.0"; empty when the driver does not tell
  bool is_mig_instance = false;  // a part of a GPU that the driver shows as one
};

struct CudaDriver {
  int version = 0;             // of CUDA, as the driver counts: 13000 is 13.0
  std::string failure;         // why it does not start, in its own words; empty when it does
  std::vector<GpuFacts> gpus;  // those that CUDA_VISIBLE_DEVICES shows, in its order
};

// Asks the driver's library. Nothing when there is none. Makes no context, so it takes no memory on a GPU.
std::optional<CudaDriver> query_cuda_driver();

// "13.0", of a version or, with 10 in place of 1000, of a compute capability.
std::string version_text(int version, int major_unit = 1000);

}  // namespace layerpipe::runtime
