#include "tests/media/reader_absent_test.h"

namespace layerpipe::media {
namespace {

TEST(AvifReaderAbsentTest, SaysWhatToInstall) {
  expect_not_built("avif/grey.avif", "an AVIF picture", "libavif", "libavif-dev");
}

}  // namespace
}  // namespace layerpipe::media
