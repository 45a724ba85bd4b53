#include "media/bleed.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "common/errors.h"

namespace layerpipe::media {
namespace {

static_assert(kMaxSide < UINT16_MAX, "rows are kept in 16 bits, beside a number for none");
constexpr std::uint16_t kNone = UINT16_MAX;

// Of each pixel, the row of the nearest visible one in its column, the upper one of two; kNone in a column
// without. [height, width]
std::vector<std::uint16_t> nearest_rows(const Image& image) {
  const auto width = static_cast<std::size_t>(image.width);
  std::vector<std::uint16_t> rows(width * static_cast<std::size_t>(image.height), kNone);
  for (int y = 0; y < image.height; ++y) {
    const std::uint8_t* pixels = image.row(y);
    std::uint16_t* here = rows.data() + width * static_cast<std::size_t>(y);
    for (std::size_t x = 0; x < width; ++x) {
      if (pixels[4 * x + 3] != 0) {
        here[x] = static_cast<std::uint16_t>(y);
      } else if (y > 0) {
        here[x] = here[x - width];  // the row above's, in front of `here` in memory
      }
    }
  }
  for (int y = image.height - 2; y >= 0; --y) {
    std::uint16_t* here = rows.data() + width * static_cast<std::size_t>(y);
    for (std::size_t x = 0; x < width; ++x) {
      const std::uint16_t below = here[x + width];
      // What lies below is known where it differs from what lies above.
      if (below != kNone && below > y && (here[x] == kNone || below - y < y - here[x])) here[x] = below;
    }
  }
  return rows;
}

// The columns in which the nearest visible pixel lies, for the pixels of one row: the lower envelope of one
// parabola a column (Meijster, Roerdink, Hesselink: A General Algorithm for Computing Distance Transforms in
// Linear Time, 2000).
class RowEnvelope {
 public:
  explicit RowEnvelope(int width) { hills_.reserve(static_cast<std::size_t>(width)); }

  // `rows`: of row `y`, as nearest_rows gives them. The columns go into `nearest`, [width]; false when there
  // is no visible pixel at all.
  bool find(const std::uint16_t* rows, int y, std::vector<int>& nearest) {
    hills_.clear();
    const int width = static_cast<int>(nearest.size());
    for (int x = 0; x < width; ++x) {
      if (rows[x] == kNone) continue;
      const std::int64_t distance = std::abs(rows[x] - y);
      add({x, 0, distance * distance});
    }
    if (hills_.empty()) return false;
    std::size_t hill = 0;
    for (int x = 0; x < width; ++x) {
      while (hill + 1 < hills_.size() && hills_[hill + 1].first <= x) ++hill;
      nearest[static_cast<std::size_t>(x)] = hills_[hill].column;
    }
    return true;
  }

 private:
  struct Hill {
    int column;
    std::int64_t first;    // the column from which on it is the nearest
    std::int64_t squared;  // distance within its column
  };

  static std::int64_t distance(const Hill& hill, std::int64_t x) {
    return (x - hill.column) * (x - hill.column) + hill.squared;
  }

  void add(Hill hill) {
    while (!hills_.empty() &&
           distance(hills_.back(), hills_.back().first) > distance(hill, hills_.back().first))
      hills_.pop_back();
    if (!hills_.empty()) hill.first = first_column_after(hills_.back(), hill);
    hills_.push_back(hill);
  }

  // The first column where `right` is strictly nearer than `left`, which is the nearer one at its own first.
  static std::int64_t first_column_after(const Hill& left, const Hill& right) {
    const std::int64_t a = left.column;
    const std::int64_t b = right.column;
    const std::int64_t numerator = b * b - a * a + right.squared - left.squared;  // not negative
    return numerator / (2 * (b - a)) + 1;
  }

  std::vector<Hill> hills_;
};

}  // namespace

void bleed_colors(Image& image) {
  common::ensure(is_valid(image), "colours of a picture of no valid size are to be spread");
  const std::vector<std::uint16_t> rows = nearest_rows(image);
  const auto width = static_cast<std::size_t>(image.width);
  std::vector<int> nearest(width);
  RowEnvelope envelope(image.width);
  for (int y = 0; y < image.height; ++y) {
    const std::uint16_t* here = rows.data() + width * static_cast<std::size_t>(y);
    std::uint8_t* pixels = image.row(y);
    const bool found = envelope.find(here, y, nearest);
    for (std::size_t x = 0; x < width; ++x) {
      if (pixels[4 * x + 3] != 0) continue;
      if (!found) {
        std::fill_n(pixels + 4 * x, 3, std::uint8_t{0});
        continue;
      }
      // Only visible pixels are copied, and they do not change, so the order of the rows does not matter.
      const int column = nearest[x];
      std::copy_n(image.row(here[column]) + 4 * static_cast<std::size_t>(column), 3, pixels + 4 * x);
    }
  }
}

}  // namespace layerpipe::media
