#include "model/latents.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/randn.h>

#include <cmath>

namespace layerpipe::model {

common::Size working_size(const common::Size& picture, std::int64_t resolution) {
  constexpr double kMultiple = 32.0;
  const double ratio = static_cast<double>(picture.width) / static_cast<double>(picture.height);
  const double width = std::sqrt(static_cast<double>(resolution * resolution) * ratio);
  const double height = width / ratio;
  // nearbyint rounds half to even, as Python's round does.
  const auto to_multiple = [](double side) {
    return static_cast<std::int64_t>(std::nearbyint(side / kMultiple)) * static_cast<std::int64_t>(kMultiple);
  };
  return {to_multiple(width), to_multiple(height)};
}

at::Tensor pack_latents(const at::Tensor& latents) {
  const std::int64_t frames = latents.size(0);
  const std::int64_t channels = latents.size(1);
  const std::int64_t rows = latents.size(2) / 2;
  const std::int64_t columns = latents.size(3) / 2;
  return latents.reshape({frames, channels, rows, 2, columns, 2})
      .permute({0, 2, 4, 1, 3, 5})
      .reshape({frames * rows * columns, channels * 4});
}

at::Tensor unpack_latents(const at::Tensor& packed, const TokenGrid& grid) {
  const std::int64_t channels = packed.size(1) / 4;
  return packed.reshape({grid.frames, grid.height, grid.width, channels, 2, 2})
      .permute({0, 3, 1, 4, 2, 5})
      .reshape({grid.frames, channels, 2 * grid.height, 2 * grid.width});
}

at::Tensor draw_noise(const LatentShape& shape, std::uint64_t seed, SeedDevice seed_device,
                      at::ScalarType compute_dtype) {
  const at::Device device(seed_device == SeedDevice::kCuda ? at::kCUDA : at::kCPU);
  at::Generator generator = seed_device == SeedDevice::kCuda
                                ? at::globalContext().defaultGenerator(device).clone()
                                : at::make_generator<at::CPUGeneratorImpl>();
  generator.set_current_seed(seed);
  return pack_latents(at::randn({shape.frames, shape.channels, shape.height, shape.width}, generator,
                                at::TensorOptions().dtype(compute_dtype).device(device)));
}

at::Tensor picture_to_tensor(const at::Tensor& rgba) {
  return (rgba.permute({2, 0, 1}).unsqueeze(0).to(at::kFloat).contiguous() / 255.0) * 2.0 - 1.0;
}

at::Tensor tensor_to_pictures(const at::Tensor& decoded) {
  const at::Tensor unit = (decoded * 0.5 + 0.5).clamp(0, 1);
  return (unit.permute({0, 2, 3, 1}).to(at::kCPU, at::kFloat) * 255).round().to(at::kByte).contiguous();
}

}  // namespace layerpipe::model
