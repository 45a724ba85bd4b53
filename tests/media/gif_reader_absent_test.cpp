#include "tests/media/reader_absent_test.h"

namespace layerpipe::media {
namespace {

TEST(GifReaderAbsentTest, SaysWhatToInstall) {
  expect_not_built("gif/pixel.gif", "a GIF picture", "giflib", "libgif-dev");
}

}  // namespace
}  // namespace layerpipe::media
