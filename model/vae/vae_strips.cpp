#include "model/vae/vae_strips.h"

#include <algorithm>

namespace layerpipe::model {
namespace {

using common::Range;

constexpr std::int64_t kLargestStrip = 32;
constexpr std::int64_t kRowsPerConvolution = 1;  // a 3×3 convolution reads one row above and one below
constexpr std::int64_t kConvolutionsPerResidual = 2;

Range grow(const Range& rows, std::int64_t margin, std::int64_t total) {
  return {std::max<std::int64_t>(0, rows.begin - margin), std::min(total, rows.end + margin)};
}

}  // namespace

std::vector<Range> vae_strips(std::int64_t latent_rows) {
  const std::int64_t count = std::max<std::int64_t>(std::min<std::int64_t>(2, latent_rows),
                                                    (latent_rows + kLargestStrip - 1) / kLargestStrip);
  const std::int64_t height = (latent_rows + count - 1) / count;
  std::vector<Range> strips;
  for (std::int64_t begin = 0; begin < latent_rows; begin += height) {
    strips.push_back({begin, std::min(latent_rows, begin + height)});
  }
  return strips;
}

std::vector<Range> decoder_strip_rows(const VaeConfig& config, const Range& strip, std::int64_t latent_rows) {
  const std::size_t levels = config.dim_mult.size();
  const std::int64_t residual_margin =
      (config.num_res_blocks + 1) * kConvolutionsPerResidual * kRowsPerConvolution;
  std::vector<Range> rows(levels + 1);
  const std::int64_t scale = config.spatial_compression_ratio();
  std::int64_t total = latent_rows * scale;
  rows[levels] = grow({strip.begin * scale, strip.end * scale}, kRowsPerConvolution, total);
  for (std::size_t i = levels; i-- > 0;) {
    Range needed = rows[i + 1];
    if (i + 1 < levels) {  // every level but the last doubles the rows, then convolves
      needed = grow(needed, kRowsPerConvolution, total);
      needed = {needed.begin / 2, (needed.end + 1) / 2};
      total /= 2;
    }
    rows[i] = grow(needed, residual_margin, total);
  }
  return rows;
}

std::vector<Range> encoder_strip_rows(const VaeConfig& config, const Range& strip, std::int64_t latent_rows) {
  const std::size_t levels = config.dim_mult.size();
  const std::int64_t residual_margin = config.num_res_blocks * kConvolutionsPerResidual * kRowsPerConvolution;
  // rows[0]: picture; rows[1 + i]: input of level i; rows[levels + 1]: the strip.
  std::vector<Range> rows(levels + 2);
  rows[levels + 1] = strip;
  std::int64_t total = latent_rows;
  for (std::size_t i = levels; i-- > 0;) {
    Range needed = rows[i + 2];
    if (i + 1 < levels) {  // output row r of a downsampling convolution reads rows 2r, 2r + 1 and 2r + 2
      total *= 2;
      needed = {2 * needed.begin, std::min(total, 2 * needed.end + 1)};
    }
    rows[i + 1] = grow(needed, residual_margin, total);
  }
  rows[0] = grow(rows[1], kRowsPerConvolution, total);
  return rows;
}

}  // namespace layerpipe::model
