#include "media/picture_reader.h"

#include "tests/media/media_test_data.h"

namespace layerpipe::media {
namespace {

class DamagedPictureTest : public testing::TestWithParam<Damage> {};

TEST_P(DamagedPictureTest, IsRefused) {
  expect_refused(media_data("damaged/" + GetParam().file), GetParam());
}

INSTANTIATE_TEST_SUITE_P(
    Damages, DamagedPictureTest,
    testing::Values(
        Damage{"empty.png", " is empty", kExportAgain},
        Damage{"cut_in_signature.png", " is cut short: the PNG in it does not end within its 5 bytes",
               kExportAgain},
        Damage{"cut_in_header.png", " is cut short: the PNG in it does not end within its 20 bytes",
               kExportAgain},
        Damage{"cut_in_pixels.png", " is cut short: the PNG in it does not end within its 141 bytes",
               kExportAgain},
        Damage{"cut_before_end.png", " is cut short: the PNG in it does not end within its 336 bytes",
               kExportAgain},
        Damage{"wrong_checksum.png", " is a damaged PNG picture (libpng: IDAT: CRC error)", kExportAgain},
        Damage{"flipped_bit_in_key.png", " is a damaged PNG picture (libpng: tRNS: CRC error)", kExportAgain},
        Damage{"few_rows.png", " is a damaged PNG picture (libpng: Not enough image data)", kExportAgain},
        Damage{"no_palette.png", " is a damaged PNG picture (libpng: IDAT: Missing PLTE before IDAT)",
               kExportAgain},
        Damage{"zero_width.png", " declares a size of 0 × 5 pixels", kExportAgain},
        Damage{"huge.png", " has 65501 × 100 pixels; at most 65500 × 65500 are read",
               "Make the picture smaller first."},
        Damage{"bomb.png", " has 16384 × 16384 pixels, 268435456 in all; at most 178956970 are read",
               "Make the picture smaller first."},
        Damage{"text_mode.png", " is a PNG picture whose line ends were changed by a transfer in text mode",
               kExportAgain},
        Damage{"jxl.png", " is a JPEG XL picture; PNG, JPEG, WebP, HEIC, AVIF, TIFF, GIF and BMP are read",
               kGiveAPng},
        Damage{"noise.png", " is not a picture; PNG, JPEG, WebP, HEIC, AVIF, TIFF, GIF and BMP are read",
               kGiveAPng}),
    damage_name);

TEST(PictureReaderTest, LooksAtTheContentNotAtTheName) {
  const Picture picture = read_picture(media_data("damaged/jpeg.png"));
  EXPECT_TRUE(images_equal(picture.image, {2, 2, {0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255}}));
  EXPECT_TRUE(picture.remarks.empty());
}

TEST(PictureReaderTest, RefusesAMissingFileByName) {
  try {
    read_picture(media_data("missing.png"));
    FAIL() << "a missing file was read";
  } catch (const common::InputError& error) {
    EXPECT_EQ(error.what(),
              "cannot open " + media_data("missing.png").string() + ": No such file or directory (errno 2)");
    EXPECT_EQ(error.remedy(), "Give the path of a picture that may be read.");
  }
}

TEST(PictureReaderTest, RefusesAFolderByName) {
  try {
    read_picture(media_data("kinds"));
    FAIL() << "a folder was read";
  } catch (const common::InputError& error) {
    EXPECT_EQ(error.what(), media_data("kinds").string() + " is not a regular file");
    EXPECT_EQ(error.remedy(), "Give the path of a picture that may be read.");
  }
}

// What a caller allows counts, and the sides alone decide: 13 x 7 are 91.
TEST(PictureReaderTest, RefusesMorePixelsThanTheCallerAllows) {
  const std::string content = file_bytes(media_data("kinds/rgb_8.png"));
  const auto bytes = std::as_bytes(std::span(content));
  EXPECT_EQ(read_picture(PictureFile{bytes, "poster.png", 91}).image.width, 13);
  try {
    read_picture(PictureFile{bytes, "poster.png", 90});
    FAIL() << "91 pixels were read";
  } catch (const common::InputError& error) {
    EXPECT_STREQ(error.what(), "poster.png has 13 × 7 pixels, 91 in all; at most 90 are read");
  }
}

}  // namespace
}  // namespace layerpipe::media
