#include "model/vae/vae_cost.h"

#include <algorithm>

#include "model/ops/attention.h"
#include "model/vae/vae_strips.h"

namespace layerpipe::model {
namespace {

using common::Range;

std::int64_t middle_width(const VaeConfig& config) {
  return config.base_dim * config.dim_mult.back();
}

// Follows the tensors of a network: what one layer's step holds beside what is there already.
class Walk {
 public:
  explicit Walk(const ComputeTarget& target) : target_(target) {}

  // `values` in the compute dtype and `fp32_values` are there at one time.
  void hold(std::int64_t values, std::int64_t fp32_values = 0) {
    const std::uint64_t fp32_bytes = sizeof(float) * static_cast<std::uint64_t>(fp32_values);
    work_.bytes = std::max(work_.bytes, target_.bytes(values) + fp32_bytes);
  }

  void convolution(std::int64_t pixels, std::int64_t in, std::int64_t out, std::int64_t kernel) {
    work_.operations += 2.0 * static_cast<double>(pixels) * static_cast<double>(in * out * kernel * kernel);
  }

  // channel_norm_silu of `in` channels, then a convolution to `out`, beside `held` values.
  void norm_and_convolution(std::int64_t held, std::int64_t pixels, std::int64_t in, std::int64_t out,
                            std::int64_t kernel) {
    convolution(pixels, in, out, kernel);
    const std::int64_t weights = in * out * kernel * kernel;
    if (target_.convolves_in_fp32()) {
      hold(held, pixels * (2 * in + 1) + kScratch);  // a copy, every pixel's length, and the normed copy
      fp32_convolution(held, pixels * in, pixels * out, weights);
      return;
    }
    // oneDNN turns a kernel's weights round for each call, and takes a little for itself.
    hold(held + pixels * (in + out) + (target_.device.is_cpu() ? weights + kScratch : 0));
    // The plain norm of bf16 works on a copy in fp32 and makes another one, from every pixel's length.
    if (target_.widens()) hold(held + pixels * (4 * in + 2) + kScratch);
  }

  // A convolution of `in_values` to `out_values`, beside `held` values, the input among them.
  void plain_convolution(std::int64_t held, std::int64_t in_values, std::int64_t out_values,
                         std::int64_t weights) {
    hold(held + out_values);
    if (target_.convolves_in_fp32()) fp32_convolution(held, in_values, out_values, weights);
  }

  // The upsampling of `pixels` to four times as many, with half the channels.
  void upsample(std::int64_t pixels, std::int64_t channels) {
    const std::int64_t in = pixels * channels;
    const std::int64_t out = 4 * pixels * (channels / 2);
    convolution(4 * pixels, channels, channels / 2, 3);
    if (target_.convolves_in_fp32()) {
      hold(in, in + 4 * in);  // the copy is doubled
      fp32_convolution(in, 4 * in, out, channels * (channels / 2) * 9);
    } else {
      hold(in + 4 * in + out);
    }
  }

  // Beside `held` values, among which its input is not.
  void residual(std::int64_t held, std::int64_t pixels, std::int64_t in, std::int64_t out) {
    held += pixels * in;
    norm_and_convolution(held, pixels, in, out, 3);
    norm_and_convolution(held + pixels * out, pixels, out, out, 3);
    if (in == out) return;
    convolution(pixels, in, out, 1);
    plain_convolution(held + pixels * out, pixels * in, pixels * out, in * out);
  }

  const VaeWork& work() const { return work_; }

 private:
  static constexpr std::int64_t kScratch = 16384;  // values

  // Where convolutions work in fp32, beside `held` values: a copy of what goes in, the result before and
  // after it is rounded, and a copy of the weights, which oneDNN turns round.
  void fp32_convolution(std::int64_t held, std::int64_t in_values, std::int64_t out_values,
                        std::int64_t weights) {
    hold(held, in_values + out_values + 2 * weights + kScratch);
    hold(held + out_values, out_values);
  }

  const ComputeTarget& target_;
  VaeWork work_;
};

// The works of strips, `at_once` of them at a time.
template <typename StripWork>
VaeWork all_strips(const VaeShape& shape, const ComputeTarget& target, const StripWork& strip_work) {
  VaeWork all;
  std::uint64_t largest = 0;
  const auto strips = vae_strips(shape.height);
  for (const Range& strip : strips) {
    const VaeWork one = strip_work(strip);
    largest = std::max(largest, one.bytes);
    all.operations += one.operations * static_cast<double>(shape.frames);
  }
  const std::int64_t tasks = shape.frames * static_cast<std::int64_t>(strips.size());
  all.bytes = largest * static_cast<std::uint64_t>(target.at_once(tasks));
  return all;
}

}  // namespace

VaeWork encoder_strip_work(const VaeConfig& config, const VaeShape& shape, const Range& strip,
                           const ComputeTarget& target) {
  const auto rows = encoder_strip_rows(config, strip, shape.height);
  std::int64_t width = shape.width * config.spatial_compression_ratio();
  std::int64_t channels = config.base_dim;
  Walk walk(target);
  walk.convolution(rows[0].size() * width, config.input_channels, channels, 3);
  walk.plain_convolution(rows[0].size() * width * config.input_channels,
                         rows[0].size() * width * config.input_channels, rows[0].size() * width * channels,
                         config.input_channels * channels * 9);
  // Rows that are cropped away, but held on to by what they were cropped from.
  std::int64_t cropped = rows[0].size() - rows[1].size();
  for (std::size_t i = 0; i < config.dim_mult.size(); ++i) {
    const std::int64_t pixels = rows[i + 1].size() * width;
    const std::int64_t out = config.base_dim * config.dim_mult[i];
    for (std::int64_t j = 0; j < config.num_res_blocks; ++j) {
      walk.residual(j == 0 ? cropped * width * channels : 0, pixels, channels, out);
      channels = out;
    }
    if (i + 1 == config.dim_mult.size()) break;
    cropped = (rows[i + 1].size() + 1) / 2 - rows[i + 2].size();
    const std::int64_t padded = (rows[i + 1].size() + 1) * (width + 1) * channels;
    walk.plain_convolution(2 * padded, padded, pixels / 4 * channels, channels * channels * 9);
    walk.convolution(pixels / 4, channels, channels, 3);
    width /= 2;
  }
  return walk.work();
}

VaeWork decoder_strip_work(const VaeConfig& config, const VaeShape& shape, const Range& strip,
                           const ComputeTarget& target) {
  const auto rows = decoder_strip_rows(config, strip, shape.height);
  const std::size_t levels = config.dim_mult.size();
  std::int64_t width = shape.width;
  std::int64_t channels = middle_width(config);
  Walk walk(target);
  std::int64_t cropped = 0;  // rows that are cropped away, but held on to by what they were cropped from
  for (std::size_t i = 0; i < levels; ++i) {
    const std::int64_t pixels = rows[i].size() * width;
    const std::int64_t out = config.base_dim * config.dim_mult[levels - 1 - i];
    for (std::int64_t j = 0; j < config.num_res_blocks + 1; ++j) {
      walk.residual(j == 0 ? cropped * width * channels : 0, pixels, channels, out);
      channels = out;
    }
    if (i + 1 == levels) break;
    cropped = 2 * rows[i].size() - rows[i + 1].size();
    walk.upsample(pixels, channels);
    channels /= 2;
    width *= 2;
  }
  walk.norm_and_convolution(rows[levels].size() * width * channels, rows[levels].size() * width, channels,
                            config.input_channels, 3);
  return walk.work();
}

VaeWork middle_work(const VaeConfig& config, const VaeShape& shape, const ComputeTarget& target) {
  const std::int64_t channels = middle_width(config);
  const std::int64_t pixels = shape.height * shape.width;
  const std::int64_t frame = pixels * channels;
  const std::int64_t at_once = target.at_once(shape.frames);
  // All values of the frames. Lists of frames are joined to a copy, unless there is only one frame.
  const std::int64_t all = shape.frames * frame;
  const std::int64_t copies = shape.frames > 1 ? 2 : 1;
  const auto residual = [&](std::int64_t held) {
    Walk one(target);
    one.residual(0, pixels, channels, channels);
    return target.bytes(held) + static_cast<std::uint64_t>(at_once) * one.work().bytes;
  };
  const std::uint64_t attention = ops::attention_workspace_bytes(pixels, 1, channels, target);
  VaeWork work;
  work.bytes = std::max({
      residual(2 * all),                                       // the first block
      target.bytes((3 + 3 * copies) * all + at_once * frame),  // queries, keys and values
      target.bytes(7 * all + (target.device.is_cpu() ? frame : 0)) + attention,
      target.bytes(8 * all),      // the attention's results, joined
      residual(9 * all - frame),  // the second block
      target.bytes(10 * all),     // its results, joined
  });  // Where convolutions work in fp32, those beside the attention take less than the blocks' too.
  Walk operations(target);
  for (int block = 0; block < 2; ++block) operations.residual(0, pixels, channels, channels);
  operations.convolution(pixels, channels, 4 * channels, 1);
  const auto values = static_cast<double>(frame);
  work.operations = static_cast<double>(shape.frames) *
                    (operations.work().operations + 4 * values * static_cast<double>(pixels));
  return work;
}

std::uint64_t middle_bytes(const VaeConfig& config, const VaeShape& shape, const ComputeTarget& target) {
  return target.bytes(shape.frames * shape.height * shape.width * middle_width(config));
}

std::uint64_t picture_bytes(const VaeConfig& config, const VaeShape& shape, const ComputeTarget& target) {
  const std::int64_t scale = config.spatial_compression_ratio();
  return target.bytes(shape.frames * shape.height * shape.width * scale * scale * config.input_channels);
}

VaeWork largest_encoder_strips(const VaeConfig& config, const VaeShape& shape, const ComputeTarget& target) {
  return all_strips(shape, target,
                    [&](const Range& strip) { return encoder_strip_work(config, shape, strip, target); });
}

VaeWork largest_decoder_strips(const VaeConfig& config, const VaeShape& shape, const ComputeTarget& target) {
  return all_strips(shape, target,
                    [&](const Range& strip) { return decoder_strip_work(config, shape, strip, target); });
}

VaeWork encoder_work(const VaeConfig& config, const VaeShape& shape, const ComputeTarget& target) {
  const VaeWork strips = largest_encoder_strips(config, shape, target);
  const VaeWork middle = middle_work(config, shape, target);
  // The strips that are done wait for the last one.
  return {std::max(strips.bytes + middle_bytes(config, shape, target), middle.bytes),
          strips.operations + middle.operations};
}

VaeWork decoder_work(const VaeConfig& config, const VaeShape& shape, const ComputeTarget& target) {
  const VaeWork strips = largest_decoder_strips(config, shape, target);
  const VaeWork middle = middle_work(config, shape, target);
  const std::uint64_t held = middle_bytes(config, shape, target) + picture_bytes(config, shape, target);
  return {std::max(strips.bytes + held, middle.bytes), strips.operations + middle.operations};
}

}  // namespace layerpipe::model
