#include "tests/media/media_test_data.h"

namespace layerpipe::media {
namespace {

class AvifProfileTest : public testing::TestWithParam<ProfileCase> {};

TEST_P(AvifProfileTest, GivesTheColoursOfSrgb) {
  expect_in_srgb(GetParam());
}

constexpr const char* kWide = "its colour profile \"Wide\" was converted to sRGB";
constexpr const char* kGrey = "its colour profile \"Light grey\" was converted to sRGB";

INSTANTIATE_TEST_SUITE_P(Profiles, AvifProfileTest,
                         testing::Values(ProfileCase{"wide.avif", kWide}, ProfileCase{"grey.avif", kGrey}),
                         profile_case_name);

}  // namespace
}  // namespace layerpipe::media
