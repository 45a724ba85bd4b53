#include "media/png_reader.h"

#include "common/errors.h"
#include "tests/media/media_test_data.h"

namespace layerpipe::media {
namespace {

class PngKindTest : public testing::TestWithParam<MediaCase> {};

TEST_P(PngKindTest, ReadsAsRgba) {
  const Image expected = expected_image("kinds", GetParam());
  EXPECT_TRUE(images_equal(read_png(media_data("kinds/" + GetParam().name + ".png")), expected));
}

TEST_P(PngKindTest, ReadsInterlaced) {
  const Image expected = expected_image("kinds", GetParam());
  EXPECT_TRUE(images_equal(read_png(media_data("kinds/" + GetParam().name + "_interlaced.png")), expected));
}

INSTANTIATE_TEST_SUITE_P(Kinds, PngKindTest, testing::ValuesIn(media_cases("kinds")), case_name);

class PngOrientationTest : public testing::TestWithParam<MediaCase> {};

TEST_P(PngOrientationTest, TurnsThePicture) {
  const Image expected = expected_image("orientations", GetParam());
  EXPECT_TRUE(images_equal(read_png(media_data("orientations/" + GetParam().name + ".png")), expected));
}

INSTANTIATE_TEST_SUITE_P(Orientations, PngOrientationTest, testing::ValuesIn(media_cases("orientations")),
                         case_name);

TEST(PngReaderTest, RefusesAnotherKindOfPicture) {
  const std::string content = file_bytes(media_data("damaged/jpeg.png"));
  try {
    read_png({std::as_bytes(std::span(content)), "poster.png"});
    FAIL() << "a JPEG was read as PNG";
  } catch (const common::InputError& error) {
    EXPECT_STREQ(error.what(), "poster.png is not a PNG picture");
    EXPECT_EQ(error.remedy(), "Save the picture as PNG and give that file.");
  }
}

}  // namespace
}  // namespace layerpipe::media
