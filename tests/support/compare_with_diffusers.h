// Whether a result is what diffusers computed for a parity case; for every kind of device.
#pragma once

#include <map>
#include <string>

#include "runtime/request/request.h"
#include "tests/support/parity_case.h"

namespace layerpipe::testing {

// The tensors of a result that a parity case may hold, by the names of the dump.
std::map<std::string, at::Tensor> tensors_by_name(const runtime::Result& result);

// Expects every tensor within `limit` (relative L2) of diffusers' fp32 result, the noise of the same bits,
// and the pixels one level apart at most, in at most one of a thousand values.
void expect_fp32_equals_diffusers(const ParityCase& parity, const runtime::Result& result, double limit);

// Expects every tensor to be at most `factor` times as far from diffusers' fp32 result as diffusers' own bf16
// result is.
void expect_bf16_is_as_near_as_diffusers(const ParityCase& parity, const runtime::Result& result,
                                         double factor);

}  // namespace layerpipe::testing
