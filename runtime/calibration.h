// How fast a device is, from a short measurement.
#pragma once

#include <ATen/core/Tensor.h>

namespace layerpipe::runtime {

// Floating-point operations per second of large matrix products on the device (two for each multiply-add).
// Takes a tenth of a second or so, and on a GPU 100 MB for that time.
double measure_operations_per_second(const at::Device& device, at::ScalarType dtype);

}  // namespace layerpipe::runtime
