#include "tests/media/reader_absent_test.h"

namespace layerpipe::media {
namespace {

TEST(HeicReaderAbsentTest, SaysWhatToInstall) {
  expect_not_built("heic/rgb_444.heic", "a HEIC picture", "libheif", "libheif-dev");
}

}  // namespace
}  // namespace layerpipe::media
