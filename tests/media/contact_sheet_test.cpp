#include "media/contact_sheet.h"

#include <algorithm>
#include <functional>

#include "tests/media/media_test_data.h"
#include "tests/support/refusal.h"

namespace layerpipe::media {
namespace {

Image filled(int width, int height, std::vector<std::uint8_t> rgba) {
  Image image = make_image(width, height);
  for (std::size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = rgba[i % 4];
  return image;
}

ContactRow row(int width, int height, std::size_t layers) {
  return {filled(2 * width, 2 * height, {10, 20, 30, 255}),
          std::vector<Image>(layers, filled(width, height, {0, 0, 0, 0})),
          filled(width, height, {200, 100, 50, 51})};
}

std::vector<std::uint8_t> at(const Image& image, int x, int y) {
  const std::uint8_t* pixel = image.row(y) + 4 * x;
  return {pixel, pixel + 4};
}

TEST(ContactSheetTest, PutsPictureLayersAndCompositeSideBySide) {
  const Image sheet = contact_sheet(std::vector{row(30, 20, 2), row(16, 40, 1)});
  ASSERT_EQ(sheet.width, 4 * 36 + 6);
  ASSERT_EQ(sheet.height, 32 + 52);
  using Pixel = std::vector<std::uint8_t>;
  EXPECT_EQ(at(sheet, 5, 6), Pixel({255, 255, 255, 255}));             // paper
  EXPECT_EQ(at(sheet, 6, 6), Pixel({10, 20, 30, 255}));                // the picture, made smaller
  EXPECT_EQ(at(sheet, 35, 25), Pixel({10, 20, 30, 255}));              // its last pixel
  EXPECT_EQ(at(sheet, 42, 6), Pixel({204, 204, 204, 255}));            // a clear layer shows the board
  EXPECT_EQ(at(sheet, 42 + 12, 6), Pixel({236, 236, 236, 255}));       // its next square
  EXPECT_EQ(at(sheet, 42 + 12, 6 + 12), Pixel({204, 204, 204, 255}));  // and the one below that
  EXPECT_EQ(at(sheet, 114, 6), Pixel({203, 183, 173, 255}));          // a fifth of the colour, the rest board
  EXPECT_EQ(at(sheet, 6, 38), Pixel({10, 20, 30, 255}));              // the second row
  EXPECT_EQ(at(sheet, 6 + 3 * 22, 38), Pixel({255, 255, 255, 255}));  // is shorter
}

// Message and cure of what is refused.
std::string refused(const std::function<void(ContactRow&)>& change) {
  return layerpipe::testing::refusal("no file", [&] {
    std::vector rows{row(30, 20, 2)};
    change(rows[0]);
    contact_sheet(rows);
  });
}

TEST(ContactSheetTest, RefusesWhatIsNoResult) {
  EXPECT_EQ(layerpipe::testing::refusal("no file", [] { contact_sheet({}); }),
            "a contact sheet needs a picture");
  EXPECT_EQ(refused([](ContactRow& row) { row.layers.clear(); }), "row 0 of the contact sheet has no layer");
  const std::string sizes = "row 0 of the contact sheet has layers of different sizes";
  EXPECT_EQ(refused([](ContactRow& row) { row.layers[1] = make_image(30, 21); }), sizes);
  EXPECT_EQ(refused([](ContactRow& row) { row.composite = make_image(31, 20); }), sizes);
  EXPECT_EQ(refused([](ContactRow& row) { row.layers.resize(2000, row.layers[0]); }),
            "the contact sheet would have 72078 × 32 pixels");
}

}  // namespace
}  // namespace layerpipe::media
