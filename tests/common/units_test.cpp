#include "common/units.h"

#include <gtest/gtest.h>

#include <limits>

namespace layerpipe::common {
namespace {

TEST(Units, FormatsBytes) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(1023), "1023 B");
  EXPECT_EQ(format_bytes(1024), "1.0 KiB");
  EXPECT_EQ(format_bytes(3ULL << 19), "1.50 MiB");
  EXPECT_EQ(format_bytes(40856000000ULL), "38.05 GiB");
}

TEST(Units, FormatsDurations) {
  using std::chrono::duration;
  EXPECT_EQ(format_duration(duration<double>(0.84)), "0.8 s");
  EXPECT_EQ(format_duration(duration<double>(9.96)), "10 s");
  EXPECT_EQ(format_duration(duration<double>(59.6)), "1 min 00 s");
  EXPECT_EQ(format_duration(duration<double>(185)), "3 min 05 s");
  EXPECT_EQ(format_duration(duration<double>(3725)), "1 h 02 min");
}

TEST(Units, ReadsSizes) {
  EXPECT_EQ(parse_bytes("64KiB"), 65536U);
  EXPECT_EQ(parse_bytes("512MiB"), std::uint64_t{512} << 20);
  EXPECT_EQ(parse_bytes("12GiB"), std::uint64_t{12} << 30);
  EXPECT_EQ(parse_bytes("15.5GiB"), std::uint64_t{31} << 29);
  EXPECT_EQ(parse_bytes("0.25KiB"), 256U);
  EXPECT_EQ(parse_bytes("0.0015KiB"), 1U);
  EXPECT_EQ(parse_bytes("0MiB"), 0U);
  EXPECT_EQ(parse_bytes("007KiB"), 7U << 10);
  EXPECT_EQ(parse_bytes("17179869183.999999999GiB"), 18446744073709551614U);
}

TEST(Units, RefusesWhatIsNoSize) {
  for (const char* text : {"",
                           "24GB",
                           "24G",
                           "24",
                           "24gib",
                           "24 GiB",
                           " 24GiB",
                           "24GiB ",
                           "-1GiB",
                           "+1GiB",
                           "GiB",
                           ".5GiB",
                           "5.GiB",
                           "1.5.5GiB",
                           "1,5GiB",
                           "1e3GiB",
                           "0x10GiB",
                           "nanGiB",
                           "infGiB",
                           "24GiBGiB",
                           "24B",
                           "24TiB",
                           "0.1234567891GiB",
                           "17179869184GiB",
                           "18446744073709551616KiB",
                           "99999999999999999999999GiB"}) {
    EXPECT_EQ(parse_bytes(text), std::nullopt) << text;
  }
}

TEST(Units, ReadsDurations) {
  using std::chrono::milliseconds;
  EXPECT_EQ(parse_duration("120s"), milliseconds(120000));
  EXPECT_EQ(parse_duration("500ms"), milliseconds(500));
  EXPECT_EQ(parse_duration("1.5s"), milliseconds(1500));
  EXPECT_EQ(parse_duration("0.0015s"), milliseconds(1));
  EXPECT_EQ(parse_duration("0s"), milliseconds(0));
  EXPECT_EQ(parse_duration("9223372036854775807ms"), milliseconds(std::numeric_limits<std::int64_t>::max()));
}

TEST(Units, RefusesWhatIsNoDuration) {
  for (const char* text : {"", "120", "2min", "1h", "120S", "120 s", "-1s", "s", "ms", "1us", "1e3s",
                           "9223372036854775808ms", "9223372036854775807s"}) {
    EXPECT_EQ(parse_duration(text), std::nullopt) << text;
  }
}

TEST(Units, ReadsPercents) {
  EXPECT_EQ(parse_percent("33%"), 33000000U);
  EXPECT_EQ(parse_percent("12.5%"), 12500000U);
  EXPECT_EQ(parse_percent("0.000001%"), 1U);
  for (const char* text : {"", "%", "33", "33 %", "-1%", "33%%", "a%"}) {
    EXPECT_EQ(parse_percent(text), std::nullopt) << text;
  }
}

TEST(Units, ParsesSpeeds) {
  EXPECT_EQ(parse_speed("165TFLOPS"), 165e12);
  EXPECT_EQ(parse_speed("0.5TFLOPS"), 5e11);
  for (const char* text :
       {"", "165", "TFLOPS", "165 TFLOPS", "165tflops", "-1TFLOPS", "1e3TFLOPS", "165GFLOPS"}) {
    EXPECT_EQ(parse_speed(text), std::nullopt) << text;
  }
}

TEST(Units, ParsesRatesAndPrintsThemAlike) {
  EXPECT_EQ(parse_rate("25GB/s"), 25e9);
  EXPECT_EQ(parse_rate("0.5GB/s"), 5e8);
  for (const char* text : {"", "25", "GB/s", "25 GB/s", "25GiB/s", "25GB", "25gb/s", "-1GB/s", "25MB/s"})
    EXPECT_EQ(parse_rate(text), std::nullopt) << text;
  for (const char* text : {"0.085GB/s", "0.50GB/s", "3.14GB/s", "24.5GB/s", "102GB/s", "4020GB/s"})
    EXPECT_EQ(format_rate(parse_rate(text).value()), text);
}

// What is printed suffices, and a hundredth less of its unit does not.
TEST(Units, RoundsSizesUp) {
  EXPECT_EQ(format_bytes_up(0), "0.00 KiB");
  EXPECT_EQ(format_bytes_up(1), "0.01 KiB");
  EXPECT_EQ(format_bytes_up(std::uint64_t{3} << 20), "3.00 MiB");
  EXPECT_EQ(format_bytes_up((std::uint64_t{1} << 30) - 1), "1024.00 MiB");
  EXPECT_EQ(format_bytes_up((std::uint64_t{5} << 30) + 1), "5.01 GiB");
  for (std::uint64_t bytes = 3; bytes < std::uint64_t{1} << 50; bytes = bytes * 5 / 3) {
    std::string text = format_bytes_up(bytes);
    const std::uint64_t unit = text.ends_with("KiB")   ? std::uint64_t{1} << 10
                               : text.ends_with("MiB") ? std::uint64_t{1} << 20
                                                       : std::uint64_t{1} << 30;
    std::erase(text, ' ');
    const std::uint64_t printed = parse_bytes(text).value();
    EXPECT_GE(printed, bytes);
    EXPECT_LT(printed - bytes, unit / 100 + 1);
  }
}

}  // namespace
}  // namespace layerpipe::common
