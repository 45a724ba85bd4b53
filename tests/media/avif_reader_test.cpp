#include "media/avif_reader.h"

#include "tests/media/media_test_data.h"

namespace layerpipe::media {
namespace {

// Versions of libavif round otherwise when they cut more bits to 8 (docs/pictures.md).
int levels_apart(const MediaCase& media_case) {
  return media_case.name == "twelve_bits" ? 3 : media_case.name == "ten_bits" ? 1 : 0;
}

class AvifTest : public testing::TestWithParam<MediaCase> {};

TEST_P(AvifTest, EqualsPillow) {
  const Picture picture = read_picture(media_data("avif/" + GetParam().name + ".avif"));
  EXPECT_TRUE(images_close(picture.image, expected_image("avif", GetParam()), levels_apart(GetParam())));
  EXPECT_TRUE(picture.remarks.empty());
}

INSTANTIATE_TEST_SUITE_P(Kinds, AvifTest, testing::ValuesIn(media_cases("avif")), case_name);

class AnimatedAvifTest : public testing::TestWithParam<MediaCase> {};

TEST_P(AnimatedAvifTest, GivesTheFirstAndSaysSo) {
  const Picture picture = read_picture(media_data("avif/animated/" + GetParam().name + ".avif"));
  EXPECT_TRUE(images_equal(picture.image, expected_image("avif/animated", GetParam())));
  EXPECT_EQ(picture.remarks, std::vector<std::string>{"animated: only its first frame is used"});
}

INSTANTIATE_TEST_SUITE_P(Kinds, AnimatedAvifTest, testing::ValuesIn(media_cases("avif/animated")), case_name);

class DamagedAvifTest : public testing::TestWithParam<Damage> {};

TEST_P(DamagedAvifTest, IsRefused) {
  expect_refused(media_data("avif/damaged/" + GetParam().file), GetParam());
}

INSTANTIATE_TEST_SUITE_P(
    Damages, DamagedAvifTest,
    testing::Values(Damage{"cut_in_start.avif",
                           " is cut short: the AVIF in it does not end within its 20 bytes", kExportAgain},
                    Damage{"cut_in_boxes.avif",
                           " is cut short: the AVIF in it does not end within its 100 bytes", kExportAgain},
                    Damage{"cut_in_pixels.avif",
                           " is cut short: the AVIF in it does not end within its 325 bytes", kExportAgain},
                    Damage{"huge.avif", size_refusal(100000, 19), kSmallerFirst},
                    Damage{"bomb.avif", size_refusal(16384, 16383), kSmallerFirst}),
    damage_name);

TEST(AvifReaderTest, RefusesEveryBeginning) {
  for (const char* name : {"alpha.avif", "irot_1.avif"}) {
    const std::string whole = file_bytes(media_data(std::string("avif/") + name));
    for (std::size_t size = 0; size + 0 < whole.size(); ++size) {
      const std::vector<char> start(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      EXPECT_THROW(read_avif({std::as_bytes(std::span(start)), name}), common::InputError)
          << name << ' ' << size;
    }
  }
}

// In the words of libavif, which differ from version to version.
TEST(AvifReaderTest, RefusesPixelsThatCannotBeDecoded) {
  for (const char* name : {"broken_pixels.avif", "no_width.avif"}) {
    try {
      read_picture(media_data(std::string("avif/damaged/") + name));
      FAIL() << name << " was read";
    } catch (const common::InputError& error) {
      EXPECT_NE(std::string(error.what()).find(" is a damaged AVIF picture (libavif: "), std::string::npos)
          << error.what();
    }
  }
}

}  // namespace
}  // namespace layerpipe::media
