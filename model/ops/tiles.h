// Cutting work into tiles whose borders depend on shapes alone.
//
// On the CPU every tile is computed by one thread, and tiles are shared out among threads: how many threads
// there are then changes no bit of a result, while one matrix product spread over several threads may add in
// another order. On a GPU tiles run one after another; they bound the size of what lies between two
// operations.
#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <functional>

#include "common/range.h"

namespace layerpipe::model::ops {

// Calls task(i) for each i < count; on the CPU on as many threads as LibTorch uses, each of them
// single-threaded also inside of LibTorch's own functions. The first exception is passed on.
void for_each_task(const c10::Device& device, std::int64_t count,
                   const std::function<void(std::int64_t)>& task);

// The height of row tiles for a tensor of `rows` rows: a function of the row count and the kind of device
// only.
std::int64_t rows_per_tile(const c10::Device& device, std::int64_t rows);

// Calls body(range) for each row tile of 0 … rows - 1.
void for_each_row_tile(const c10::Device& device, std::int64_t rows,
                       const std::function<void(common::Range)>& body);

}  // namespace layerpipe::model::ops
