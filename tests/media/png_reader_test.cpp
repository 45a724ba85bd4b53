#include "media/png_reader.h"

#include <sys/resource.h>
#include <zlib.h>

#include "common/errors.h"
#include "tests/media/media_test_data.h"

namespace layerpipe::media {
namespace {

class PngKindTest : public testing::TestWithParam<MediaCase> {};

TEST_P(PngKindTest, ReadsAsRgba) {
  const Image expected = expected_image("kinds", GetParam());
  EXPECT_TRUE(images_equal(read_png(media_data("kinds/" + GetParam().name + ".png")), expected));
}

TEST_P(PngKindTest, ReadsInterlaced) {
  const Image expected = expected_image("kinds", GetParam());
  EXPECT_TRUE(images_equal(read_png(media_data("kinds/" + GetParam().name + "_interlaced.png")), expected));
}

INSTANTIATE_TEST_SUITE_P(Kinds, PngKindTest, testing::ValuesIn(media_cases("kinds")), case_name);

class PngOrientationTest : public testing::TestWithParam<MediaCase> {};

TEST_P(PngOrientationTest, TurnsThePicture) {
  const Image expected = expected_image("orientations", GetParam());
  EXPECT_TRUE(images_equal(read_png(media_data("orientations/" + GetParam().name + ".png")), expected));
}

INSTANTIATE_TEST_SUITE_P(Orientations, PngOrientationTest, testing::ValuesIn(media_cases("orientations")),
                         case_name);

TEST(PngReaderTest, RefusesAnotherKindOfPicture) {
  const std::string content = file_bytes(media_data("damaged/jpeg.png"));
  try {
    read_png({std::as_bytes(std::span(content)), "poster.png"});
    FAIL() << "a JPEG was read as PNG";
  } catch (const common::InputError& error) {
    EXPECT_STREQ(error.what(), "poster.png is not a PNG picture");
    EXPECT_EQ(error.remedy(), "Save the picture as PNG and give that file.");
  }
}

// A whole PNG with chunks put before its pixels.
std::string with_chunks(const std::string& chunks) {
  std::string content = file_bytes(media_data("kinds/rgb_8.png"));
  return content.insert(content.find("IDAT") - 4, chunks);
}

std::string big_endian(std::size_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift);
  return bytes;
}

std::string chunk(const std::string& name, const std::string& content) {
  const std::string covered = name + content;
  const auto checksum =
      ::crc32(0, reinterpret_cast<const Bytef*>(covered.data()), static_cast<uInt>(covered.size()));
  return big_endian(content.size()) + covered + big_endian(checksum);
}

// Packed piece by piece, so that the zeros are never in memory together.
std::string packed_zeros(std::size_t mebibytes) {
  std::string zeros(std::size_t{1} << 20, '\0');
  std::string buffer(std::size_t{1} << 16, '\0');
  std::string packed;
  z_stream stream{};
  deflateInit(&stream, Z_BEST_COMPRESSION);
  for (std::size_t i = 0; i < mebibytes; ++i) {
    stream.next_in = reinterpret_cast<Bytef*>(zeros.data());
    stream.avail_in = static_cast<uInt>(zeros.size());
    do {
      stream.next_out = reinterpret_cast<Bytef*>(buffer.data());
      stream.avail_out = static_cast<uInt>(buffer.size());
      deflate(&stream, i + 1 == mebibytes ? Z_FINISH : Z_NO_FLUSH);
      packed.append(buffer, 0, buffer.size() - stream.avail_out);
    } while (stream.avail_out == 0);
  }
  deflateEnd(&stream);
  return packed;
}

long largest_resident_kib() {
  struct rusage usage {};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

// 256 MiB of zeros in 256 KiB, in every kind of chunk that is packed.
TEST(PngReaderTest, DoesNotUnpackWhatItDoesNotNeed) {
  const std::string bomb = packed_zeros(256);
  const std::string content = with_chunks(chunk("iCCP", std::string("name\0\0", 6) + bomb) +
                                          chunk("zTXt", std::string("name\0\0", 6) + bomb) +
                                          chunk("iTXt", std::string("name\0\1\0\0\0", 9) + bomb) +
                                          chunk("eXIf", "II*" + std::string(1, '\0') + bomb));
  ASSERT_LT(content.size(), std::size_t{2} << 20);
  const long before = largest_resident_kib();
  const Picture picture = read_png({std::as_bytes(std::span(content)), "poster.png"});
  EXPECT_LT(largest_resident_kib() - before, 32 << 10);
  EXPECT_TRUE(images_equal(picture.image, read_png(media_data("kinds/rgb_8.png"))));
}

// A length is believed only when the file is as long.
TEST(PngReaderTest, RefusesChunksThatTheFileCannotHold) {
  for (const char* name : {"iCCP", "eXIf", "sPLT", "tEXt", "zTXt", "iTXt", "pCAL", "abCd"}) {
    const std::string content = with_chunks(big_endian(0x7fffffff) + name + "short");
    try {
      read_png({std::as_bytes(std::span(content)), "poster.png"});
      FAIL() << "a chunk of 2 GiB was read: " << name;
    } catch (const common::InputError& error) {
      EXPECT_EQ(error.what(), "poster.png is cut short: the PNG in it does not end within its " +
                                  std::to_string(content.size()) + " bytes")
          << name;
    }
  }
}

// Chunks that a picture can be decoded without may be of any length, and hold anything.
TEST(PngReaderTest, PassesOverTexts) {
  const std::string content =
      with_chunks(chunk("tEXt", std::string(std::size_t{9} << 20, 'x')) + chunk("gAMA", "") +
                  chunk("sPLT", "nonsense") + chunk("tIME", "nonsense"));
  const Picture picture = read_png({std::as_bytes(std::span(content)), "poster.png"});
  EXPECT_TRUE(images_equal(picture.image, read_png(media_data("kinds/rgb_8.png"))));
}

// The first profile counts, and one behind the pixels does not.
TEST(PngReaderTest, LooksForProfilesBeforeThePixelsOnly) {
  const std::string damaged_profile = chunk("iCCP", "name");
  std::string content = with_chunks(damaged_profile + damaged_profile);
  EXPECT_EQ(read_png({std::as_bytes(std::span(content)), "x"}).remarks.size(), 1u);
  content = file_bytes(media_data("kinds/rgb_8.png"));
  content.insert(content.find("IEND") - 4, damaged_profile);
  EXPECT_TRUE(read_png({std::as_bytes(std::span(content)), "x"}).remarks.empty());
}

std::vector<std::string> remarks_of(const char* name) {
  return read_picture(media_data(std::string("animated/") + name)).remarks;
}

TEST(PngReaderTest, SaysWhatItTakesOfAnAnimation) {
  EXPECT_EQ(remarks_of("first_frame.png"),
            std::vector<std::string>{"animated: only its first frame is used"});
  EXPECT_EQ(remarks_of("still_picture.png"),
            std::vector<std::string>{"animated: only its still picture is used"});
  EXPECT_TRUE(remarks_of("one_frame.png").empty());
  EXPECT_TRUE(remarks_of("lost_head.png").empty());  // behind the pixels it says nothing
}

}  // namespace
}  // namespace layerpipe::media
