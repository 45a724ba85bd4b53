#include "model/ops/tiles.h"

#include <ATen/Parallel.h>

#include <algorithm>

namespace layerpipe::model::ops {
namespace {

// Large enough that a tile's matrix products run near a core's full speed, small enough that a stage of a small picture still
// feeds several cores.
constexpr std::int64_t kCpuTileRows = 128;
// Bounds the MLP's hidden layer: 8192 rows × 12288 × 2 bytes = 192 MiB.
constexpr std::int64_t kGpuLargestTileRows = 8192;
constexpr std::int64_t kGpuTileMultiple = 128;

constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

}  // namespace

void for_each_task(const c10::Device& device, std::int64_t count, const std::function<void(std::int64_t)>& task) {
  if (!device.is_cpu()) {
    for (std::int64_t i = 0; i < count; ++i) task(i);
    return;
  }
  // A range of one would be run outside of a parallel region, where the functions inside would use all threads themselves.
  at::parallel_for(0, std::max<std::int64_t>(count, 2), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < std::min(end, count); ++i) task(i);
  });
}

std::int64_t rows_per_tile(const c10::Device& device, std::int64_t rows) {
  if (device.is_cpu()) return kCpuTileRows;
  const std::int64_t tiles = std::max<std::int64_t>(1, ceil_div(rows, kGpuLargestTileRows));
  return ceil_div(ceil_div(rows, tiles), kGpuTileMultiple) * kGpuTileMultiple;
}

void for_each_row_tile(const c10::Device& device, std::int64_t rows, const std::function<void(RowRange)>& body) {
  const std::int64_t height = rows_per_tile(device, rows);
  for_each_task(device, ceil_div(rows, height), [&](std::int64_t tile) {
    body({tile * height, std::min(rows, (tile + 1) * height)});
  });
}

}  // namespace layerpipe::model::ops
