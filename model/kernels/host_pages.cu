#include "model/kernels/host_pages.h"

#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>

#include <map>
#include <mutex>

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

c10::Stream copy_stream(const c10::Device& device) {
  static std::mutex mutex;
  static std::map<c10::DeviceIndex, cudaStream_t> streams;
  const std::scoped_lock lock(mutex);
  cudaStream_t& stream = streams[device.index()];
  if (stream == nullptr) {
    const c10::cuda::CUDAGuard guard(device);
    C10_CUDA_CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  }
  return c10::cuda::getStreamFromExternal(stream, device.index()).unwrap();
}

}  // namespace layerpipe::model::kernels
