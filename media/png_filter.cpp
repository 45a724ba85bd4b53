// The loops are written so that a compiler makes vector instructions of them: without a branch, and with the
// first pixel, which has none to its left, apart from the others.
#include "media/png_filter.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <span>

namespace layerpipe::media {
namespace {

constexpr std::size_t kPixelBytes = 4;
constexpr std::size_t kFilters = 5;

using Bytes = std::vector<std::uint8_t>;

std::uint8_t low_byte(int value) {
  return static_cast<std::uint8_t>(value);
}

std::uint8_t paeth(int left, int above, int corner) {
  const int from_left = std::abs(above - corner);  // of the estimate, left + above - corner
  const int from_above = std::abs(left - corner);
  const int from_corner = std::abs(left + above - 2 * corner);
  const int of_two = from_above <= from_corner ? above : corner;
  return low_byte((from_left <= from_above) & (from_left <= from_corner) ? left : of_two);
}

// The row with what each of its bytes is foretold to be taken off: predict(left, above, corner).
template <typename Predict>
void filter(const std::uint8_t* __restrict row, const std::uint8_t* __restrict above, Bytes& filtered,
            Predict predict) {
  std::uint8_t* __restrict out = filtered.data();
  const std::size_t count = filtered.size();
  for (std::size_t i = 0; i < kPixelBytes; ++i) out[i] = low_byte(row[i] - predict(0, above[i], 0));
  for (std::size_t i = kPixelBytes; i < count; ++i)
    out[i] = low_byte(row[i] - predict(row[i - kPixelBytes], above[i], above[i - kPixelBytes]));
}

// The sum of the magnitudes of bytes as numbers of −128 … 127.
std::uint64_t magnitude(const Bytes& bytes) {
  constexpr std::size_t kBlock = 65536;  // whose sum has room in 32 bits
  std::uint64_t sum = 0;
  for (std::size_t begin = 0; begin < bytes.size(); begin += kBlock) {
    const std::size_t end = std::min(begin + kBlock, bytes.size());
    std::uint32_t part = 0;
    for (std::size_t i = begin; i < end; ++i) part += std::min(bytes[i], low_byte(-bytes[i]));
    sum += part;
  }
  return sum;
}

class RowFilter {
 public:
  explicit RowFilter(std::size_t row_bytes) { filtered_.fill(Bytes(row_bytes)); }

  // Appends the number of the best filter and the row.
  void append(const std::uint8_t* row, const std::uint8_t* above, std::vector<std::byte>& to) {
    std::copy_n(row, filtered_[0].size(), filtered_[0].begin());
    filter(row, above, filtered_[1], [](int left, int, int) { return left; });
    filter(row, above, filtered_[2], [](int, int up, int) { return up; });
    filter(row, above, filtered_[3], [](int left, int up, int) { return (left + up) / 2; });
    filter(row, above, filtered_[4], paeth);
    std::array<std::uint64_t, kFilters> sums{};
    std::transform(filtered_.begin(), filtered_.end(), sums.begin(), magnitude);
    const auto best = static_cast<std::size_t>(std::min_element(sums.begin(), sums.end()) - sums.begin());
    to.push_back(static_cast<std::byte>(best));
    const auto bytes = std::as_bytes(std::span(filtered_[best]));
    to.insert(to.end(), bytes.begin(), bytes.end());
  }

 private:
  std::array<Bytes, kFilters> filtered_;  // by the filter's number
};

}  // namespace

std::vector<std::byte> filtered_rows(const Image& image, int first, int end) {
  const Bytes zeros(image.row_bytes());  // above the first row
  RowFilter filter(image.row_bytes());
  std::vector<std::byte> rows;
  rows.reserve(static_cast<std::size_t>(end - first) * (1 + image.row_bytes()));
  for (int y = first; y < end; ++y)
    filter.append(image.row(y), y > 0 ? image.row(y - 1) : zeros.data(), rows);
  return rows;
}

}  // namespace layerpipe::media
