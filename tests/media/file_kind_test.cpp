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

TEST(FileKindTest, FindsTheReader) {
  EXPECT_EQ(picture_format_of("\x89PNG\r\n\x1a\n\0"sv), PictureFormat::kPng);
  EXPECT_EQ(picture_format_of("\x89P"sv), PictureFormat::kPng);
  EXPECT_EQ(picture_format_of("\xff\xd8\xff\xdb"sv), PictureFormat::kJpeg);
  EXPECT_EQ(picture_format_of("RIFF\x10\0\0\0WEBPVP8 "sv), PictureFormat::kWebp);
  EXPECT_EQ(picture_format_of("RIFF\x10\0\0\0WAVEfmt "sv), std::nullopt);
  EXPECT_EQ(picture_format_of("\xff\xd8"sv), PictureFormat::kJpeg);
  EXPECT_EQ(picture_format_of("RIFF\x10\0"sv), PictureFormat::kWebp);
  EXPECT_EQ(picture_format_of("RIFF\x10\0\0\0WEB"sv), PictureFormat::kWebp);
  EXPECT_EQ(picture_format_of("RIFF\x10\0\0\0WAV"sv), std::nullopt);
  EXPECT_EQ(picture_format_of("\x89PNG\n"sv), std::nullopt);
  EXPECT_EQ(picture_format_of(""), std::nullopt);
}

}  // namespace
}  // namespace layerpipe::media
