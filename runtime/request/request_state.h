// What rank 0 knows of a request while it is worked on, and the facts that every rank derives from it.
#pragma once

#include <cstdint>
#include <exception>
#include <span>
#include <string>
#include <vector>

#include "model/config.h"
#include "model/pipeline/token_grid.h"
#include "model/scheduler.h"
#include "runtime/request/request.h"

namespace layerpipe::runtime {

// The first stage's rank keeps one for each request of a run.
struct RequestState {
  Result result;
  std::exception_ptr failure;  // why the request is not worked on any more

  // Fails the request, and it alone, unless all of the tensor's values are finite: "`what` are not finite
  // numbers". An earlier failure stays.
  void require_finite(const at::Tensor& tensor, const std::string& what);
};

// The token grid of a request's picture and layers.
model::TokenGrid grid_of(const Request& request, const model::ModelConfig& model);

// The noise levels and timesteps of its steps.
model::Schedule schedule_of(const Request& request, const model::ModelConfig& model);

// The schedules that the requests have, each once, in the order of the first requests that have them: those
// of one size of picture and number of steps share theirs.
std::vector<model::Schedule> schedules_of(std::span<const Request> requests, const model::ModelConfig& model);
// The timesteps of these schedules, one after the other.
std::vector<float> timesteps_of(std::span<const Request> requests, const model::ModelConfig& model);

// 2 with guidance, else 1.
std::int32_t branches_of(const Request& request);

}  // namespace layerpipe::runtime
