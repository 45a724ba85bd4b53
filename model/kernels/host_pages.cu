#include "model/kernels/host_pages.h"

#include <cuda_runtime_api.h>

namespace layerpipe::model::kernels {

bool can_pin_read_only(const c10::Device& device) {
  int supported = 0;
  const cudaError_t error =
      cudaDeviceGetAttribute(&supported, cudaDevAttrHostRegisterReadOnlySupported, device.index());
  return error == cudaSuccess && supported != 0;
}

bool pin_read_only(void* data, std::uint64_t bytes) {
  if (cudaHostRegister(data, bytes, cudaHostRegisterReadOnly | cudaHostRegisterPortable) == cudaSuccess)
    return true;
  cudaGetLastError();  // it is no error of what follows
  return false;
}

void unpin(void* data) {
  cudaHostUnregister(data);
}

}  // namespace layerpipe::model::kernels
