#include "media/psd_rle.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/media/psd_test_reader.h"

namespace layerpipe::media {
namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes packed(const Bytes& row) {
  Bytes result;
  append_packed(row, result);
  return result;
}

// 0, 1, 2 …: no two neighbours are equal.
Bytes rising(std::size_t count) {
  Bytes row(count);
  for (std::size_t i = 0; i < count; ++i) row[i] = static_cast<std::uint8_t>(i);
  return row;
}

TEST(PsdRle, CodesRunsOfUpTo128) {
  EXPECT_EQ(packed(Bytes(3, 7)), (Bytes{0xFE, 7}));
  EXPECT_EQ(packed(Bytes(127, 7)), (Bytes{0x82, 7}));
  EXPECT_EQ(packed(Bytes(128, 7)), (Bytes{0x81, 7}));
  EXPECT_EQ(packed(Bytes(129, 7)), (Bytes{0x81, 7, 0, 7}));
  EXPECT_EQ(packed(Bytes(256, 7)), (Bytes{0x81, 7, 0x81, 7}));
}

TEST(PsdRle, CodesBytesThatDoNotRepeatAsTheyAre) {
  EXPECT_EQ(packed({}), Bytes{});
  EXPECT_EQ(packed({9}), (Bytes{0, 9}));
  EXPECT_EQ(packed({9, 9}), (Bytes{1, 9, 9}));
  EXPECT_EQ(packed({1, 9, 9, 2}), (Bytes{3, 1, 9, 9, 2}));
  EXPECT_EQ(packed({1, 9, 9, 9, 2}), (Bytes{0, 1, 0xFE, 9, 0, 2}));
  EXPECT_EQ(packed(rising(128)).front(), 127);
  EXPECT_EQ(packed(rising(128)).size(), 129u);
  EXPECT_EQ(packed(rising(129)).size(), 131u);
}

TEST(PsdRle, AppendsToWhatIsThere) {
  Bytes row = {5};
  append_packed(Bytes(4, 1), row);
  EXPECT_EQ(row, (Bytes{5, 0xFD, 1}));
}

void expect_to_come_back(const Bytes& row) {
  const Bytes code = packed(row);
  ASSERT_EQ(unpack(code, row.size()), row);
  ASSERT_LE(code.size(), row.size() + (row.size() + 127) / 128);
}

TEST(PsdRle, ComesBackForEveryRunAndLiteralAroundTheLongest) {
  for (const std::size_t before : {0, 1, 2, 127, 128, 129}) {
    for (const std::size_t run : {1, 2, 3, 127, 128, 129, 130, 255, 256, 257}) {
      for (const std::size_t after : {0, 1, 2, 127, 128, 129}) {
        Bytes row = rising(before);
        row.insert(row.end(), run, 200);
        const Bytes tail = rising(after);
        row.insert(row.end(), tail.begin(), tail.end());
        expect_to_come_back(row);
      }
    }
  }
}

TEST(PsdRle, ComesBackForRandomRows) {
  std::mt19937 random(1);
  for (int i = 0; i < 20'000; ++i) {
    // Few values make many short runs; repeating what is drawn makes long ones.
    const unsigned values = 1 + random() % (random() % 2 == 0 ? 3 : 256);
    const std::size_t longest = 1 + random() % (random() % 2 == 0 ? 4 : 300);
    const std::size_t width = random() % 700;
    Bytes row;
    while (row.size() < width) {
      row.insert(row.end(), 1 + random() % longest, static_cast<std::uint8_t>(random() % values));
    }
    row.resize(width);
    expect_to_come_back(row);
  }
}

}  // namespace
}  // namespace layerpipe::media
