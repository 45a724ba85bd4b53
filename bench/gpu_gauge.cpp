#include "bench/gpu_gauge.h"

#include <dlfcn.h>

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "bench/sustained.h"

namespace layerpipe::bench {
namespace {

// Source: NVML API reference; these functions have kept their form since the first version.
using Handle = void*;
constexpr int kSuccess = 0;
constexpr int kSmClock = 1;
constexpr double kMilli = 1e-3;
constexpr std::chrono::milliseconds kBetweenLooks{100};

// The driver's number of the program's GPU: CUDA_VISIBLE_DEVICES may leave some out.
unsigned number_of(const c10::Device& device) {
  const auto index = static_cast<std::size_t>(std::max<int>(device.index(), 0));
  const char* visible = std::getenv("CUDA_VISIBLE_DEVICES");
  std::vector<unsigned> numbers;
  for (const char* text = visible; text != nullptr && *text != '\0';) {
    char* end = nullptr;
    const unsigned long number = std::strtoul(text, &end, 10);
    if (end == text) break;  // names of GPUs are left to chance: most machines have one
    numbers.push_back(static_cast<unsigned>(number));
    text = *end == ',' ? end + 1 : end;
  }
  return index < numbers.size() ? numbers[index] : static_cast<unsigned>(index);
}

}  // namespace

struct GpuGauge::Nvml {
  void* library = nullptr;
  Handle device = nullptr;
  int (*shut_down)() = nullptr;
  int (*clock)(Handle, int, unsigned*) = nullptr;
  int (*power)(Handle, unsigned*) = nullptr;

  std::mutex mutex;
  std::condition_variable ended;
  bool is_ending = false;  // guarded by the mutex
  std::thread thread;
  double megahertz = 0;  // sums
  double watts = 0;
  int looks = 0;

  ~Nvml() {
    if (shut_down != nullptr) shut_down();
    if (library != nullptr) ::dlclose(library);
  }

  template <typename Function>
  bool find(Function& function, const char* name) {
    function = reinterpret_cast<Function>(::dlsym(library, name));
    return function != nullptr;
  }

  bool open(const c10::Device& wanted) {
    library = ::dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) return false;
    int (*begin)() = nullptr;
    int (*handle)(unsigned, Handle*) = nullptr;
    if (!find(begin, "nvmlInit_v2") || !find(handle, "nvmlDeviceGetHandleByIndex_v2") ||
        !find(clock, "nvmlDeviceGetClockInfo") || !find(power, "nvmlDeviceGetPowerUsage") ||
        begin() != kSuccess)
      return false;
    find(shut_down, "nvmlShutdown");
    return handle(number_of(wanted), &device) == kSuccess;
  }

  void look() {
    std::unique_lock lock(mutex);
    while (!ended.wait_for(lock, kBetweenLooks, [&] { return is_ending; })) {
      unsigned sm = 0;
      unsigned milliwatts = 0;
      if (clock(device, kSmClock, &sm) != kSuccess || power(device, &milliwatts) != kSuccess) continue;
      megahertz += sm;
      watts += kMilli * milliwatts;
      ++looks;
    }
  }

  void end() {
    {
      const std::scoped_lock lock(mutex);
      is_ending = true;
    }
    ended.notify_all();
    if (thread.joinable()) thread.join();
  }
};

GpuGauge::GpuGauge(const c10::Device& device) {
  if (device.is_cpu()) return;
  auto nvml = std::make_unique<Nvml>();
  if (nvml->open(device)) nvml_ = std::move(nvml);
}

GpuGauge::~GpuGauge() {
  if (nvml_) nvml_->end();
}

void GpuGauge::start() {
  if (nvml_) nvml_->thread = std::thread([this] { nvml_->look(); });
}

std::optional<GpuState> GpuGauge::stop() {
  if (!nvml_) return std::nullopt;
  nvml_->end();
  if (nvml_->looks == 0) return std::nullopt;
  return GpuState{.sm_mhz = nvml_->megahertz / nvml_->looks, .watts = nvml_->watts / nvml_->looks};
}

}  // namespace layerpipe::bench
