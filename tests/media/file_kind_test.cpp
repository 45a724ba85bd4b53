#include "media/file_kind.h"

#include <gtest/gtest.h>

namespace layerpipe::media {
namespace {

using namespace std::string_view_literals;

TEST(FileKindTest, KnowsWhatPeopleMistakeForPictures) {
  EXPECT_EQ(describe_file_kind("\xff\xd8\xff\xe0rest"sv), "a JPEG picture");
  EXPECT_EQ(describe_file_kind("RIFF\x10\0\0\0WEBPVP8 "sv), "a WebP picture");
  EXPECT_EQ(describe_file_kind("GIF89a"sv), "a GIF picture");
  EXPECT_EQ(describe_file_kind("MM\0*\0\0\0\x08"sv), "a TIFF picture");
  EXPECT_EQ(describe_file_kind("\0\0\0\x18"
                               "ftypheic"sv),
            "a HEIC picture");
  EXPECT_EQ(describe_file_kind("\0\0\0\x18"
                               "ftypisom"sv),
            "a video");
  EXPECT_EQ(describe_file_kind("<svg xmlns="sv), "an SVG, HTML or XML document");
  EXPECT_EQ(describe_file_kind("version https://git-lfs.github.com/spec/v1"sv),
            "a Git LFS pointer, not the file itself");
}

TEST(FileKindTest, SaysNothingAboutOtherBytes) {
  EXPECT_EQ(describe_file_kind(""), "");
  EXPECT_EQ(describe_file_kind("\x89"), "");
  EXPECT_EQ(describe_file_kind("some text"), "");
}

}  // namespace
}  // namespace layerpipe::media
