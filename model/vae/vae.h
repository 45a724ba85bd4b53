// The picture's autoencoder, for single frames. Source: diffusers, AutoencoderKLQwenImage.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <vector>

#include "common/range.h"
#include "model/config.h"
#include "model/ops/tiles.h"
#include "model/vae/vae_layers.h"
#include "model/weights/weights.h"

namespace layerpipe::model {

// Latents as the transformer sees them: (z − mean) / std per channel, in z's dtype. z [n, z_dim, h, w].
at::Tensor normalise_latents(const at::Tensor& z, const VaeConfig& config);
// The way back: z / (1 / std) + mean, with the reference's division by a reciprocal.
at::Tensor denormalise_latents(const at::Tensor& z, const VaeConfig& config);

class VaeEncoder {
 public:
  VaeEncoder(const WeightStore& vae, const VaeConfig& config);

  // The mode of the posterior, not normalised. picture [1, input_channels, H, W] in −1 … 1, compute dtype, H
  // and W multiples of 8; gives [1, z_dim, H/8, W/8].
  at::Tensor forward(const at::Tensor& picture) const;

  // The local part: what goes into the middle block for latent rows `strip`: [1, channels, rows, W/8].
  at::Tensor forward_strip(const at::Tensor& picture, const common::Range& strip) const;
  // The part that sees whole pictures: all strips joined, [1, channels, H/8, W/8] → [1, z_dim, H/8, W/8].
  at::Tensor forward_middle(const at::Tensor& joined) const;

 private:
  struct Level {
    std::vector<VaeResidualBlock> residuals;
    std::optional<VaeDownsample> downsample;
  };
  VaeConfig config_;
  Convolution conv_in_;
  std::vector<Level> levels_;
  VaeMiddleBlock middle_;
  at::Tensor norm_out_;
  Convolution conv_out_;
  Convolution quant_conv_;
};

class VaeDecoder {
 public:
  VaeDecoder(const WeightStore& vae, const VaeConfig& config);

  // latents [n, z_dim, h, w], not normalised; gives pictures [n, input_channels, 8h, 8w], clamped to −1 … 1.
  // Frames are independent.
  at::Tensor forward(const at::Tensor& latents) const;

  // The part that sees whole pictures: [n, z_dim, h, w] → [n, channels, h, w].
  at::Tensor forward_middle(const at::Tensor& latents) const;
  // Picture rows 8 · strip of one frame's middle result [1, channels, h, w]: [1, input_channels, 8 · rows,
  // 8w], clamped.
  at::Tensor forward_strip(const at::Tensor& middle, const common::Range& strip) const;

 private:
  struct Level {
    std::vector<VaeResidualBlock> residuals;
    std::optional<VaeUpsample> upsample;
  };
  VaeConfig config_;
  Convolution post_quant_conv_;
  Convolution conv_in_;
  VaeMiddleBlock middle_;
  std::vector<Level> levels_;
  at::Tensor norm_out_;
  Convolution conv_out_;
};

}  // namespace layerpipe::model
