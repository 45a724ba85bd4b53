// Classifier-free guidance.
#pragma once

#include <ATen/core/Tensor.h>

namespace layerpipe::model {

enum class NormRescale { kOff, kOn };

// negative + scale · (conditional − negative), in the compute dtype and in this order. With the rescale,
// every token gets the length over its channels that the conditional prediction has. Both predictions
// [tokens, channels].
at::Tensor guide(const at::Tensor& conditional, const at::Tensor& negative, double scale,
                 NormRescale rescale);

}  // namespace layerpipe::model
