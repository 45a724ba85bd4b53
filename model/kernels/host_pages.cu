#include "model/kernels/host_pages.h"

#include <cuda_runtime_api.h>

namespace layerpipe::model::kernels {

namespace {

// What fails here is no error of what follows, so the runtime does not keep it.
bool is_done(cudaError_t error) {
  if (error != cudaSuccess) cudaGetLastError();
  return error == cudaSuccess;
}

}  // namespace

bool can_pin_read_only(const c10::Device& device) {
  int supported = 0;
  return is_done(
             cudaDeviceGetAttribute(&supported, cudaDevAttrHostRegisterReadOnlySupported, device.index())) &&
         supported != 0;
}

bool pin_read_only(void* data, std::uint64_t bytes) {
  return is_done(cudaHostRegister(data, bytes, cudaHostRegisterReadOnly | cudaHostRegisterPortable));
}

void unpin(void* data) {
  is_done(cudaHostUnregister(data));
}

}  // namespace layerpipe::model::kernels
