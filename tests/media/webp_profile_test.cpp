#include "tests/media/media_test_data.h"

namespace layerpipe::media {
namespace {

class WebpProfileTest : public testing::TestWithParam<ProfileCase> {};

TEST_P(WebpProfileTest, GivesTheColoursOfSrgb) {
  expect_in_srgb(GetParam());
}

constexpr const char* kWide = "its colour profile \"Wide\" was converted to sRGB";

INSTANTIATE_TEST_SUITE_P(
    Profiles, WebpProfileTest,
    testing::Values(ProfileCase{"wide.webp", kWide}, ProfileCase{"wide_alpha.webp", kWide},
                    ProfileCase{"srgb.webp", ""},
                    // Its perceptual table moves colours that are those of sRGB.
                    ProfileCase{"srgb_moved.webp", ""},
                    ProfileCase{
                        "grey_on_color.webp",
                        "its colour profile \"Light grey\" was ignored: it is not one for RGB pictures"},
                    ProfileCase{"noise.webp", "its colour profile was ignored: it is damaged"}),
    profile_case_name);

}  // namespace
}  // namespace layerpipe::media
