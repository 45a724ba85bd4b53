// Follows Pillow's resampling of 8-bit pictures (python-pillow/Pillow, Resample.c and Convert.c) in the order
// of its arithmetic, which decides the last bit: weights in double, rounded to fixed point once they are
// normalised, two passes with 8 bits between, in an order that depends on the sizes.
#include "media/resize.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>

#include "common/errors.h"

namespace layerpipe::media {
namespace {

constexpr double kLobes = 3.0;
constexpr int kFractionBits = 22;  // of a weight: 32 less 8 for the pixel and 2 for weights outside 0 … 1
constexpr std::int32_t kHalf = 1 << (kFractionBits - 1);

// Which pixels along an axis make a new one, and with what weights.
struct Taps {
  int first;
  int count;
  std::size_t weights;  // where this pixel's weights begin
};

struct Filter {
  std::vector<Taps> taps;             // [new size]
  std::vector<std::int32_t> weights;  // fixed point, kFractionBits
};

double sinc(double x) {
  if (x == 0.0) return 1.0;
  x *= std::numbers::pi;
  return std::sin(x) / x;
}

double lanczos(double x) {
  return x >= -kLobes && x < kLobes ? sinc(x) * sinc(x / kLobes) : 0.0;
}

Filter make_filter(int old_size, int new_size) {
  const double scale = static_cast<double>(old_size) / new_size;
  const double widening = std::max(scale, 1.0);
  const double support = kLobes * widening;
  const double narrowing = 1.0 / widening;
  Filter filter;
  std::vector<double> weights;
  for (int i = 0; i < new_size; ++i) {
    const double center = (i + 0.5) * scale;
    // Cut towards zero, as the reference does: rounding negative numbers properly would give the same after
    // the clamp.
    const int first = std::max(static_cast<int>(center - support + 0.5), 0);
    const int end = std::min(static_cast<int>(center + support + 0.5), old_size);
    double sum = 0.0;
    weights.clear();
    for (int k = 0; k < end - first; ++k) {
      weights.push_back(lanczos((k + first - center + 0.5) * narrowing));
      sum += weights.back();
    }
    filter.taps.push_back({first, end - first, filter.weights.size()});
    for (double weight : weights) {
      if (sum != 0.0) weight /= sum;
      const double fixed = weight * (1 << kFractionBits);
      filter.weights.push_back(static_cast<std::int32_t>(fixed < 0 ? fixed - 0.5 : fixed + 0.5));
    }
  }
  return filter;
}

std::uint8_t to_byte(std::int32_t sum) {
  return static_cast<std::uint8_t>(std::clamp(sum >> kFractionBits, 0, 255));
}

void premultiply(std::uint8_t* pixels, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i, pixels += 4) {
    for (int c = 0; c < 3; ++c) {
      const unsigned product = static_cast<unsigned>(pixels[c]) * pixels[3] + 128;
      pixels[c] = static_cast<std::uint8_t>(((product >> 8) + product) >> 8);
    }
  }
}

void unpremultiply(std::uint8_t* pixels, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i, pixels += 4) {
    const unsigned alpha = pixels[3];
    if (alpha == 0 || alpha == 255) continue;
    for (int c = 0; c < 3; ++c)
      pixels[c] = static_cast<std::uint8_t>(std::min(255u, 255u * pixels[c] / alpha));
  }
}

void filter_row(const Filter& filter, const std::uint8_t* in, std::uint8_t* out) {
  for (const Taps& taps : filter.taps) {
    const std::int32_t* weight = filter.weights.data() + taps.weights;
    const std::uint8_t* pixel = in + 4 * static_cast<std::size_t>(taps.first);
    std::int32_t sum[4] = {kHalf, kHalf, kHalf, kHalf};
    for (int k = 0; k < taps.count; ++k, pixel += 4) {
      for (int c = 0; c < 4; ++c) sum[c] += pixel[c] * weight[k];
    }
    for (int c = 0; c < 4; ++c) *out++ = to_byte(sum[c]);
  }
}

Image horizontal_pass(const Image& image, int width) {
  Image result = make_image(width, image.height);
  const Filter filter = make_filter(image.width, width);
  for (int y = 0; y < image.height; ++y) filter_row(filter, image.row(y), result.row(y));
  return result;
}

Image vertical_pass(const Image& image, int height) {
  Image result = make_image(image.width, height);
  const Filter filter = make_filter(image.height, height);
  std::vector<std::int32_t> sums(image.row_bytes());
  for (int y = 0; y < height; ++y) {
    const Taps& taps = filter.taps[static_cast<std::size_t>(y)];
    std::fill(sums.begin(), sums.end(), kHalf);
    for (int k = 0; k < taps.count; ++k) {
      const std::int32_t weight = filter.weights[taps.weights + static_cast<std::size_t>(k)];
      const std::uint8_t* in = image.row(taps.first + k);
      for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += in[i] * weight;
    }
    std::transform(sums.begin(), sums.end(), result.row(y), to_byte);
  }
  return result;
}

// Pillow 13 turned the passes round for pictures that lose more than twice as many rows as columns
// (python-pillow/Pillow, pull request 9549); Pillow 12 always began with the rows. Each pass rounds to 8
// bits, so the order shows in the result.
bool runs_vertical_pass_first(const Image& image, int width, int height) {
  const int lost_rows = image.height - height;
  const int lost_columns = image.width - width;
  return lost_rows > 0 && lost_rows > 2 * lost_columns;
}

}  // namespace

Image resize_lanczos(const Image& image, int width, int height) {
  common::ensure(is_valid(image), "a picture to be resized has no valid size");
  common::ensure(width >= 1 && height >= 1 && width <= kMaxSide && height <= kMaxSide,
                 "a picture was to be resized to a size that is not allowed");
  if (width == image.width && height == image.height) return image;
  Image result = image;
  premultiply(result.pixels.data(), result.pixels.size() / 4);
  if (runs_vertical_pass_first(image, width, height)) result = vertical_pass(result, height);
  if (width != image.width) result = horizontal_pass(result, width);
  if (height != result.height) result = vertical_pass(result, height);
  unpremultiply(result.pixels.data(), result.pixels.size() / 4);
  return result;
}

}  // namespace layerpipe::media
