// What is looked at between phases.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

namespace layerpipe::runtime {

// Throws InputError "`what` are not finite numbers" unless all values are.
void check_finite(const at::Tensor& tensor, const std::string& what);

// Waits until a GPU has done all that it was given: only then are times and failures those of the work.
void wait_for(const at::Device& device);

}  // namespace layerpipe::runtime
