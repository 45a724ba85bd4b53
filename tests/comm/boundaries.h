// Boundaries for tests: what is in them follows from a number.
#pragma once

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include <string>

#include "comm/boundary.h"

namespace layerpipe::testing {

inline at::Tensor counted(at::IntArrayRef sizes, at::ScalarType dtype, std::int64_t first) {
  std::int64_t count = 1;
  for (const std::int64_t size : sizes) count *= size;
  return at::arange(first, first + count, at::kLong).remainder(251).to(dtype).reshape(sizes);
}

// Two tensors like those of a stage, whose shapes depend on the number too.
inline comm::Boundary numbered(std::int64_t number, at::ScalarType dtype = at::kBFloat16) {
  comm::Boundary boundary{
      .header = {.request = number, .branch = static_cast<std::int32_t>(number % 2), .step = 3},
      .tensors = {}};
  boundary.tensors.push_back({"hidden_states", counted({5 + number % 3, 7}, dtype, number)});
  boundary.tensors.push_back({"encoder_hidden_states", counted({2, 1, 4}, at::kFloat, 2 * number)});
  return boundary;
}

// The same bits, on whatever device.
inline void expect_same(const comm::Boundary& boundary, const comm::Boundary& expected) {
  EXPECT_EQ(boundary.header, expected.header);
  ASSERT_EQ(boundary.tensors.size(), expected.tensors.size());
  for (std::size_t i = 0; i < expected.tensors.size(); ++i) {
    EXPECT_EQ(boundary.tensors[i].name, expected.tensors[i].name);
    ASSERT_EQ(boundary.tensors[i].tensor.scalar_type(), expected.tensors[i].tensor.scalar_type());
    EXPECT_TRUE(at::equal(boundary.tensors[i].tensor.cpu(), expected.tensors[i].tensor.cpu()))
        << expected.tensors[i].name;
  }
}

inline comm::Boundary on(comm::Boundary boundary, at::Device device) {
  for (auto& tensor : boundary.tensors) tensor.tensor = tensor.tensor.to(device);
  return boundary;
}

}  // namespace layerpipe::testing
