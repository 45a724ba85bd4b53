#include "media/color_profile.h"

#include "tests/media/media_test_data.h"

namespace layerpipe::media {
namespace {

// The expected pixels are those of another version of Little CMS, Pillow's own. Should a version ever round
// otherwise, docs/pictures.md is the place to say so.
class ProfileTest : public testing::TestWithParam<ProfileCase> {};

TEST_P(ProfileTest, GivesTheColoursOfSrgb) {
  expect_in_srgb(GetParam());
}

constexpr const char* kWide = "its colour profile \"Wide\" was converted to sRGB";
constexpr const char* kLightGrey = "its colour profile \"Light grey\" was converted to sRGB";

INSTANTIATE_TEST_SUITE_P(
    Converted, ProfileTest,
    testing::Values(
        ProfileCase{"wide.png", kWide}, ProfileCase{"wide_alpha.png", kWide},
        ProfileCase{"wide_16_bits.png", kWide}, ProfileCase{"wide_palette.png", kWide},
        ProfileCase{"wide_on_grey.png", kWide}, ProfileCase{"wide.jpg", kWide},
        ProfileCase{"wide_in_parts.jpg", kWide}, ProfileCase{"wide_turned.jpg", kWide},
        ProfileCase{"grey.png", kLightGrey}, ProfileCase{"grey_alpha.png", kLightGrey},
        ProfileCase{"grey.jpg", kLightGrey},
        ProfileCase{"gamma_22.png", "its colour profile \"Almost sRGB\" was converted to sRGB"},
        ProfileCase{"perceptual.png", "its colour profile \"Perceptual\" was converted to sRGB"},
        ProfileCase{"colorimetric.png", "its colour profile \"Colorimetric\" was converted to sRGB"},
        // Without the escape sequence and the quote of its name, and cut.
        ProfileCase{"odd_name.png",
                    "its colour profile \"?[31mred? "
                    "longlonglonglonglonglonglonglonglonglonglonglonglo\" was converted to sRGB"}),
    profile_case_name);

INSTANTIATE_TEST_SUITE_P(Untouched, ProfileTest,
                         testing::Values(ProfileCase{"srgb.png", ""}, ProfileCase{"srgb_by_table.png", ""},
                                         ProfileCase{"srgb_by_name.png", ""}, ProfileCase{"srgb.jpg", ""},
                                         ProfileCase{"srgb_on_grey.jpg", ""}),
                         profile_case_name);

constexpr const char* kNotForRgb = " was ignored: it is not one for RGB pictures";
constexpr const char* kDamagedProfile = "its colour profile was ignored: it is damaged";

INSTANTIATE_TEST_SUITE_P(
    Ignored, ProfileTest,
    testing::Values(
        ProfileCase{"cmyk.png", std::string("its colour profile \"Some press\"") + kNotForRgb},
        ProfileCase{"cmyk_on_grey.jpg",
                    "its colour profile \"Some press\" was ignored: it is not one for grey pictures"},
        ProfileCase{"grey_on_color.png", std::string("its colour profile \"Light grey\"") + kNotForRgb},
        ProfileCase{"noise.png", kDamagedProfile}, ProfileCase{"no_tags.png", kDamagedProfile},
        ProfileCase{"cut.png", kDamagedProfile}, ProfileCase{"too_large.png", kProfileTooLarge},
        ProfileCase{"noise.jpg", kDamagedProfile}, ProfileCase{"missing_part.jpg", kDamagedProfile}),
    profile_case_name);

TEST(ColorProfileTest, IgnoresAProfileThatIsTooLarge) {
  Picture picture{make_image(1, 1), {}};
  std::vector<std::byte> profile(kMaxProfileBytes);
  convert_to_srgb(picture, profile, ColorModel::kRgb);
  profile.push_back(std::byte{0});
  convert_to_srgb(picture, profile, ColorModel::kRgb);
  EXPECT_EQ(
      picture.remarks,
      (std::vector<std::string>{kDamagedProfile, "its colour profile was ignored: it has more than 16 MiB"}));
}

TEST(ColorProfileTest, TakesNoBytesAsDamaged) {
  Picture picture{make_image(1, 1), {}};
  convert_to_srgb(picture, {}, ColorModel::kRgb);
  EXPECT_EQ(picture.remarks, std::vector<std::string>{kDamagedProfile});
}

}  // namespace
}  // namespace layerpipe::media
