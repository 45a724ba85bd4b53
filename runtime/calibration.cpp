#include "runtime/calibration.h"

#include <ATen/Functions.h>

#include <algorithm>
#include <limits>

#include "runtime/clock.h"
#include "runtime/device.h"

namespace layerpipe::runtime {

double measure_operations_per_second(const at::Device& device, at::ScalarType dtype) {
  // On a CPU a product of one tile: what the model computes is cut into tiles too.
  const std::int64_t size = device.is_cpu() ? 144 : 4096;
  constexpr int kRuns = 5;
  const auto options = at::TensorOptions().device(device).dtype(dtype);
  const at::Tensor a = at::ones({size, size}, options);
  const at::Tensor b = at::ones({size, size}, options);
  at::Tensor out = at::mm(a, b);
  wait_for(device);
  double least = std::numeric_limits<double>::infinity();
  for (int run = 0; run < kRuns; ++run) {
    const double start = now();
    at::mm_out(out, a, b);
    wait_for(device);
    least = std::min(least, now() - start);
  }
  const auto n = static_cast<double>(size);
  return 2 * n * n * n / least;
}

}  // namespace layerpipe::runtime
