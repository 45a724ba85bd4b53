#include "media/safe_name.h"

#include <gtest/gtest.h>

#include <vector>

#include "common/errors.h"
#include "common/utf8.h"

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

class SafeFileName : public testing::TestWithParam<Case> {};

TEST_P(SafeFileName, IsTakenByEverySystem) {
  const std::string name = safe_file_name(GetParam().given);
  EXPECT_EQ(name, GetParam().expected);
  EXPECT_TRUE(is_safe_entry_name(name));
  EXPECT_EQ(safe_file_name(name), name);
}

INSTANTIATE_TEST_SUITE_P(
    Table, SafeFileName,
    testing::Values(Case{"Plain", "sky.png", "sky.png"}, Case{"Empty", "", "unnamed"},
                    Case{"Dots", "..", "unnamed"}, Case{"DotsAndSpaces", " . .. ", "unnamed"},
                    Case{"Ends", " .sky.png. ", "sky.png"},
                    Case{"Slashes", "../../etc/passwd", "_.._etc_passwd"},
                    Case{"Backslashes", "..\\..\\x", "_.._x"}, Case{"Drive", "c:x", "c_x"},
                    Case{"Marks", "a*b?c\"d<e>f|g", "a_b_c_d_e_f_g"}, Case{"Quote", "it's", "it's"},
                    Case{"Newline", "a\nb", "a b"}, Case{"Nul", std::string("a\0b", 3), "a_b"},
                    Case{"NoUtf8", "a\xff", "a_"}, Case{"Device", "NUL", "_NUL"},
                    Case{"DeviceInSmallLetters", "con.png", "_con.png"},
                    Case{"DeviceAndSpaces", "aux .txt", "_aux .txt"}, Case{"Port", "LPT9", "_LPT9"},
                    Case{"PortInSuperscript", "com\xc2\xb2.x", "_com\xc2\xb2.x"},
                    Case{"Console", "conin$", "_conin$"}, Case{"NoDevice", "console.png", "console.png"},
                    Case{"NoPort", "COM10", "COM10"}, Case{"Reversed", "\xe2\x80\xaegnp.exe", "_gnp.exe"},
                    Case{"Emoji", "\xf0\x9f\x90\x99.png", "\xf0\x9f\x90\x99.png"}),
    name_of);

TEST(SafeFileNameLength, IsCutBeforeTheExtension) {
  EXPECT_EQ(safe_file_name(std::string(10'000, 'x') + ".png"), std::string(251, 'x') + ".png");
  EXPECT_EQ(safe_file_name(std::string(10'000, 'x')), std::string(255, 'x'));
  EXPECT_EQ(safe_file_name("x." + std::string(300, 'y')), "x." + std::string(253, 'y'));
  // Neither half a character nor a space is left where it is cut.
  EXPECT_EQ(safe_file_name("aaaaaaaaaaaaaaa \xc3\xb6.png", 20), "aaaaaaaaaaaaaaa.png");
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

TEST(UniqueNames, AreToldApartByEverySystem) {
  UniqueNames names;
  EXPECT_EQ(names.add("sky.png"), "sky.png");
  EXPECT_EQ(names.add("sky.png"), "sky-2.png");
  EXPECT_EQ(names.add("SKY.png"), "SKY-3.png");
  EXPECT_EQ(names.add("sky-2.png"), "sky-2-2.png");
  EXPECT_EQ(names.add("sky"), "sky");
  EXPECT_EQ(names.add("h\xc3\xb6hle"), "h\xc3\xb6hle");      // ö
  EXPECT_EQ(names.add("ho\xcc\x88hle"), "ho\xcc\x88hle-2");  // o and its dots
  EXPECT_THROW(names.add("\xff"), common::InternalError);
}

TEST(UniqueNames, StayShort) {
  UniqueNames names;
  const std::string longest = std::string(251, 'x') + ".png";
  EXPECT_EQ(names.add(longest), longest);
  EXPECT_EQ(names.add(longest), std::string(249, 'x') + "-2.png");
}

}  // namespace
}  // namespace layerpipe::media
