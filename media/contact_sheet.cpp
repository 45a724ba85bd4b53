#include "media/contact_sheet.h"

#include <algorithm>
#include <string>

#include "common/errors.h"
#include "media/resize.h"

namespace layerpipe::media {
namespace {

constexpr int kGap = 6;
constexpr int kSquare = 12;
constexpr std::uint8_t kPaper = 255;
constexpr std::uint8_t kLight = 236;
constexpr std::uint8_t kDark = 204;

// `tile` on a checkerboard of its own, into `sheet` with its corner at `left`, `top`.
void place(const Image& tile, Image& sheet, int left, int top) {
  for (int y = 0; y < tile.height; ++y) {
    const std::uint8_t* in = tile.row(y);
    std::uint8_t* out = sheet.row(top + y) + 4 * left;
    for (int x = 0; x < tile.width; ++x, in += 4, out += 4) {
      const int board = (x / kSquare + y / kSquare) % 2 == 0 ? kDark : kLight;
      const int alpha = in[3];
      for (int c = 0; c < 3; ++c)
        out[c] = static_cast<std::uint8_t>((in[c] * alpha + board * (255 - alpha) + 127) / 255);
    }
  }
}

void check(const ContactRow& row, std::size_t index) {
  const std::string name = "row " + std::to_string(index) + " of the contact sheet";
  if (row.layers.empty()) throw common::InputError(name + " has no layer");
  const Image& first = row.layers.front();
  const auto fits = [&](const Image& image) {
    return is_valid(image) && image.width == first.width && image.height == first.height;
  };
  if (!is_valid(row.picture) || !std::all_of(row.layers.begin(), row.layers.end(), fits) ||
      !fits(row.composite)) {
    throw common::InputError(name + " has layers of different sizes",
                             "Give the folder of one run of layerpipe decompose.");
  }
}

std::int64_t row_width(const ContactRow& row) {
  const auto tiles = static_cast<std::int64_t>(row.layers.size()) + 2;
  return (row.layers.front().width + kGap) * tiles + kGap;
}

}  // namespace

Image contact_sheet(std::span<const ContactRow> rows) {
  if (rows.empty()) throw common::InputError("a contact sheet needs a picture");
  std::int64_t width = 0;
  std::int64_t height = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    check(rows[i], i);
    width = std::max(width, row_width(rows[i]));
    height += rows[i].layers.front().height + 2 * kGap;
  }
  if (std::max(width, height) > kMaxSide || static_cast<std::uint64_t>(width * height) > kMaxPixels) {
    throw common::InputError(
        "the contact sheet would have " + std::to_string(width) + " × " + std::to_string(height) + " pixels",
        "Put fewer pictures on it.");
  }
  Image sheet = make_image(static_cast<int>(width), static_cast<int>(height));
  std::fill(sheet.pixels.begin(), sheet.pixels.end(), kPaper);
  int top = kGap;
  for (const ContactRow& row : rows) {
    const Image& first = row.layers.front();
    int left = kGap;
    const auto next = [&](const Image& tile) {
      place(tile, sheet, left, top);
      left += first.width + kGap;
    };
    next(resize_lanczos(row.picture, first.width, first.height));
    for (const Image& layer : row.layers) next(layer);
    next(row.composite);
    top += first.height + 2 * kGap;
  }
  return sheet;
}

}  // namespace layerpipe::media
