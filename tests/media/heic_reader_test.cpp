#include "media/heic_reader.h"

#include "tests/media/media_test_data.h"

namespace layerpipe::media {
namespace {

constexpr bool kWithProfiles = LAYERPIPE_WITH_LCMS != 0;

class HeicTest : public testing::TestWithParam<MediaCase> {};

std::vector<std::string> remarks_of(const std::string& name) {
  if (name == "wide") return {"its colour profile \"Wide\" was converted to sRGB"};
  if (name == "several") return {"holds several pictures: only its main one is used"};
  return {};
}

// Versions of libheif round otherwise where colours have fewer samples (docs/pictures.md).
TEST_P(HeicTest, EqualsPillowHeif) {
  const Picture picture = read_picture(media_data("heic/" + GetParam().name + ".heic"));
  const int levels = GetParam().name == "rgb_420" ? 1 : 0;
  EXPECT_TRUE(images_close(picture.image, expected_image("heic", GetParam()), levels));
  EXPECT_EQ(picture.remarks, remarks_of(GetParam().name));
}

std::vector<MediaCase> heic_cases() {
  std::vector<MediaCase> cases = media_cases("heic");
  if (!kWithProfiles) std::erase_if(cases, [](const MediaCase& c) { return c.name == "wide"; });
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Kinds, HeicTest, testing::ValuesIn(heic_cases()), case_name);

class DamagedHeicTest : public testing::TestWithParam<Damage> {};

TEST_P(DamagedHeicTest, IsRefused) {
  expect_refused(media_data("heic/damaged/" + GetParam().file), GetParam());
}

INSTANTIATE_TEST_SUITE_P(
    Damages, DamagedHeicTest,
    testing::Values(Damage{"cut_in_start.heic",
                           " is cut short: the HEIC in it does not end within its 14 bytes", kExportAgain},
                    Damage{"cut_in_boxes.heic",
                           " is cut short: the HEIC in it does not end within its 100 bytes", kExportAgain},
                    Damage{"cut_in_pixels.heic",
                           " is cut short: the HEIC in it does not end within its 577 bytes", kExportAgain},
                    Damage{"huge.heic", size_refusal(100000, 64), kSmallerFirst},
                    Damage{"bomb.heic", size_refusal(16384, 16383), kSmallerFirst}),
    damage_name);

TEST(HeicReaderTest, RefusesEveryBeginning) {
  for (const char* name : {"alpha.heic", "orientation_6.heic"}) {
    const std::string whole = file_bytes(media_data(std::string("heic/") + name));
    for (std::size_t size = 0; size + 0 < whole.size(); ++size) {
      const std::vector<char> start(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      EXPECT_THROW(read_heic({std::as_bytes(std::span(start)), name}), common::InputError)
          << name << ' ' << size;
    }
  }
}

// In the words of libheif, which differ from version to version.
TEST(HeicReaderTest, RefusesPixelsThatCannotBeDecoded) {
  EXPECT_THROW(read_picture(media_data("heic/damaged/broken_pixels.heic")), common::InputError);
}

}  // namespace
}  // namespace layerpipe::media
