#include "model/guidance.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/linalg_vector_norm.h>

namespace layerpipe::model {

at::Tensor guide(const at::Tensor& conditional, const at::Tensor& negative, double scale,
                 NormRescale rescale) {
  const at::Tensor combined = negative + (conditional - negative) * scale;
  if (rescale == NormRescale::kOff) return combined;
  const auto length = [](const at::Tensor& x) {
    return at::linalg_vector_norm(x, 2, {-1}, /*keepdim=*/true);
  };
  return combined * (length(conditional) / length(combined));
}

}  // namespace layerpipe::model
