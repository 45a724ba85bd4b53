#include "media/jpeg_reader.h"

#include "tests/media/media_test_data.h"

namespace layerpipe::media {
namespace {

class JpegTest : public testing::TestWithParam<MediaCase> {};

TEST_P(JpegTest, EqualsPillow) {
  const Picture picture = read_picture(media_data("jpeg/" + GetParam().name + ".jpg"));
  EXPECT_TRUE(images_equal(picture.image, expected_image("jpeg", GetParam())));
  EXPECT_TRUE(picture.remarks.empty());
}

INSTANTIATE_TEST_SUITE_P(Kinds, JpegTest, testing::ValuesIn(media_cases("jpeg")), case_name);

class DamagedJpegTest : public testing::TestWithParam<Damage> {};

TEST_P(DamagedJpegTest, IsRefused) {
  expect_refused(media_data("jpeg/damaged/" + GetParam().file), GetParam());
}

constexpr const char* kConvert = "Convert the picture to RGB (sRGB) and give that file.";
constexpr const char* kMakeSmaller = "Make the picture smaller first.";

INSTANTIATE_TEST_SUITE_P(
    Damages, DamagedJpegTest,
    testing::Values(
        Damage{"cut_in_header.jpg", " is cut short: the JPEG in it does not end within its 30 bytes",
               kExportAgain},
        Damage{"cut_in_scan.jpg", " is cut short: the JPEG in it does not end within its 663 bytes",
               kExportAgain},
        Damage{"cut_in_later_scan.jpg", " is cut short: the JPEG in it does not end within its 732 bytes",
               kExportAgain},
        Damage{"cut_before_end.jpg", " is cut short: the JPEG in it does not end within its 833 bytes",
               kExportAgain},
        Damage{"short_scan.jpg",
               " is a damaged JPEG picture (libjpeg: Corrupt JPEG data: premature end of data segment)",
               kExportAgain},
        Damage{"bad_code.jpg", " is a damaged JPEG picture (libjpeg: Corrupt JPEG data: bad Huffman code)",
               kExportAgain},
        Damage{"wrong_restart.jpg",
               " is a damaged JPEG picture (libjpeg: Corrupt JPEG data: found marker 0xd5 instead of RST1)",
               kExportAgain},
        Damage{"no_picture.jpg", " is a damaged JPEG picture (libjpeg: JPEG datastream contains no image)",
               kExportAgain},
        Damage{"zero_height.jpg", " declares a size of 21 × 0 pixels", kExportAgain},
        Damage{"huge.jpg", " has 65501 × 100 pixels; at most 65500 × 65500 are read", kMakeSmaller},
        Damage{"gigantic.jpg", " has 100 × 65501 pixels; at most 65500 × 65500 are read", kMakeSmaller},
        Damage{"bomb.jpg", " has 16384 × 16384 pixels, 268435456 in all; at most 178956970 are read",
               kMakeSmaller},
        Damage{"cut_in_start.jpg", " is cut short: the JPEG in it does not end within its 2 bytes",
               kExportAgain},
        Damage{"many_scans.jpg", " is a damaged JPEG picture (more than 100 scans)", kExportAgain},
        Damage{"twelve_bits.jpg",
               " is of a kind of JPEG that is not read (libjpeg: Unsupported JPEG data precision 12)",
               kGiveAPng},
        Damage{"lossless.jpg",
               " is of a kind of JPEG that is not read (libjpeg: Unsupported JPEG process: SOF type 0xc3)",
               kGiveAPng},
        Damage{"cmyk.jpg",
               " is a JPEG picture in CMYK, the colours of print; only grey and RGB ones are read", kConvert},
        Damage{"ycck.jpg",
               " is a JPEG picture in YCCK, the colours of print; only grey and RGB ones are read",
               kConvert}),
    damage_name);

TEST(JpegReaderTest, RemarksOnBytesThatBelongToNothing) {
  const Picture padded = read_picture(media_data("jpeg/damaged/padded.jpg"));
  EXPECT_TRUE(images_equal(padded.image, read_picture(media_data("jpeg/color_420.jpg")).image));
  EXPECT_EQ(padded.remarks,
            std::vector<std::string>{"libjpeg warns \"Corrupt JPEG data: 39 extraneous bytes before marker "
                                     "0xd9\": look whether the picture is whole"});
}

TEST(JpegReaderTest, RefusesWhatIsNoJpeg) {
  try {
    read_jpeg({std::as_bytes(std::span("text")), "poster.jpg"});
    FAIL() << "text was read as JPEG";
  } catch (const common::InputError& error) {
    EXPECT_STREQ(error.what(),
                 "poster.jpg is a damaged JPEG picture (libjpeg: Not a JPEG file: starts with 0x74 0x65)");
  }
}

// Every beginning of a file is refused, and nothing is read beyond it: with AddressSanitizer, that is tested
// too.
TEST(JpegReaderTest, RefusesEveryBeginning) {
  for (const char* name : {"jpeg/color_420_restart.jpg", "jpeg/color_422_progressive.jpg"}) {
    const std::string whole = file_bytes(media_data(name));
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const std::vector<char> start(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      EXPECT_THROW(read_jpeg({std::as_bytes(std::span(start)), name}), common::InputError) << size;
    }
  }
}

}  // namespace
}  // namespace layerpipe::media
