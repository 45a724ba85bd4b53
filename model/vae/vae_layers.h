// The layers that the VAE's encoder and decoder share, for a single frame.
//
// The network is made of causal 3D convolutions. With one frame, everything before it is zero padding, so a
// convolution is exactly the 2D one with the last temporal slice of its kernel, and the convolutions over
// time are not used at all. Activations are [n, channels, h, w] with channels last in memory. Source:
// diffusers, autoencoder_kl_qwenimage.py.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>

#include "model/weights/weights.h"

namespace layerpipe::model {

struct Convolution {
  at::Tensor weight;  // [out, in, k, k], channels last
  at::Tensor bias;    // [out]
};

enum class KernelRank { k2d, k3d };

// Reads "<name>.weight" and "<name>.bias"; of a 3D kernel the last temporal slice.
Convolution load_convolution(const WeightStore& store, const std::string& name, std::int64_t in,
                             std::int64_t out, std::int64_t kernel, KernelRank rank = KernelRank::k3d);

// The convolutions below give their result in x's dtype. On a CPU that has no bf16 (ops/cpu_bf16.h) they
// compute in fp32 and round once, as those of other devices do inside: LibTorch's own convolution of bf16
// takes twice to four times the memory there and 13 times the time.

// Same size out as in (zero padding).
at::Tensor convolve(const at::Tensor& x, const Convolution& convolution);

// convolve(channel_norm_silu(x, gamma)). Where the convolution computes in fp32, the norm's result is not
// rounded.
at::Tensor norm_and_convolve(const at::Tensor& x, const at::Tensor& gamma, const Convolution& convolution);

// x + conv(silu(norm(conv(silu(norm(x)))))), with a 1×1 convolution on the shortcut when the width changes.
class VaeResidualBlock {
 public:
  VaeResidualBlock(const WeightStore& store, std::int64_t in, std::int64_t out);
  at::Tensor forward(const at::Tensor& x) const;

 private:
  at::Tensor norm1_;  // [in]
  Convolution conv1_;
  at::Tensor norm2_;  // [out]
  Convolution conv2_;
  std::optional<Convolution> shortcut_;
};

// Nearest-neighbour doubling, then a convolution to half the width.
class VaeUpsample {
 public:
  VaeUpsample(const WeightStore& store, std::int64_t channels);
  at::Tensor forward(const at::Tensor& x) const;

 private:
  Convolution convolution_;
};

// A convolution of stride 2, padded right and below only.
class VaeDownsample {
 public:
  VaeDownsample(const WeightStore& store, std::int64_t channels);
  at::Tensor forward(const at::Tensor& x) const;

 private:
  Convolution convolution_;
};

// Residual block, attention of all pixels with one head, residual block. The only part that sees the whole
// picture.
class VaeMiddleBlock {
 public:
  VaeMiddleBlock(const WeightStore& store, std::int64_t channels);
  // Frames of x are independent. Shares work out among CPU threads itself.
  at::Tensor forward(const at::Tensor& x) const;

 private:
  VaeResidualBlock first_;
  at::Tensor norm_;  // [channels]
  Convolution to_qkv_;
  Convolution proj_;
  VaeResidualBlock second_;
};

}  // namespace layerpipe::model
