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

// The shift of the noise levels. Layered: sqrt(condition tokens / 256).
double layered_mu(std::int64_t condition_tokens);
// Text to image: linear between the scheduler's base and max shift in the number of image tokens.
double text_to_image_mu(const SchedulerConfig& config, std::int64_t image_tokens);

// Layered: linspace(1, 0, steps + 1) without its last value. Text to image: linspace(1, 1/steps, steps).
// steps ≥ 1.
Schedule make_schedule(const SchedulerConfig& config, PipelineClass pipeline, std::int64_t steps, double mu);

// One Euler step: latents + (sigma_next − sigma) · prediction, in fp32, given back in the prediction's dtype.
// As in the reference, the difference of the sigmas is rounded to the prediction's dtype first.
at::Tensor euler_step(const Schedule& schedule, std::int64_t step, const at::Tensor& latents,
                      const at::Tensor& prediction);

}  // namespace layerpipe::model
