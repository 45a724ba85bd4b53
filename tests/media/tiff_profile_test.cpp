#include "tests/media/media_test_data.h"

namespace layerpipe::media {
namespace {

class TiffProfileTest : public testing::TestWithParam<ProfileCase> {};

TEST_P(TiffProfileTest, GivesTheColoursOfSrgb) {
  expect_in_srgb(GetParam());
}

constexpr const char* kWide = "its colour profile \"Wide\" was converted to sRGB";
constexpr const char* kGrey = "its colour profile \"Light grey\" was converted to sRGB";
constexpr const char* kDamagedProfile = "its colour profile was ignored: it is damaged";

INSTANTIATE_TEST_SUITE_P(Profiles, TiffProfileTest,
                         testing::Values(ProfileCase{"wide.tif", kWide}, ProfileCase{"grey.tif", kGrey},
                                         ProfileCase{"noise.tif", kDamagedProfile}),
                         profile_case_name);

}  // namespace
}  // namespace layerpipe::media
