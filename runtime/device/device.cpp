#include "runtime/device/device.h"

#include <ATen/Context.h>
#include <ATen/DeviceAccelerator.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <utility>

#include "common/errors.h"
#include "model/kernels/kernels.h"

namespace layerpipe::runtime {
namespace {

constexpr int kLeastCapability = 80;  // bf16 in tensor cores
constexpr int kCudaMajorUnit = 1000;
constexpr const char* kTakeCpu = "take --device cpu";

// 0 when LibTorch was built without CUDA.
int cuda_version_of_libtorch() {
  try {
    return static_cast<int>(at::globalContext().versionCUDART());
  } catch (const c10::Error&) {
    return 0;
  }
}

std::string name_of_processor() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);) {
    const auto colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "CPU";
}

std::string capability_text(int capability) {
  return version_text(capability, 10);
}

DeviceFacts facts_of(const CudaDriver& driver, std::size_t index) {
  const GpuFacts& gpu = driver.gpus[index];
  return {.device = at::Device(at::kCUDA, static_cast<at::DeviceIndex>(index)),
          .name = gpu.name,
          .capability = gpu.capability,
          .driver = driver.version,
          .uuid = gpu.uuid,
          .pci_address = gpu.pci_address,
          .is_mig_instance = gpu.is_mig_instance};
}

}  // namespace

GpuRefusal judge_gpu(const std::optional<CudaDriver>& driver, const GpuNeeds& needs, std::size_t index) {
  const std::string or_cpu = std::string(", or ") + kTakeCpu + ".";
  if (needs.cuda_runtime == 0) {
    return {"this layerpipe was built with a LibTorch for CPUs only",
            "Build it with the torch package for CUDA" + or_cpu};
  }
  const std::string driver_needed =
      "Install an NVIDIA driver for CUDA " + version_text(needs.cuda_runtime) + " or newer" + or_cpu;
  if (!driver)
    return {"this machine has no NVIDIA driver: its library libcuda.so.1 was not found", driver_needed};
  const bool says_its_version = driver->version != 0;
  if (says_its_version && driver->version / kCudaMajorUnit < needs.cuda_runtime / kCudaMajorUnit) {
    return {"the NVIDIA driver is too old: it is for CUDA " + version_text(driver->version) +
                ", and this layerpipe needs one for CUDA " + version_text(needs.cuda_runtime),
            driver_needed};
  }
  if (!driver->failure.empty()) {
    return {
        "the NVIDIA driver does not start: " + driver->failure,
        "Check with nvidia-smi; often the machine has to be started again after an update of the driver."};
  }
  if (index >= driver->gpus.size()) {
    return {"the NVIDIA driver shows no GPU",
            "Check with nvidia-smi, and the environment variable CUDA_VISIBLE_DEVICES" + or_cpu};
  }
  const GpuFacts& gpu = driver->gpus[index];
  const std::string found = "GPU " + std::to_string(index) + " (" + gpu.name + ") has compute capability " +
                            capability_text(gpu.capability);
  if (gpu.capability < kLeastCapability) {
    return {found + "; layerpipe needs " + capability_text(kLeastCapability) + " or more",
            "Choose another GPU with CUDA_VISIBLE_DEVICES" + or_cpu};
  }
  const auto least = std::min_element(needs.compiled_for.begin(), needs.compiled_for.end());
  if (least != needs.compiled_for.end() && gpu.capability < *least) {
    return {found + "; this layerpipe was compiled for " + capability_text(*least) + " or more",
            "Build it with -DLAYERPIPE_CUDA_ARCHITECTURES=" + std::to_string(gpu.capability) + or_cpu};
  }
  return {};
}

DeviceFacts choose_device(DeviceChoice choice, const HostPlace& place) {
  const DeviceFacts cpu{.device = at::kCPU, .name = name_of_processor()};
  if (choice == DeviceChoice::kCpu) return cpu;
  const GpuNeeds needs{.cuda_runtime = cuda_version_of_libtorch(),
                       .compiled_for = model::kernels::compiled_architectures()};
  const std::optional<CudaDriver> driver = query_cuda_driver();
  // The GPUs that will do, else the first one's refusal.
  GpuRefusal refusal = judge_gpu(driver, needs, 0);
  std::vector<std::size_t> usable;
  for (std::size_t i = 0; driver && i < driver->gpus.size(); ++i) {
    if (judge_gpu(driver, needs, i).reason.empty()) usable.push_back(i);
  }
  if (!usable.empty()) refusal = {};
  if (refusal.reason.empty() && !at::globalContext().hasCUDA()) {
    refusal = {"LibTorch cannot use the GPU that the NVIDIA driver shows",
               std::string("Check with nvidia-smi, or ") + kTakeCpu + "."};
  }
  if (!refusal.reason.empty()) {
    if (choice == DeviceChoice::kCuda)
      throw common::InputError("--device cuda: " + refusal.reason, refusal.cure);
    DeviceFacts facts = cpu;
    if (driver && !driver->gpus.empty()) facts.remark = refusal.reason;
    return facts;
  }
  // A launcher that gives every rank a GPU of its own shows each rank one only (check_own_gpus() looks
  // whether it does); else the ranks of a host take those that all are shown in turn.
  const bool is_given = usable.size() == 1 && !driver->gpus[usable[0]].uuid.empty();
  if (!is_given && static_cast<std::size_t>(place.count) > usable.size()) {
    throw common::InputError(std::to_string(place.count) + " ranks run on this host, which has " +
                                 std::to_string(usable.size()) + " GPUs that can be used",
                             "Start one rank for each GPU, or take --device cpu.");
  }
  return facts_of(*driver, usable[is_given ? 0 : static_cast<std::size_t>(place.index)]);
}

void use_device(const at::Device& device) {
  if (!device.is_cpu()) at::accelerator::setDeviceIndex(device.index());
}

std::vector<DeviceFacts> usable_gpus() {
  const GpuNeeds needs{.cuda_runtime = cuda_version_of_libtorch(),
                       .compiled_for = model::kernels::compiled_architectures()};
  const std::optional<CudaDriver> driver = query_cuda_driver();
  std::vector<DeviceFacts> gpus;
  for (std::size_t index = 0; driver && index < driver->gpus.size(); ++index) {
    if (!judge_gpu(driver, needs, index).reason.empty() || !at::globalContext().hasCUDA()) continue;
    gpus.push_back(facts_of(*driver, index));
  }
  return gpus;
}

void wait_for(const at::Device& device) {
  if (!device.is_cpu()) at::accelerator::synchronizeDevice(device.has_index() ? device.index() : 0);
}

void wait_for_computing(const at::Device& device) {
  if (!device.is_cpu())
    at::accelerator::getCurrentStream(device.has_index() ? device.index() : at::DeviceIndex{0}).synchronize();
}

}  // namespace layerpipe::runtime
