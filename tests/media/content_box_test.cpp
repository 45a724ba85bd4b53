#include "media/content_box.h"

#include <gtest/gtest.h>

#include "common/errors.h"

namespace layerpipe::media {
namespace {

Image with_pixels(int width, int height, std::initializer_list<std::pair<int, int>> filled) {
  Image image = make_image(width, height);
  for (const auto& [x, y] : filled) image.row(y)[4 * x + 3] = 1;
  return image;
}

TEST(ContentBox, HoldsEveryPixelThatIsNotTransparent) {
  EXPECT_EQ(content_box(with_pixels(5, 4, {{1, 2}, {3, 1}})), (Box{1, 1, 3, 2}));
  EXPECT_EQ(content_box(with_pixels(5, 4, {{4, 3}})), (Box{4, 3, 1, 1}));
  EXPECT_EQ(content_box(with_pixels(5, 4, {{0, 0}, {4, 3}})), (Box{0, 0, 5, 4}));
}

TEST(ContentBox, IsEmptyWhereThereIsNothing) {
  EXPECT_TRUE(content_box(make_image(7, 3)).empty());
  EXPECT_EQ(content_box(make_image(7, 3)), Box{});
}

TEST(ContentBox, CutsOutItsPixels) {
  Image image = with_pixels(5, 4, {{1, 2}, {3, 1}});
  image.row(2)[4 * 1] = 200;
  const Image part = crop(image, content_box(image));
  ASSERT_EQ(part.width, 3);
  ASSERT_EQ(part.height, 2);
  EXPECT_EQ(part.row(1)[0], 200);
  EXPECT_EQ(part.row(1)[3], 1);
  EXPECT_EQ(part.row(0)[4 * 2 + 3], 1);
  EXPECT_EQ(part.row(0)[3], 0);
  EXPECT_EQ(crop(image, {0, 0, 5, 4}), image);
}

TEST(ContentBox, RefusesABoxThatReachesOut) {
  const Image image = make_image(5, 4);
  EXPECT_THROW(crop(image, {1, 0, 5, 4}), common::InternalError);
  EXPECT_THROW(crop(image, {0, -1, 2, 2}), common::InternalError);
  EXPECT_THROW(crop(image, Box{}), common::InternalError);
}

}  // namespace
}  // namespace layerpipe::media
