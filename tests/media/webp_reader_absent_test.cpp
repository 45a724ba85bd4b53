#include "media/webp_reader.h"
#include "tests/media/media_test_data.h"

namespace layerpipe::media {
namespace {

TEST(WebpReaderAbsentTest, SaysThatThisBuildReadsNoWebp) {
  const Damage refusal{"lossy.webp", " is a WebP picture; this build of layerpipe reads no WebP", kGiveAPng};
  expect_refused(media_data("webp/lossy.webp"), refusal);
}

}  // namespace
}  // namespace layerpipe::media
