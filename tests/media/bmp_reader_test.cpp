#include "media/bmp_reader.h"

#include "tests/media/media_test_data.h"

namespace layerpipe::media {
namespace {

class BmpTest : public testing::TestWithParam<MediaCase> {};

TEST_P(BmpTest, EqualsPillow) {
  const Picture picture = read_picture(media_data("bmp/" + GetParam().name + ".bmp"));
  EXPECT_TRUE(images_equal(picture.image, expected_image("bmp", GetParam())));
  EXPECT_TRUE(picture.remarks.empty());
}

INSTANTIATE_TEST_SUITE_P(Kinds, BmpTest, testing::ValuesIn(media_cases("bmp")), case_name);

class DamagedBmpTest : public testing::TestWithParam<Damage> {};

TEST_P(DamagedBmpTest, IsRefused) {
  expect_refused(media_data("bmp/damaged/" + GetParam().file), GetParam());
}

INSTANTIATE_TEST_SUITE_P(
    Damages, DamagedBmpTest,
    testing::Values(
        Damage{"cut_in_start.bmp", " is cut short: the BMP in it does not end within its 10 bytes",
               kExportAgain},
        Damage{"cut_in_header.bmp", " is cut short: the BMP in it does not end within its 40 bytes",
               kExportAgain},
        Damage{"cut_in_pixels.bmp", " is cut short: the BMP in it does not end within its 328 bytes",
               kExportAgain},
        Damage{"cut_in_palette.bmp", " is cut short: the BMP in it does not end within its 200 bytes",
               kExportAgain},
        Damage{"cut_in_runs.bmp", " is cut short: the BMP in it does not end within its 1226 bytes",
               kExportAgain},
        Damage{"no_bits.bmp", " is a damaged BMP picture (0 bits a pixel with the compression 0)",
               kExportAgain},
        Damage{"bad_masks.bmp", " is a damaged BMP picture (its masks make no sense)", kExportAgain},
        Damage{"zero_height.bmp", size_refusal(13, 0), kExportAgain},
        Damage{"huge.bmp", size_refusal(100000, 10), kSmallerFirst},
        Damage{"bomb.bmp", size_refusal(16384, 16384), kSmallerFirst},
        Damage{"holds_jpeg.bmp", " is a BMP picture that holds a JPEG; such are not read", kGiveAPng},
        Damage{"holds_png.bmp", " is a BMP picture that holds a PNG; such are not read", kGiveAPng},
        Damage{"unknown_compression.bmp", " is a BMP picture of the compression 11; such are not read",
               kGiveAPng}),
    damage_name);

TEST(BmpReaderTest, RefusesEveryBeginning) {
  for (const char* name : {"palette_4.bmp", "runs_8.bmp", "rgb_565.bmp", "palette_1_core.bmp"}) {
    const std::string whole = file_bytes(media_data(std::string("bmp/") + name));
    for (std::size_t size = 0; size + 3 < whole.size(); ++size) {
      const std::vector<char> start(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      EXPECT_THROW(read_bmp({std::as_bytes(std::span(start)), name}), common::InputError)
          << name << ' ' << size;
    }
  }
}

}  // namespace
}  // namespace layerpipe::media
