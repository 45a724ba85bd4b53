#include "runtime/request/request_state.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/isfinite.h>

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

std::int32_t branches_of(const Request& request) {
  return request.uses_guidance() ? 2 : 1;
}

}  // namespace layerpipe::runtime
