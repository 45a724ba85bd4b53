#include "tests/media/reader_absent_test.h"

namespace layerpipe::media {
namespace {

TEST(WebpReaderAbsentTest, SaysWhatToInstall) {
  expect_not_built("webp/lossy.webp", "a WebP picture", "libwebp", "libwebp-dev");
}

}  // namespace
}  // namespace layerpipe::media
