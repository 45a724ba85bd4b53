#include "runtime/request/request_state.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/isfinite.h>

#include <set>
#include <utility>

#include "common/errors.h"
#include "model/pipeline/pipeline.h"

namespace layerpipe::runtime {

void RequestState::require_finite(const at::Tensor& tensor, const std::string& what) {
  if (failure || at::isfinite(tensor).all().item<bool>()) return;
  failure = std::make_exception_ptr(
      common::InputError(what + " are not finite numbers",
                         "The weights may be damaged, or need another dtype: try --dtype fp32."));
}

model::TokenGrid grid_of(const Request& request, const model::ModelConfig& model) {
  const common::Size picture{.width = request.picture.size(1), .height = request.picture.size(0)};
  return pipeline_of(model.pipeline).token_grid(model, picture, request.layers);
}

model::Schedule schedule_of(const Request& request, const model::ModelConfig& model) {
  return pipeline_of(model.pipeline)
      .schedule(model.scheduler, request.steps, grid_of(request, model).frame_tokens());
}

std::vector<model::Schedule> schedules_of(std::span<const Request> requests,
                                          const model::ModelConfig& model) {
  std::vector<model::Schedule> schedules;
  std::set<std::pair<std::int64_t, std::int64_t>> known;  // by what schedule_of() depends on
  for (const Request& request : requests) {
    if (known.emplace(grid_of(request, model).frame_tokens(), request.steps).second)
      schedules.push_back(schedule_of(request, model));
  }
  return schedules;
}

std::vector<float> timesteps_of(std::span<const Request> requests, const model::ModelConfig& model) {
  std::vector<float> timesteps;
  for (const model::Schedule& schedule : schedules_of(requests, model))
    timesteps.insert(timesteps.end(), schedule.timesteps.begin(), schedule.timesteps.end());
  return timesteps;
}

std::int32_t branches_of(const Request& request) {
  return request.uses_guidance() ? 2 : 1;
}

}  // namespace layerpipe::runtime
