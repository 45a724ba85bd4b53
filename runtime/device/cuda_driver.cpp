#include "runtime/device/cuda_driver.h"

#include <dlfcn.h>

#include <array>
#include <memory>

namespace layerpipe::runtime {
namespace {

// The few functions of the driver's interface that are called, with its types spelled out: the build for CPUs
// has no toolkit. Source: CUDA Driver API reference, sections 6.2 to 6.5; the numbers are part of its ABI.
using Result = int;
constexpr Result kSuccess = 0;
constexpr Result kNoDevice = 100;
constexpr int kCapabilityMajor = 75;
constexpr int kCapabilityMinor = 76;

using Uuid = std::array<std::uint8_t, 16>;

struct CloseLibrary {
  void operator()(void* library) const { ::dlclose(library); }
};

// A function of the library; null when the library lacks it.
template <typename Function>
Function* find(void* library, const char* name) {
  return reinterpret_cast<Function*>(::dlsym(library, name));
}

struct Functions {
  explicit Functions(void* library)
      : init(find<Result(unsigned)>(library, "cuInit")),
        error_string(find<Result(Result, const char**)>(library, "cuGetErrorString")),
        driver_version(find<Result(int*)>(library, "cuDriverGetVersion")),
        device_count(find<Result(int*)>(library, "cuDeviceGetCount")),
        device_get(find<Result(int*, int)>(library, "cuDeviceGet")),
        device_name(find<Result(char*, int, int)>(library, "cuDeviceGetName")),
        device_attribute(find<Result(int*, int, int)>(library, "cuDeviceGetAttribute")),
        device_total(find<Result(std::size_t*, int)>(library, "cuDeviceTotalMem_v2")),
        device_uuid(find<Result(Uuid*, int)>(library, "cuDeviceGetUuid_v2")),
        device_pci_address(find<Result(char*, int, int)>(library, "cuDeviceGetPCIBusId")) {}

  bool are_complete() const {
    return init && error_string && driver_version && device_count && device_get && device_name &&
           device_attribute && device_total;
  }
  std::string text_of(Result result) const {
    const char* text = nullptr;
    if (error_string(result, &text) != kSuccess || text == nullptr) return "error " + std::to_string(result);
    return std::string(text) + " (error " + std::to_string(result) + ")";
  }

  Result (*init)(unsigned);
  Result (*error_string)(Result, const char**);
  Result (*driver_version)(int*);
  Result (*device_count)(int*);
  Result (*device_get)(int*, int);
  Result (*device_name)(char*, int, int);
  Result (*device_attribute)(int*, int, int);
  Result (*device_total)(std::size_t*, int);
  Result (*device_uuid)(Uuid*, int);              // may be missing
  Result (*device_pci_address)(char*, int, int);  // may be missing
};

// "GPU-01234567-89ab-cdef-0123-456789abcdef".
std::string text_of(const Uuid& uuid) {
  std::string text = "GPU";
  for (std::size_t i = 0; i < uuid.size(); ++i) {
    if (i == 0 || i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    constexpr const char* kDigits = "0123456789abcdef";
    text += {kDigits[uuid[i] >> 4], kDigits[uuid[i] & 15]};
  }
  return text;
}

GpuFacts facts_of(const Functions& functions, int index) {
  GpuFacts facts;
  int device = 0;
  if (functions.device_get(&device, index) != kSuccess) return facts;
  std::array<char, 256> name{};
  if (functions.device_name(name.data(), name.size() - 1, device) == kSuccess) facts.name = name.data();
  int major = 0;
  int minor = 0;
  functions.device_attribute(&major, kCapabilityMajor, device);
  functions.device_attribute(&minor, kCapabilityMinor, device);
  facts.capability = 10 * major + minor;
  std::size_t bytes = 0;
  if (functions.device_total(&bytes, device) == kSuccess) facts.total_bytes = bytes;
  Uuid uuid{};
  if (functions.device_uuid && functions.device_uuid(&uuid, device) == kSuccess) facts.uuid = text_of(uuid);
  std::array<char, 32> address{};
  if (functions.device_pci_address &&
      functions.device_pci_address(address.data(), address.size() - 1, device) == kSuccess)
    facts.pci_address = address.data();
  // Source: MIG User Guide, "Device Enumeration": "NVIDIA A100-SXM4-40GB MIG 1g.5gb".
  facts.is_mig_instance = facts.name.find(" MIG ") != std::string::npos;
  return facts;
}

}  // namespace

std::optional<CudaDriver> query_cuda_driver() {
  const std::unique_ptr<void, CloseLibrary> library(::dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL));
  if (!library) return std::nullopt;
  const Functions functions(library.get());
  if (!functions.are_complete()) return CudaDriver{.failure = "its library lacks functions that CUDA 12 has"};
  CudaDriver driver;
  functions.driver_version(&driver.version);
  const Result started = functions.init(0);
  if (started == kNoDevice) return driver;
  if (started != kSuccess) {
    driver.failure = functions.text_of(started);
    return driver;
  }
  int count = 0;
  functions.device_count(&count);
  for (int index = 0; index < count; ++index) driver.gpus.push_back(facts_of(functions, index));
  return driver;
}

std::string version_text(int version, int major_unit) {
  const int minor = version % major_unit;
  return std::to_string(version / major_unit) + "." + std::to_string(major_unit == 1000 ? minor / 10 : minor);
}

}  // namespace layerpipe::runtime
