#include "media/bleed.h"

#include <climits>
#include <cstdint>
#include <random>

#include "common/errors.h"
#include "tests/media/media_test_data.h"

namespace layerpipe::media {
namespace {

// What bleed.h says, by looking at every visible pixel: the nearest one, of equals the leftmost, then the
// upper.
Image by_definition(const Image& image) {
  Image result = image;
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      if (image.row(y)[4 * x + 3] != 0) continue;
      int nearest = INT_MAX;
      const std::uint8_t black[3] = {0, 0, 0};
      const std::uint8_t* color = black;
      for (int column = 0; column < image.width; ++column) {
        for (int row = 0; row < image.height; ++row) {
          const int distance = (column - x) * (column - x) + (row - y) * (row - y);
          if (image.row(row)[4 * column + 3] == 0 || distance >= nearest) continue;
          nearest = distance;
          color = image.row(row) + 4 * column;
        }
      }
      std::copy_n(color, 3, result.row(y) + 4 * x);
    }
  }
  return result;
}

// Noise, of whose pixels about one in `rarity` is visible.
Image scattered(int width, int height, unsigned rarity, std::mt19937& random) {
  Image image = make_image(width, height);
  for (std::size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = static_cast<std::uint8_t>(random());
  for (std::size_t i = 3; i < image.pixels.size(); i += 4)
    image.pixels[i] =
        random() % rarity == 0 ? static_cast<std::uint8_t>(1 + random() % 255) : std::uint8_t{0};
  return image;
}

TEST(Bleed, TakesTheNearestVisibleColor) {
  std::mt19937 random(1);
  for (int i = 0; i < 200; ++i) {
    const int width = 1 + static_cast<int>(random() % 24);
    const int height = 1 + static_cast<int>(random() % 24);
    const Image image = scattered(width, height, 1 + random() % 100, random);
    Image bled = image;
    bleed_colors(bled);
    ASSERT_TRUE(images_equal(bled, by_definition(image))) << width << " x " << height << ", case " << i;
  }
}

TEST(Bleed, DoneAgainChangesNothing) {
  std::mt19937 random(2);
  Image once = scattered(97, 61, 50, random);
  bleed_colors(once);
  Image twice = once;
  bleed_colors(twice);
  EXPECT_TRUE(images_equal(twice, once));
}

TEST(Bleed, KeepsAlphaAndWhatIsVisible) {
  std::mt19937 random(3);
  const Image image = scattered(50, 40, 3, random);
  Image bled = image;
  bleed_colors(bled);
  for (std::size_t i = 0; i < image.pixels.size(); i += 4) {
    ASSERT_EQ(bled.pixels[i + 3], image.pixels[i + 3]);
    if (image.pixels[i + 3] == 0) continue;
    for (std::size_t c = 0; c < 3; ++c) ASSERT_EQ(bled.pixels[i + c], image.pixels[i + c]);
  }
}

TEST(Bleed, LeavesTransparentBlackOfNothing) {
  Image image{2, 1, {9, 8, 7, 0, 6, 5, 4, 0}};
  bleed_colors(image);
  EXPECT_TRUE(images_equal(image, make_image(2, 1)));
}

TEST(Bleed, ReachesAcrossTheLongestSides) {
  for (const auto& [width, height] : {std::pair(kMaxSide, 1), std::pair(1, kMaxSide)}) {
    Image image = make_image(width, height);
    std::copy_n(std::begin({std::uint8_t{1}, std::uint8_t{2}, std::uint8_t{3}, std::uint8_t{4}}), 4,
                image.pixels.end() - 4);
    bleed_colors(image);
    const std::vector<std::uint8_t> first(image.pixels.begin(), image.pixels.begin() + 4);
    EXPECT_EQ(first, (std::vector<std::uint8_t>{1, 2, 3, 0}));
  }
}

TEST(Bleed, RefusesWhatIsNoPicture) {
  Image image;
  EXPECT_THROW(bleed_colors(image), common::InternalError);
}

}  // namespace
}  // namespace layerpipe::media
