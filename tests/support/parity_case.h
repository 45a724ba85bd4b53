// The committed parity cases: small random models and what diffusers computes with them
// (tools/parity/make_fixtures.py).
#pragma once

#include <ATen/core/Tensor.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "runtime/request/request.h"
#include "tests/support/test_data.h"

namespace layerpipe::testing {

struct ParityCase {
  std::string name;
  std::filesystem::path folder;
  runtime::Request request;  // its picture is the one that the pipeline's own resize gave
  std::int64_t resolution = 0;
  bool has_bf16 = false;
  std::map<std::string, at::Tensor> expected;  // without the batch dimension

  std::filesystem::path model() const { return folder / "model"; }
  std::filesystem::path picture() const { return folder / "input.png"; }
};

std::vector<std::string> parity_case_names();
// Those that also hold what diffusers computes in bf16.
std::vector<std::string> bf16_parity_case_names();
ParityCase load_parity_case(const std::string& name);

// ‖value − truth‖ / ‖truth‖ in double; infinite when the shapes differ or a value is not finite.
double relative_l2(const at::Tensor& value, const at::Tensor& truth);

// Fails, with the error in the message, unless relative_l2(value, truth) <= limit.
::testing::AssertionResult is_close(const at::Tensor& value, const at::Tensor& truth, double limit);

// Fails unless shapes, dtypes and all values are equal.
::testing::AssertionResult is_equal(const at::Tensor& value, const at::Tensor& truth);

}  // namespace layerpipe::testing
