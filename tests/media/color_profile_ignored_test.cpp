#include "tests/media/media_test_data.h"

namespace layerpipe::media {
namespace {

TEST(ColorProfileIgnoredTest, SaysThatThisBuildConvertsNone) {
  for (const char* name : {"profiles/wide.png", "profiles/srgb.jpg"}) {
    EXPECT_EQ(read_picture(media_data(name)).remarks,
              std::vector<std::string>{
                  "its colour profile was ignored: this build of layerpipe has no Little CMS"});
  }
}

}  // namespace
}  // namespace layerpipe::media
