#include "model/scheduler.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/full.h>

#include <cmath>

namespace layerpipe::model {
namespace {

// Constants meet float arrays as floats, which is how NumPy treats Python numbers.
void shift_sigmas(const SchedulerConfig& config, double mu, std::vector<float>& sigmas) {
  if (!config.use_dynamic_shifting) {
    const auto shift = static_cast<float>(config.shift);
    const auto shift_minus_one = static_cast<float>(config.shift - 1.0);
    for (float& s : sigmas) s = shift * s / (1.0F + shift_minus_one * s);
    return;
  }
  const auto m =
      static_cast<float>(config.time_shift_type == TimeShiftType::kExponential ? std::exp(mu) : mu);
  for (float& s : sigmas) s = m / (m + (1.0F / s - 1.0F));
}

void stretch_to_terminal(double terminal, std::vector<float>& sigmas) {
  const float scale = (1.0F - sigmas.back()) / static_cast<float>(1.0 - terminal);
  for (float& s : sigmas) s = 1.0F - (1.0F - s) / scale;
}

// Re-spaces the levels between the first and the last one, in double as NumPy's linspace gives them.
void respace(SigmaSpacing spacing, std::vector<float>& sigmas) {
  if (spacing == SigmaSpacing::kAsShifted) return;
  constexpr double kRho =
      7.0;  // Karras et al. 2022, "Elucidating the Design Space of Diffusion-Based Generative Models"
  const double largest = sigmas.front();
  const double smallest = sigmas.back();
  const auto count = static_cast<std::int64_t>(sigmas.size());
  if (spacing == SigmaSpacing::kKarras) {
    const std::vector<double> ramp = linspace(0.0, 1.0, count);
    const double from = std::pow(largest, 1 / kRho);
    const double to = std::pow(smallest, 1 / kRho);
    for (std::size_t i = 0; i < sigmas.size(); ++i) {
      sigmas[i] = static_cast<float>(std::pow(from + ramp[i] * (to - from), kRho));
    }
  } else {
    const std::vector<double> ramp = linspace(std::log(largest), std::log(smallest), count);
    for (std::size_t i = 0; i < sigmas.size(); ++i) sigmas[i] = static_cast<float>(std::exp(ramp[i]));
  }
}

}  // namespace

std::vector<double> linspace(double first, double last, std::int64_t count) {
  std::vector<double> values(static_cast<std::size_t>(count), first);
  if (count == 1) return values;
  const double step = (last - first) / static_cast<double>(count - 1);
  for (std::int64_t i = 1; i < count; ++i) {
    values[static_cast<std::size_t>(i)] = static_cast<double>(i) * step + first;
  }
  values.back() = last;
  return values;
}

Schedule make_schedule(const SchedulerConfig& config, const std::vector<double>& levels, double mu) {
  Schedule schedule;
  schedule.sigmas.assign(levels.begin(), levels.end());
  shift_sigmas(config, mu, schedule.sigmas);
  // A schedule of one step has sigma 1 alone: nothing to stretch, and 0 / 0 in the reference.
  const bool stretchable = schedule.sigmas.back() != 1.0F;
  if (config.shift_terminal && stretchable) stretch_to_terminal(*config.shift_terminal, schedule.sigmas);
  respace(config.spacing, schedule.sigmas);
  if (config.invert_sigmas) {
    for (float& s : schedule.sigmas) s = 1.0F - s;
  }
  for (const float s : schedule.sigmas) {
    schedule.timesteps.push_back(s * static_cast<float>(config.num_train_timesteps));
  }
  schedule.sigmas.push_back(config.invert_sigmas ? 1.0F : 0.0F);
  return schedule;
}

at::Tensor euler_step(const Schedule& schedule, std::int64_t step, const at::Tensor& latents,
                      const at::Tensor& prediction) {
  const auto index = static_cast<std::size_t>(step);
  const float dt = schedule.sigmas[index + 1] - schedule.sigmas[index];
  const float rounded = at::full({}, dt, at::kFloat).to(prediction.scalar_type()).item<float>();
  return (latents.to(at::kFloat) + prediction * rounded).to(prediction.scalar_type());
}

}  // namespace layerpipe::model
