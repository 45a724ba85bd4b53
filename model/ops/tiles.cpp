#include "model/ops/tiles.h"

#include <ATen/Parallel.h>
#include <omp.h>

#include <algorithm>
#include <exception>
#include <mutex>

namespace layerpipe::model::ops {
namespace {

// Large enough that a tile's matrix products run near a core's full speed, small enough that a stage of a
// small picture still feeds several cores.
constexpr std::int64_t kCpuTileRows = 128;
// Bounds the MLP's hidden layer: 8192 rows × 12288 × 2 bytes = 192 MiB.
constexpr std::int64_t kGpuLargestTileRows = 8192;
constexpr std::int64_t kGpuTileMultiple = 128;

constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

}  // namespace

void for_each_task(const c10::Device& device, std::int64_t count,
                   const std::function<void(std::int64_t)>& task) {
  const int threads = at::get_num_threads();
  if (!device.is_cpu() || threads == 1 || omp_in_parallel() != 0) {
    for (std::int64_t i = 0; i < count; ++i) task(i);
    return;
  }
  // LibTorch's own parallel_for does not do: oneDNN chooses a convolution's blocking, and so the order of its
  // sums, by the number of threads that it could start, also where it is not going to start any. That number
  // is a property of the OpenMP task. LibTorch sets it for a new thread when that thread first asks it for
  // anything, so it is asked before.
  std::mutex mutex;
  std::exception_ptr failure;
#pragma omp parallel num_threads(threads)
  {
    at::get_num_threads();
    omp_set_num_threads(1);
#pragma omp for schedule(dynamic, 1)
    for (std::int64_t i = 0; i < count; ++i) {
      try {
        task(i);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!failure) failure = std::current_exception();
      }
    }
  }
  if (failure) std::rethrow_exception(failure);
}

std::int64_t rows_per_tile(const c10::Device& device, std::int64_t rows) {
  if (device.is_cpu()) return kCpuTileRows;
  const std::int64_t tiles = std::max<std::int64_t>(1, ceil_div(rows, kGpuLargestTileRows));
  return ceil_div(ceil_div(rows, tiles), kGpuTileMultiple) * kGpuTileMultiple;
}

void for_each_row_tile(const c10::Device& device, std::int64_t rows,
                       const std::function<void(common::Range)>& body) {
  const std::int64_t height = rows_per_tile(device, rows);
  for_each_task(device, ceil_div(rows, height), [&](std::int64_t tile) {
    body({tile * height, std::min(rows, (tile + 1) * height)});
  });
}

}  // namespace layerpipe::model::ops
