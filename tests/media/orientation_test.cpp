#include "media/orientation.h"

#include <string>
#include <string_view>

#include "tests/media/media_test_data.h"

namespace layerpipe::media {
namespace {

using namespace std::string_literals;

Orientation read(std::string_view exif) {
  return read_orientation(std::as_bytes(std::span(exif)));
}

// Directory at byte 8 with one entry; `entry` is tag, type, count and value.
std::string little_endian(const std::string& entry) {
  return "II*\0\x08\0\0\0\x01\0"s + entry;
}

TEST(OrientationTest, ReadsBothByteOrders) {
  EXPECT_EQ(read(little_endian("\x12\x01\x03\0\x01\0\0\0\x06\0\0\0"s)), Orientation::kRightTop);
  EXPECT_EQ(read("MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x08\0\0"s), Orientation::kLeftBottom);
}

TEST(OrientationTest, ReadsBytesAndLongNumbers) {
  EXPECT_EQ(read(little_endian("\x12\x01\x01\0\x01\0\0\0\x03\0\0\0"s)), Orientation::kBottomRight);
  EXPECT_EQ(read(little_endian("\x12\x01\x04\0\x01\0\0\0\x05\0\0\0"s)), Orientation::kLeftTop);
}

TEST(OrientationTest, TakesWhatMeansNothingAsUpright) {
  EXPECT_EQ(read(little_endian("\x12\x01\x03\0\x01\0\0\0\x09\0\0\0"s)),
            Orientation::kTopLeft);  // no such value
  EXPECT_EQ(read(little_endian("\x12\x01\x03\0\x01\0\0\0\0\0\0\0"s)), Orientation::kTopLeft);
  EXPECT_EQ(read(little_endian("\x12\x01\x03\0\x02\0\0\0\x06\0\x06\0"s)),
            Orientation::kTopLeft);                                                              // two values
  EXPECT_EQ(read(little_endian("\x12\x01\x02\0\x01\0\0\0\x06\0\0\0"s)), Orientation::kTopLeft);  // a text
  EXPECT_EQ(read(little_endian("\x13\x01\x03\0\x01\0\0\0\x06\0\0\0"s)),
            Orientation::kTopLeft);  // another tag
}

TEST(OrientationTest, SurvivesADamagedBlock) {
  const std::string whole = little_endian("\x12\x01\x03\0\x01\0\0\0\x06\0\0\0"s);
  for (std::size_t size = 0; size < whole.size() - 2; ++size) {
    EXPECT_EQ(read(std::string_view(whole).substr(0, size)), Orientation::kTopLeft) << size << " bytes";
  }
  EXPECT_EQ(read("II*\0\xff\xff\xff\xff"s), Orientation::kTopLeft);  // the directory lies beyond the end
  EXPECT_EQ(read("XX*\0\x08\0\0\0"s), Orientation::kTopLeft);
  EXPECT_EQ(read("II+\0\x08\0\0\0"s), Orientation::kTopLeft);
}

TEST(OrientationTest, TurnsClockwise) {
  const Image stored{2, 1, {1, 1, 1, 1, 2, 2, 2, 2}};
  EXPECT_TRUE(images_equal(apply_orientation(stored, Orientation::kRightTop), {1, 2, stored.pixels}));
  EXPECT_TRUE(
      images_equal(apply_orientation(stored, Orientation::kLeftBottom), {1, 2, {2, 2, 2, 2, 1, 1, 1, 1}}));
}

}  // namespace
}  // namespace layerpipe::media
