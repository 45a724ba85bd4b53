#include "tests/media/reader_absent_test.h"

namespace layerpipe::media {
namespace {

TEST(TiffReaderAbsentTest, SaysWhatToInstall) {
  expect_not_built("tiff/strips.tif", "a TIFF picture", "libtiff", "libtiff-dev");
}

}  // namespace
}  // namespace layerpipe::media
