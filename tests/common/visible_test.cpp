#include "common/visible.h"

#include <gtest/gtest.h>

#include "common/utf8.h"

namespace layerpipe::common {
namespace {

TEST(Visible, LeavesWhatPeopleWrite) {
  for (const std::string text : {"", "a poster", "C:\\poster.png", "天空，远山", "می‌خواهم",
                                 "👩‍🎨 é", "10 × 20 µm…"}) {
    EXPECT_EQ(visible(text), text);
    EXPECT_EQ(visible_lines(text), text);
  }
}

TEST(Visible, ShowsWhatATerminalWouldObey) {
  EXPECT_EQ(visible("a\x1b[31mb"), "a\\u001B[31mb");
  EXPECT_EQ(visible("a\nb\r\n\tc"), "a\\nb\\r\\n\\tc");
  EXPECT_EQ(visible(std::string("a\0b", 3)), "a\\u0000b");
  EXPECT_EQ(visible("a\x7f"), "a\\u007F");
  EXPECT_EQ(visible("a\xc2\x9b"
                    "31m"),
            "a\\u009B31m");
  EXPECT_EQ(visible("poster\xe2\x80\xaegnp.exe"), "poster\\u202Egnp.exe");
  EXPECT_EQ(visible("a\xe2\x80\xa8"
                    "b\xe2\x81\xa9"),
            "a\\u2028b\\u2069");
  EXPECT_EQ(visible("a\xf3\xa0\x81\xa1"), "a\\uDB40\\uDC61");
}

TEST(Visible, ShowsBytesThatAreNotUtf8) {
  EXPECT_EQ(visible("a\x9b"
                    "31m"),
            "a\\x9B31m");
  EXPECT_EQ(visible("\xe2\x80"), "\\xE2\\x80");
}

TEST(Visible, KeepsTheLineEndsOfATextOfSeveralLines) {
  EXPECT_EQ(visible_lines("a\nb\x1b\r\n"), "a\nb\\u001B\\r\n");
}

// Whatever the text: no hidden character is left, and doing it again changes nothing.
TEST(Visible, LeavesNothingHidden) {
  for (std::uint32_t code_point = 0; code_point < 0x110000; ++code_point) {
    if (code_point >= 0xD800 && code_point < 0xE000) continue;
    std::string text;
    append_utf8(text, code_point);
    const std::string shown = visible(text);
    EXPECT_EQ(shown == text, !is_hidden(code_point)) << code_point;
    EXPECT_EQ(visible(shown), shown) << code_point;
  }
}

}  // namespace
}  // namespace layerpipe::common
