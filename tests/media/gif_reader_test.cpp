#include "media/gif_reader.h"

#include "tests/media/media_test_data.h"

namespace layerpipe::media {
namespace {

class GifTest : public testing::TestWithParam<MediaCase> {};

TEST_P(GifTest, EqualsPillow) {
  const Picture picture = read_picture(media_data("gif/" + GetParam().name + ".gif"));
  EXPECT_TRUE(images_equal(picture.image, expected_image("gif", GetParam())));
  EXPECT_TRUE(picture.remarks.empty());
}

INSTANTIATE_TEST_SUITE_P(Kinds, GifTest, testing::ValuesIn(media_cases("gif")), case_name);

class AnimatedGifTest : public testing::TestWithParam<MediaCase> {};

TEST_P(AnimatedGifTest, GivesTheFirstAndSaysSo) {
  const Picture picture = read_picture(media_data("gif/animated/" + GetParam().name + ".gif"));
  EXPECT_TRUE(images_equal(picture.image, expected_image("gif/animated", GetParam())));
  EXPECT_EQ(picture.remarks, std::vector<std::string>{"animated: only its first frame is used"});
}

INSTANTIATE_TEST_SUITE_P(Kinds, AnimatedGifTest, testing::ValuesIn(media_cases("gif/animated")), case_name);

class DamagedGifTest : public testing::TestWithParam<Damage> {};

TEST_P(DamagedGifTest, IsRefused) {
  expect_refused(media_data("gif/damaged/" + GetParam().file), GetParam());
}

INSTANTIATE_TEST_SUITE_P(
    Damages, DamagedGifTest,
    testing::Values(Damage{"cut_in_start.gif", " is cut short: the GIF in it does not end within its 6 bytes",
                           kExportAgain},
                    Damage{"cut_in_palette.gif",
                           " is cut short: the GIF in it does not end within its 30 bytes", kExportAgain},
                    Damage{"cut_in_pixels.gif",
                           " is cut short: the GIF in it does not end within its 117 bytes", kExportAgain},
                    Damage{"no_frame.gif", " is a damaged GIF picture (giflib: no frame)", kExportAgain},
                    Damage{"no_width.gif", size_refusal(0, 0), kExportAgain},
                    Damage{"bomb.gif", size_refusal(16384, 16384), kSmallerFirst},
                    Damage{"huge.gif", size_refusal(65535, 100), kSmallerFirst}),
    damage_name);

TEST(GifReaderTest, RefusesEveryBeginning) {
  for (const char* name : {"interlaced.gif", "own_palette.gif"}) {
    const std::string whole = file_bytes(media_data(std::string("gif/") + name));
    for (std::size_t size = 0; size + 2 < whole.size(); ++size) {
      const std::vector<char> start(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      EXPECT_THROW(read_gif({std::as_bytes(std::span(start)), name}), common::InputError)
          << name << ' ' << size;
    }
  }
}

}  // namespace
}  // namespace layerpipe::media
