#include "model/rotary.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/outer.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/reciprocal.h>

#include <algorithm>

namespace layerpipe::model {
namespace {

constexpr double kImageTheta = 10000.0;

// Angles [positions, dim / 2] in fp32, formed as the reference forms them.
at::Tensor angles(const at::Tensor& positions, std::int64_t dim, double theta) {
  const at::Tensor exponents = at::arange(0, dim, 2, at::kFloat) / dim;
  const at::Tensor frequencies = at::reciprocal(at::pow(at::Scalar(theta), exponents));
  return at::outer(positions.to(at::kFloat), frequencies);
}

RotaryTable table_of(const at::Tensor& angle, at::Device device) {
  return {angle.cos().to(device), angle.sin().to(device)};
}

at::Tensor range(std::int64_t begin, std::int64_t end) {
  return at::arange(begin, end, at::kLong);
}

// Positions of n centred rows or columns.
at::Tensor centred(std::int64_t n) {
  return range(-(n - n / 2), n / 2);
}

}  // namespace

RotaryTable image_rotary_table(const TokenGrid& grid, const std::array<std::int64_t, 3>& axes_dims,
                               at::Device device) {
  at::Tensor frames = range(0, grid.frames);
  if (grid.has_condition) frames = at::cat({frames, at::full({1}, -1, at::kLong)});
  const std::int64_t count = frames.size(0);
  const auto spread = [&](const at::Tensor& angle, std::int64_t axis) {
    std::vector<std::int64_t> shape{1, 1, 1, angle.size(1)};
    shape[static_cast<std::size_t>(axis)] = angle.size(0);
    return angle.view(shape).expand({count, grid.height, grid.width, angle.size(1)});
  };
  const at::Tensor angle = at::cat({spread(angles(frames, axes_dims[0], kImageTheta), 0),
                                    spread(angles(centred(grid.height), axes_dims[1], kImageTheta), 1),
                                    spread(angles(centred(grid.width), axes_dims[2], kImageTheta), 2)},
                                   -1);
  return table_of(angle.reshape({grid.image_tokens(), -1}), device);
}

RotaryTable text_rotary_table(const TokenGrid& grid, const std::array<std::int64_t, 3>& axes_dims,
                              std::int64_t text_tokens, at::Device device) {
  std::int64_t start = std::max(grid.height / 2, grid.width / 2);
  // With a condition frame the reference counts frames as well; it matters for pictures smaller than their
  // number of layers.
  if (grid.has_condition) start = std::max(start, grid.frames);
  const at::Tensor positions = range(start, start + text_tokens);
  return table_of(
      at::cat({angles(positions, axes_dims[0], kImageTheta), angles(positions, axes_dims[1], kImageTheta),
               angles(positions, axes_dims[2], kImageTheta)},
              -1),
      device);
}

RotaryTable causal_rotary_table(std::int64_t tokens, std::int64_t head_dim, double theta, at::Device device,
                                at::ScalarType compute_dtype) {
  const at::Tensor angle = angles(range(0, tokens), head_dim, theta);
  const auto rounded = [&](const at::Tensor& x) { return x.to(compute_dtype).to(at::kFloat).to(device); };
  return {rounded(angle.cos()), rounded(angle.sin())};
}

}  // namespace layerpipe::model
