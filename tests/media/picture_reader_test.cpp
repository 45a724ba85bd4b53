#include "media/picture_reader.h"

#include "common/errors.h"
#include "tests/media/media_test_data.h"

namespace layerpipe::media {
namespace {

constexpr const char* kFetchAgain = "Export the picture again, or copy it again from where it came.";
constexpr const char* kSaveAsPng = "Save the picture as PNG and give that file.";

struct Damage {
  std::string file;
  std::string message;  // after the path
  std::string remedy;
};

void PrintTo(const Damage& damage, std::ostream* out) {
  *out << damage.file;
}

class DamagedPictureTest : public testing::TestWithParam<Damage> {};

TEST_P(DamagedPictureTest, SaysWhatIsWrong) {
  const std::filesystem::path path = media_data("damaged/" + GetParam().file);
  ASSERT_TRUE(std::filesystem::exists(path));
  try {
    read_picture(path);
    FAIL() << path << " was read";
  } catch (const common::InputError& error) {
    EXPECT_EQ(error.what(), path.string() + GetParam().message);
    EXPECT_EQ(error.remedy(), GetParam().remedy);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Damages, DamagedPictureTest,
    testing::Values(
        Damage{"empty.png", " is empty", kFetchAgain},
        Damage{"cut_in_signature.png", " is cut short: the PNG in it does not end within its 5 bytes",
               kFetchAgain},
        Damage{"cut_in_header.png", " is cut short: the PNG in it does not end within its 20 bytes",
               kFetchAgain},
        Damage{"cut_in_pixels.png", " is cut short: the PNG in it does not end within its 141 bytes",
               kFetchAgain},
        Damage{"cut_before_end.png", " is cut short: the PNG in it does not end within its 336 bytes",
               kFetchAgain},
        Damage{"wrong_checksum.png", " is a damaged PNG picture (libpng: IDAT: CRC error)", kFetchAgain},
        Damage{"flipped_bit_in_key.png", " is a damaged PNG picture (libpng: tRNS: CRC error)", kFetchAgain},
        Damage{"few_rows.png", " is a damaged PNG picture (libpng: Not enough image data)", kFetchAgain},
        Damage{"no_palette.png", " is a damaged PNG picture (libpng: IDAT: Missing PLTE before IDAT)",
               kFetchAgain},
        Damage{"zero_width.png", " declares a size of 0 x 5 pixels", kFetchAgain},
        Damage{"huge.png", " has 16385 x 100 pixels; at most 16384 x 16384 are read",
               "Make the picture smaller first."},
        Damage{"text_mode.png", " is a PNG picture whose line ends were changed by a transfer in text mode",
               kFetchAgain},
        Damage{"jpeg.png", " is a JPEG picture; only PNG is read", kSaveAsPng},
        Damage{"noise.png", " is not a picture; only PNG is read", kSaveAsPng}),
    [](const testing::TestParamInfo<Damage>& info) {
      return info.param.file.substr(0, info.param.file.find('.'));
    });

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

TEST(PictureReaderTest, RefusesAFolder) {
  EXPECT_THROW(read_picture(media_data("kinds")), common::InputError);
}

}  // namespace
}  // namespace layerpipe::media
