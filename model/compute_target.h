// Where and in which precision something is computed, for the formulas that say what it takes.
#pragma once

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cstdint>

#include "model/ops/cpu_bf16.h"

namespace layerpipe::model {

struct ComputeTarget {
  at::Device device = at::kCPU;
  at::ScalarType compute_dtype = at::kFloat;
  std::int64_t threads = 1;                 // of the CPU, each of which works on a tile or a strip of its own
  bool cpu_has_bf16 = ops::cpu_has_bf16();  // ops/cpu_bf16.h, of the CPU that computes

  // Of `count` values in the compute dtype.
  std::uint64_t bytes(std::int64_t count) const {
    return static_cast<std::uint64_t>(count) * c10::elementSize(compute_dtype);
  }
  // How many of `tasks` are worked on at a time (ops/tiles.h).
  std::int64_t at_once(std::int64_t tasks) const {
    return device.is_cpu() ? std::clamp<std::int64_t>(threads, 1, std::max<std::int64_t>(tasks, 1)) : 1;
  }
  // Whether convolutions work on copies in fp32 (vae/vae_layers.h).
  bool convolves_in_fp32() const { return device.is_cpu() && compute_dtype == at::kBFloat16 && !cpu_has_bf16; }
  // Whether the operations of ops/reference.h make wider copies of what they work on.
  bool widens() const { return device.is_cpu() && compute_dtype != at::kFloat; }
};

}  // namespace layerpipe::model
