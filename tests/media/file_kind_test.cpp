#include "media/file_kind.h"

#include <gtest/gtest.h>

namespace layerpipe::media {
namespace {

using namespace std::string_literals;
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

TEST(FileKindTest, FindsTheReaderByBrand) {
  const auto format_of = [](std::string_view brands) {
    return picture_format_of("\0\0\0\x18"s + "ftyp" + std::string(brands));
  };
  EXPECT_EQ(format_of("avif\0\0\0\0mif1miaf"sv), PictureFormat::kAvif);
  EXPECT_EQ(format_of("avis\0\0\0\0avifmsf1"sv), PictureFormat::kAvif);
  EXPECT_EQ(format_of("mif1\0\0\0\0miafavif"sv), PictureFormat::kAvif);
  EXPECT_EQ(format_of("heic\0\0\0\0mif1heic"sv), PictureFormat::kHeic);
  EXPECT_EQ(format_of("heix\0\0\0\0mif1heic"sv), PictureFormat::kHeic);
  EXPECT_EQ(format_of("mif1\0\0\0\0mif1heic"sv), PictureFormat::kHeic);
  EXPECT_EQ(format_of("msf1"sv), PictureFormat::kHeic);
  // Brands beyond the box are none.
  EXPECT_EQ(format_of("mif1\0\0\0\0miafmiafavif"sv), PictureFormat::kHeic);
  EXPECT_EQ(format_of("isom\0\0\0\0avifheic"sv), std::nullopt);
  EXPECT_EQ(format_of("av"sv), std::nullopt);
}

TEST(FileKindTest, KnowsABmpByItsHeader) {
  const auto format_of = [](char header_bytes) {
    return picture_format_of("BM" + std::string(12, '\1') + header_bytes + std::string(3, '\0'));
  };
  for (const char bytes : {12, 16, 40, 52, 56, 64, 108, 124})
    EXPECT_EQ(format_of(bytes), PictureFormat::kBmp);
  EXPECT_EQ(format_of(41), std::nullopt);
  EXPECT_EQ(picture_format_of("BM"), PictureFormat::kBmp);
  EXPECT_EQ(picture_format_of("BMW drives on, it is said"), std::nullopt);
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
  EXPECT_EQ(picture_format_of("GIF87a"sv), PictureFormat::kGif);
  EXPECT_EQ(picture_format_of("GIF89a\1"sv), PictureFormat::kGif);
  EXPECT_EQ(picture_format_of("GIF88a"sv), std::nullopt);
  for (const std::string_view mark : {"II*\0"sv, "MM\0*"sv, "II+\0"sv, "MM\0+"sv})
    EXPECT_EQ(picture_format_of(mark), PictureFormat::kTiff);
  EXPECT_EQ(picture_format_of("II*"sv), std::nullopt);
  EXPECT_EQ(picture_format_of("\x89PNG\n"sv), std::nullopt);
  EXPECT_EQ(picture_format_of(""), std::nullopt);
}

}  // namespace
}  // namespace layerpipe::media
