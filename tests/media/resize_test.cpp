#include "media/resize.h"

#include "common/errors.h"
#include "media/png_reader.h"
#include "tests/media/media_test_data.h"

namespace layerpipe::media {
namespace {

class ResizeTest : public testing::TestWithParam<MediaCase> {};

TEST_P(ResizeTest, EqualsPillow) {
  const MediaCase& media_case = GetParam();
  const Image source = read_png(media_data("resize/" + media_case.source + ".png"));
  const Image resized = resize_lanczos(source, media_case.width, media_case.height);
  EXPECT_TRUE(images_equal(resized, expected_image("resize", media_case)));
}

INSTANTIATE_TEST_SUITE_P(Sizes, ResizeTest, testing::ValuesIn(media_cases("resize")), case_name);

// A resize that forgets to premultiply, made from the right one: the channels are resized as if opaque, the
// alpha apart.
Image resize_without_premultiplying(const Image& image, int width, int height) {
  Image opaque = image;
  for (std::size_t i = 3; i < opaque.pixels.size(); i += 4) opaque.pixels[i] = 255;
  Image result = resize_lanczos(opaque, width, height);
  const Image right = resize_lanczos(image, width, height);
  for (std::size_t i = 3; i < result.pixels.size(); i += 4) result.pixels[i] = right.pixels[i];
  return result;
}

TEST(ResizeMistakeTest, FixturesNoticeAMissingPremultiplication) {
  const MediaCase media_case{"noise_23x17", 23, 17, "noise"};
  const Image source = read_png(media_data("resize/noise.png"));
  const Image expected = expected_image("resize", media_case);
  ASSERT_TRUE(images_equal(resize_lanczos(source, 23, 17), expected));
  EXPECT_FALSE(images_equal(resize_without_premultiplying(source, 23, 17), expected));
}

TEST(ResizeMistakeTest, FixturesNoticeARoundTripAtTheSameSize) {
  // One column more and back again loses the color under small alphas, as a premultiplied round trip would.
  const Image source = read_png(media_data("resize/noise.png"));
  EXPECT_TRUE(images_equal(resize_lanczos(source, 37, 29), source));
  EXPECT_FALSE(images_equal(resize_lanczos(resize_lanczos(source, 38, 29), 37, 29), source));
}

TEST(ResizeLimitTest, RefusesSizesThatAreNone) {
  const Image pixel = make_image(1, 1);
  EXPECT_THROW(resize_lanczos(pixel, 0, 1), common::InternalError);
  EXPECT_THROW(resize_lanczos(pixel, 1, -1), common::InternalError);
  EXPECT_THROW(resize_lanczos(pixel, 1, kMaxSide + 1), common::InternalError);
  EXPECT_THROW(resize_lanczos(Image{}, 1, 1), common::InternalError);
}

}  // namespace
}  // namespace layerpipe::media
