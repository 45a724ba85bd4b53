#include "tests/media/media_test_data.h"

namespace layerpipe::media {
namespace {

class BmpProfileTest : public testing::TestWithParam<ProfileCase> {};

TEST_P(BmpProfileTest, GivesTheColoursOfSrgb) {
  expect_in_srgb(GetParam());
}

constexpr const char* kWide = "its colour profile \"Wide\" was converted to sRGB";
constexpr const char* kDamagedProfile = "its colour profile was ignored: it is damaged";

INSTANTIATE_TEST_SUITE_P(Profiles, BmpProfileTest,
                         testing::Values(ProfileCase{"wide.bmp", kWide},
                                         ProfileCase{"cut.bmp", kDamagedProfile}),
                         profile_case_name);

}  // namespace
}  // namespace layerpipe::media
