#include "media/safe_name.h"

#include <gtest/gtest.h>

#include <vector>

namespace layerpipe::media {
namespace {

const std::string kUnknown = "\xef\xbf\xbd";  // U+FFFD

struct Case {
  std::string name;
  std::string given;
  std::string expected;
};

void PrintTo(const Case& value, std::ostream* out) {
  *out << value.name;
}

std::string name_of(const testing::TestParamInfo<Case>& info) {
  return info.param.name;
}

class SafeText : public testing::TestWithParam<Case> {};

TEST_P(SafeText, BecomesOneLineOfUtf8) {
  EXPECT_EQ(safe_text(GetParam().given, 1000), GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(
    Table, SafeText,
    testing::Values(Case{"Plain", "sky", "sky"}, Case{"Empty", "", ""},
                    Case{"Marks", "a/b\\c<d>&\"e'", "a/b\\c<d>&\"e'"},
                    Case{"LineBreaks", "a\nb\r\nc\td", "a b  c d"},
                    Case{"LineBreaksOfUnicode",
                         "a\xc2\x85"
                         "b\xe2\x80\xa8"
                         "c\xe2\x80\xa9"
                         "d",
                         "a b c d"},
                    Case{"Controls", std::string("a\0b\x1b[31m\x7f\xc2\x9b", 11),
                         "a" + kUnknown + "b" + kUnknown + "[31m" + kUnknown + kUnknown},
                    Case{"Emoji", "\xf0\x9f\x90\x99 \xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x9a\x80",
                         "\xf0\x9f\x90\x99 \xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x9a\x80"},
                    Case{"NoUtf8",
                         "a\xff"
                         "b\xc3",
                         "a" + kUnknown + "b" + kUnknown},
                    Case{"Surrogate", "\xed\xa0\x80", kUnknown + kUnknown + kUnknown},
                    Case{"Overlong", "\xc0\xaf", kUnknown + kUnknown},
                    Case{"Noncharacters", "\xef\xbf\xbe\xef\xbf\xbf\xef\xb7\x90",
                         kUnknown + kUnknown + kUnknown}),
    name_of);

TEST(SafeTextLength, IsCutBetweenCodePoints) {
  const std::string octopus = "\xf0\x9f\x90\x99";
  EXPECT_EQ(safe_text("ab" + octopus, 5), "ab");
  EXPECT_EQ(safe_text("ab" + octopus, 6), "ab" + octopus);
  EXPECT_EQ(safe_text("\xff", 2), "");
  EXPECT_EQ(safe_text(std::string(10'000, 'x'), 255), std::string(255, 'x'));
  EXPECT_EQ(safe_text("x", 0), "");
}

TEST(SafeEntryName, StaysWithinTheArchive) {
  for (const std::string& name : std::vector<std::string>{"a", "data/layer0.png", "[Content_Types].xml",
                                                          "_rels/.rels", "\xc3\xb6/..a/b..", "a b"}) {
    EXPECT_TRUE(is_safe_entry_name(name)) << name;
  }
  for (const std::string& name :
       {std::string(), std::string("/"), std::string("/a"), std::string("a/"), std::string("a//b"),
        std::string(".."), std::string("../a"), std::string("a/../b"), std::string("a/."),
        std::string("a\\b"), std::string("a\nb"), std::string("a\0b", 3), std::string("a\xff"),
        std::string(65'536, 'a')}) {
    EXPECT_FALSE(is_safe_entry_name(name)) << name;
  }
}

}  // namespace
}  // namespace layerpipe::media
