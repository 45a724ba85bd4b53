// A libcuda.so.1 for tests: a driver and one GPU as the environment describes them. It has the functions that
// layerpipe asks before it lets LibTorch use a GPU, and no others.
#include <cstddef>
#include <cstdlib>
#include <cstring>

namespace {

int number(const char* name) {
  const char* text = std::getenv(name);
  return text == nullptr ? 0 : std::atoi(text);
}

constexpr int kSuccess = 0;
constexpr int kNotSupported = 801;

int copy_variable(const char* name, char* text, int length) {
  const char* value = std::getenv(name);
  if (value == nullptr) return kNotSupported;
  std::strncpy(text, value, static_cast<std::size_t>(length));
  return kSuccess;
}
constexpr int kCapabilityMajor = 75;

}  // namespace

extern "C" {

int cuInit(unsigned) {
  return number("FAKE_CUDA_INIT");
}
int cuGetErrorString(int, const char** text) {
  *text = "the fake driver says so";
  return kSuccess;
}
int cuDriverGetVersion(int* version) {
  *version = number("FAKE_CUDA_VERSION");
  return kSuccess;
}
int cuDeviceGetCount(int* count) {
  *count = number("FAKE_CUDA_GPUS");
  return kSuccess;
}
int cuDeviceGet(int* device, int index) {
  *device = index;
  return kSuccess;
}
int cuDeviceGetName(char* name, int length, int) {
  if (copy_variable("FAKE_CUDA_NAME", name, length) != kSuccess)
    std::strncpy(name, "Fake GPU", static_cast<std::size_t>(length));
  return kSuccess;
}
int cuDeviceGetUuid_v2(unsigned char* uuid, int) {
  if (std::getenv("FAKE_CUDA_UUID") == nullptr) return kNotSupported;
  for (int i = 0; i < 16; ++i) uuid[i] = static_cast<unsigned char>(16 * i + number("FAKE_CUDA_UUID"));
  return kSuccess;
}
int cuDeviceGetPCIBusId(char* address, int length, int) {
  return copy_variable("FAKE_CUDA_PCI", address, length);
}
int cuDeviceGetAttribute(int* value, int attribute, int) {
  const int capability = number("FAKE_CUDA_CAPABILITY");
  *value = attribute == kCapabilityMajor ? capability / 10 : capability % 10;
  return kSuccess;
}
int cuDeviceTotalMem_v2(std::size_t* bytes, int) {
  *bytes = std::size_t{16} << 30;
  return kSuccess;
}

}  // extern "C"
