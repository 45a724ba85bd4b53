#include "media/psd_preview.h"

#include <gtest/gtest.h>

#include <array>
#include <span>

#include "media/jpeg_reader.h"

namespace layerpipe::media {
namespace {

Image filled(int width, int height, const std::array<std::uint8_t, 4>& color) {
  Image image = make_image(width, height);
  for (std::size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = color[i % 4];
  return image;
}

Image decoded(const Thumbnail& thumbnail) {
  return read_jpeg({std::as_bytes(std::span(thumbnail.jpeg)), "thumbnail"}).image;
}

void expect_near(const std::uint8_t* pixel, int red, int green, int blue) {
  constexpr int kLossOfJpeg = 4;
  EXPECT_NEAR(pixel[0], red, kLossOfJpeg);
  EXPECT_NEAR(pixel[1], green, kLossOfJpeg);
  EXPECT_NEAR(pixel[2], blue, kLossOfJpeg);
}

TEST(PsdPreview, LaysColorsOnWhiteAndKeepsAlpha) {
  Image image{4, 1, {0, 100, 255, 0, 0, 100, 255, 255, 0, 100, 255, 128, 1, 2, 3, 1}};
  lay_on_white(image);
  const Image expected{4, 1, {255, 255, 255, 0, 0, 100, 255, 255, 127, 177, 255, 128, 254, 254, 254, 1}};
  EXPECT_EQ(image, expected);
}

// What readers make of it: exact where the picture is opaque, and never further off than alpha explains.
TEST(PsdPreview, CanBeTakenOffWhiteAgain) {
  for (int alpha = 1; alpha < 256; ++alpha) {
    for (int color = 0; color < 256; ++color) {
      Image image = filled(1, 1, {static_cast<std::uint8_t>(color), 0, 0, static_cast<std::uint8_t>(alpha)});
      lay_on_white(image);
      const double back = (image.pixels[0] - (255 - alpha)) * 255.0 / alpha;
      ASSERT_NEAR(back, color, 0.5 * 255 / alpha) << alpha;
    }
  }
}

TEST(PsdPreview, HasAThumbnailOfAtMost160Pixels) {
  struct Case {
    int width, height, small_width, small_height;
  };
  for (const Case& c : {Case{1000, 500, 160, 80}, Case{300, 1000, 48, 160}, Case{160, 159, 160, 159},
                        Case{5, 3, 5, 3}, Case{16384, 2, 160, 1}, Case{161, 161, 160, 160}}) {
    const Thumbnail thumbnail = make_thumbnail(filled(c.width, c.height, {10, 200, 60, 255}));
    EXPECT_EQ(thumbnail.width, c.small_width);
    EXPECT_EQ(thumbnail.height, c.small_height);
    const Image image = decoded(thumbnail);
    ASSERT_EQ(image.width, c.small_width);
    ASSERT_EQ(image.height, c.small_height);
    expect_near(image.row(0), 10, 200, 60);
  }
}

TEST(PsdPreview, HasAThumbnailOnWhite) {
  Image image = make_image(400, 400);
  for (int y = 0; y < 200; ++y) {
    for (int x = 0; x < 200; ++x) {
      std::uint8_t* pixel = image.row(y) + 4 * x;
      pixel[0] = 255;
      pixel[3] = 128;
    }
  }
  const Image thumbnail = decoded(make_thumbnail(image));
  expect_near(thumbnail.row(20) + 4 * 20, 255, 127, 127);
  expect_near(thumbnail.row(140) + 4 * 140, 255, 255, 255);
}

}  // namespace
}  // namespace layerpipe::media
