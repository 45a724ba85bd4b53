#include "media/tiff_reader.h"

#include "tests/media/media_test_data.h"

namespace layerpipe::media {
namespace {

class TiffTest : public testing::TestWithParam<MediaCase> {};

TEST_P(TiffTest, EqualsPillow) {
  const Picture picture = read_picture(media_data("tiff/" + GetParam().name + ".tif"));
  EXPECT_TRUE(images_equal(picture.image, expected_image("tiff", GetParam())));
  EXPECT_TRUE(picture.remarks.empty());
}

INSTANTIATE_TEST_SUITE_P(Kinds, TiffTest, testing::ValuesIn(media_cases("tiff")), case_name);

class SeveralPagesTiffTest : public testing::TestWithParam<MediaCase> {};

TEST_P(SeveralPagesTiffTest, GivesTheFirstAndSaysSo) {
  const Picture picture = read_picture(media_data("tiff/pages/" + GetParam().name + ".tif"));
  EXPECT_TRUE(images_equal(picture.image, expected_image("tiff/pages", GetParam())));
  EXPECT_EQ(picture.remarks, std::vector<std::string>{"has several pages: only its first is used"});
}

INSTANTIATE_TEST_SUITE_P(Kinds, SeveralPagesTiffTest, testing::ValuesIn(media_cases("tiff/pages")),
                         case_name);

constexpr const char* kToRgb = "Convert the picture to RGB (sRGB) and give that file.";

class DamagedTiffTest : public testing::TestWithParam<Damage> {};

TEST_P(DamagedTiffTest, IsRefused) {
  expect_refused(media_data("tiff/damaged/" + GetParam().file), GetParam());
}

INSTANTIATE_TEST_SUITE_P(
    Damages, DamagedTiffTest,
    testing::Values(
        Damage{"cut_in_start.tif", " is cut short: the TIFF in it does not end within its 6 bytes",
               kExportAgain},
        Damage{"cut_in_directory.tif", " is cut short: the TIFF in it does not end within its 60 bytes",
               kExportAgain},
        Damage{"cut_in_pixels.tif", " is cut short: the TIFF in it does not end within its 1328 bytes",
               kExportAgain},
        Damage{"no_pixels.tif", " is cut short: the TIFF in it does not end within its 1338 bytes",
               kExportAgain},
        Damage{"bad_code.tif", " is a damaged TIFF picture (libtiff: Using code not yet in table)",
               kExportAgain},
        Damage{"zero_width.tif", " is a damaged TIFF picture (libtiff: Cannot handle zero scanline size)",
               kExportAgain},
        Damage{"huge.tif", size_refusal(100000, 19), kSmallerFirst},
        Damage{"bomb.tif", size_refusal(16384, 16384), kSmallerFirst},
        Damage{"cmyk.tif", " is a TIFF picture in CMYK, the colours of print; such are not read", kToRgb},
        Damage{"lab.tif", " is a TIFF picture in Lab; such are not read", kToRgb},
        Damage{"float.tif", " is a TIFF picture of floating point numbers; such are not read", kGiveAPng},
        Damage{"signed.tif", " is a TIFF picture of samples of the format 2; such are not read", kGiveAPng},
        Damage{"lzma.tif", " is a TIFF picture compressed by LZMA; such are not read", kGiveAPng},
        Damage{"unknown_compression.tif", " is a TIFF picture compressed by method 12345; such are not read",
               kGiveAPng},
        Damage{"no_palette.tif",
               " is a damaged TIFF picture (libtiff: TIFF directory is missing required \"Colormap\" field)",
               kExportAgain},
        Damage{"many_samples.tif", " is a TIFF picture of 9 samples a pixel; such are not read", kGiveAPng}),
    damage_name);

TEST(TiffReaderTest, RefusesEveryBeginning) {
  for (const char* name : {"strips.tif", "tiles.tif", "rgb_16_big.tif", "palette_4.tif"}) {
    const std::string whole = file_bytes(media_data(std::string("tiff/") + name));
    for (std::size_t size = 0; size + 2 < whole.size(); ++size) {
      const std::vector<char> start(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      EXPECT_THROW(read_tiff({std::as_bytes(std::span(start)), name}), common::InputError)
          << name << ' ' << size;
    }
  }
}

}  // namespace
}  // namespace layerpipe::media
