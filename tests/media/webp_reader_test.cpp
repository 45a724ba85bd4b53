#include "media/webp_reader.h"

#include "tests/media/media_test_data.h"

namespace layerpipe::media {
namespace {

class WebpTest : public testing::TestWithParam<MediaCase> {};

TEST_P(WebpTest, EqualsPillow) {
  const Picture picture = read_picture(media_data("webp/" + GetParam().name + ".webp"));
  EXPECT_TRUE(images_equal(picture.image, expected_image("webp", GetParam())));
  EXPECT_TRUE(picture.remarks.empty());
}

INSTANTIATE_TEST_SUITE_P(Kinds, WebpTest, testing::ValuesIn(media_cases("webp")), case_name);

class AnimatedWebpTest : public testing::TestWithParam<MediaCase> {};

TEST_P(AnimatedWebpTest, GivesTheFirstFrameAndSaysSo) {
  const Picture picture = read_picture(media_data("webp/animated/" + GetParam().name + ".webp"));
  EXPECT_TRUE(images_equal(picture.image, expected_image("webp/animated", GetParam())));
  EXPECT_EQ(picture.remarks, std::vector<std::string>{"animated: only its first frame is used"});
}

INSTANTIATE_TEST_SUITE_P(Kinds, AnimatedWebpTest, testing::ValuesIn(media_cases("webp/animated")), case_name);

class DamagedWebpTest : public testing::TestWithParam<Damage> {};

TEST_P(DamagedWebpTest, IsRefused) {
  expect_refused(media_data("webp/damaged/" + GetParam().file), GetParam());
}

constexpr const char* kNoStructure = " is a damaged WebP picture (libwebp: no valid structure)";

INSTANTIATE_TEST_SUITE_P(
    Damages, DamagedWebpTest,
    testing::Values(
        Damage{"cut_in_header.webp", " is cut short: the WebP in it does not end within its 20 bytes",
               kExportAgain},
        Damage{"cut_in_pixels.webp", " is cut short: the WebP in it does not end within its 200 bytes",
               kExportAgain},
        Damage{"cut_frame.webp", " is cut short: the WebP in it does not end within its 150 bytes",
               kExportAgain},
        Damage{"broken_pixels.webp", " is a damaged WebP picture (libwebp: broken pixel data)", kExportAgain},
        Damage{"short_pixels.webp", " is a damaged WebP picture (libwebp: the pixel data end early)",
               kExportAgain},
        Damage{"no_frame.webp", kNoStructure, kExportAgain},
        Damage{"frame_outside.webp", kNoStructure, kExportAgain},
        Damage{"other_canvas.webp", kNoStructure, kExportAgain},
        Damage{"empty_canvas.webp", kNoStructure, kExportAgain},
        Damage{"cut_in_start.webp", " is cut short: the WebP in it does not end within its 10 bytes",
               kExportAgain},
        Damage{"bomb.webp", " has 16384 × 16384 pixels, 268435456 in all; at most 178956970 are read",
               "Make the picture smaller first."},
        Damage{"huge.webp", " has 65501 × 100 pixels; at most 65500 × 65500 are read",
               "Make the picture smaller first."}),
    damage_name);

TEST(WebpReaderTest, RefusesWhatIsNoWebp) {
  try {
    read_webp({std::as_bytes(std::span("no picture at all, but some text")), "poster.webp"});
    FAIL() << "text was read as WebP";
  } catch (const common::InputError& error) {
    EXPECT_EQ(error.what(), std::string("poster.webp") + kNoStructure);
  }
}

TEST(WebpReaderTest, RefusesEveryBeginning) {
  for (const char* name : {"webp/lossy_alpha.webp", "webp/lossless.webp", "webp/animated/animated.webp"}) {
    const std::string whole = file_bytes(media_data(name));
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const std::vector<char> start(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      EXPECT_THROW(read_webp({std::as_bytes(std::span(start)), name}), common::InputError) << size;
    }
  }
}

}  // namespace
}  // namespace layerpipe::media
