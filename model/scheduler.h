// The flow-match Euler schedule. Source: diffusers, FlowMatchEulerDiscreteScheduler; equal to it bit for bit.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "model/config.h"

namespace layerpipe::model {

// Noise levels of a run, in the arithmetic that NumPy and torch use in the reference: fp32 after the first
// rounding.
struct Schedule {
  std::vector<float> sigmas;     // [steps + 1]: the last one is where the run ends
  std::vector<float> timesteps;  // [steps]: sigma · num_train_timesteps
  std::int64_t steps() const { return static_cast<std::int64_t>(timesteps.size()); }
};

// numpy.linspace in double: the step is rounded once, the last value is exact. count ≥ 1.
std::vector<double> linspace(double first, double last, std::int64_t count);

// Makes it from the noise levels of a pipeline (pipeline/pipeline.h), at least one, from the noisiest on:
// shifted by `mu` and as the config says.
Schedule make_schedule(const SchedulerConfig& config, const std::vector<double>& levels, double mu);

// One Euler step: latents + (sigma_next − sigma) · prediction, in fp32, given back in the prediction's dtype.
// As in the reference, the difference of the sigmas is rounded to the prediction's dtype first.
at::Tensor euler_step(const Schedule& schedule, std::int64_t step, const at::Tensor& latents,
                      const at::Tensor& prediction);

}  // namespace layerpipe::model
