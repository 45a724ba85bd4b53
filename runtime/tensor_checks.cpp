#include "runtime/tensor_checks.h"

#include <ATen/DeviceAccelerator.h>
#include <ATen/Functions.h>

#include "common/errors.h"

namespace layerpipe::runtime {

void check_finite(const at::Tensor& tensor, const std::string& what) {
  if (!at::isfinite(tensor).all().item<bool>()) {
    throw common::InputError(what + " are not finite numbers",
                             "The weights may be damaged, or need another dtype: try --dtype fp32.");
  }
}

void wait_for(const at::Device& device) {
  if (!device.is_cpu()) at::accelerator::synchronizeDevice(device.has_index() ? device.index() : 0);
}

}  // namespace layerpipe::runtime
