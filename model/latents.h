// Layouts of latents, noise, and the ways between pictures and tensors.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "common/size.h"
#include "model/pipeline/token_grid.h"

namespace layerpipe::model {

// The size that a picture is worked on at: an area of about resolution², the picture's aspect, sides that are
// multiples of 32 (rounded half to even). Source: diffusers, calculate_dimensions.
common::Size working_size(const common::Size& picture, std::int64_t resolution);

// [frames, channels, h, w] → [frames · h/2 · w/2, 4 · channels]: each token is a 2×2 patch, channel-major.
at::Tensor pack_latents(const at::Tensor& latents);
// The way back; `grid` counts the frames and the tokens of a side.
at::Tensor unpack_latents(const at::Tensor& packed, const TokenGrid& grid);

// Where the random numbers are drawn. The two kinds of device draw different numbers from one seed.
enum class SeedDevice { kCpu, kCuda };

// Frames of latents as the VAE has them.
struct LatentShape {
  std::int64_t frames = 0;
  std::int64_t channels = 0;
  std::int64_t height = 0;  // in latent pixels
  std::int64_t width = 0;
};

// Packed standard normal noise [tokens, 4 · channels], drawn by LibTorch's generator in the compute dtype and
// in the order of the reference: bf16 noise is not rounded fp32 noise.
at::Tensor draw_noise(const LatentShape& shape, std::uint64_t seed, SeedDevice seed_device,
                      at::ScalarType compute_dtype);

// Bytes [height, width, 4] → [1, 4, height, width] in −1 … 1, fp32: x / 255, then 2x − 1.
at::Tensor picture_to_tensor(const at::Tensor& rgba);

// Decoded layers [n, channels, height, width] → bytes [n, height, width, channels]. Halved and clamped in the
// given dtype, scaled and rounded half to even in fp32.
at::Tensor tensor_to_pictures(const at::Tensor& decoded);

}  // namespace layerpipe::model
