#include "media/psd_names.h"

#include <gtest/gtest.h>

namespace layerpipe::media {
namespace {

std::string plain(std::string_view utf8) {
  return psd_plain_name(psd_unicode_name(utf8));
}

std::u16string repeated(std::u16string_view part, std::size_t times) {
  std::u16string text;
  for (std::size_t i = 0; i < times; ++i) text += part;
  return text;
}

TEST(PsdNames, KeepWhatPeopleWrite) {
  EXPECT_EQ(psd_unicode_name("Höhle/\"1\" 'a' \\"), u"Höhle/\"1\" 'a' \\");
  EXPECT_EQ(psd_unicode_name("図層 🎈 \U0010FFFF"), u"図層 🎈 \U0010FFFF");
  EXPECT_EQ(psd_unicode_name(""), u"");
}

TEST(PsdNames, HaveSpacesForControls) {
  EXPECT_EQ(psd_unicode_name("two\nlines\r\nand\ta tab"), u"two lines  and a tab");
  EXPECT_EQ(psd_unicode_name(std::string_view("\0\x1F\x7F", 3)), u"   ");
  EXPECT_EQ(psd_unicode_name("\u0080\u0085\u009F\u2028\u2029"), u"     ");
  EXPECT_EQ(psd_unicode_name("\u00A0~"), u"\u00A0~");  // their neighbours, which are none
}

TEST(PsdNames, HaveAReplacementForWhatIsNotUtf8) {
  EXPECT_EQ(psd_unicode_name("\xFFx\xE2\x82"), u"\uFFFDx\uFFFD");
}

TEST(PsdNames, AreCutBetweenCodePoints) {
  EXPECT_EQ(psd_unicode_name(std::string(10'000, 'x')), repeated(u"x", 255));
  std::string balloons;
  for (int i = 0; i < 10'000; ++i) balloons += "🎈";
  EXPECT_EQ(psd_unicode_name(balloons), repeated(u"🎈", 127));  // 254 units: half of one more is not taken
  const std::u16string full = psd_unicode_name("x" + balloons);
  EXPECT_EQ(full.size(), 255u);
  EXPECT_EQ(full.substr(1), repeated(u"🎈", 127));
}

TEST(PsdNames, AreAsciiForOldReaders) {
  EXPECT_EQ(plain("plain ~"), "plain ~");
  EXPECT_EQ(plain("Höhle 図 🎈!"), "H?hle ? ?!");
  EXPECT_EQ(plain(std::string(10'000, 'x')).size(), 255u);
}

}  // namespace
}  // namespace layerpipe::media
