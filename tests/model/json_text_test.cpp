// What is refused of the JSON in a user's files, and in which words.
#include "model/json_text.h"

#include <gtest/gtest.h>

#include "tests/support/refusal.h"

namespace layerpipe::model {
namespace {

using Json = nlohmann::json;

std::string refusal(const std::string& text) {
  return layerpipe::testing::refusal("config.json", [&] { parse_json(text, "config.json"); });
}

std::string nested(std::size_t levels) {
  return std::string(levels, '[') + std::string(levels, ']');
}

TEST(JsonTextTest, ReadsEveryKindOfValue) {
  const std::string text =
      R"({"a": [null, true, false, -1, 18446744073709551615, 0.5, "\u00e9\n"], "b": {"c": {}, "d": []}, "e": [[1], [2, {}]]})";
  EXPECT_EQ(parse_json(text, "config.json"), Json::parse(text));
  EXPECT_EQ(parse_json(" 7 ", "config.json"), Json(7));
}

TEST(JsonTextTest, RefusesWhatIsNoJson) {
  EXPECT_EQ(
      refusal(""),
      "FILE is not JSON: parse error at line 1, column 1: syntax error while parsing value - unexpected end "
      "of input; expected '[', '{', or a literal");
  EXPECT_EQ(
      refusal("{\"a\": 1}\n}"),
      "FILE is not JSON: parse error at line 2, column 1: syntax error while parsing value - unexpected '}'; "
      "expected end of input");
  EXPECT_EQ(refusal("[NaN]"),
            "FILE is not JSON: parse error at line 1, column 2: syntax error while parsing value - invalid "
            "literal; "
            "last read: '[N'");
  EXPECT_EQ(refusal("\x7f\x1b"),
            "FILE is not JSON: parse error at line 1, column 1: syntax error while parsing value - invalid "
            "literal; "
            "last read: '?'");
}

TEST(JsonTextTest, CutsWhatALongTextIsNot) {
  std::string text = "[\"";
  text.append(100'000, 'x');
  const std::string said = refusal(text);
  EXPECT_EQ(said.substr(0, 60), "FILE is not JSON: parse error at line 1, column 100003: synt");
  EXPECT_LT(said.size(), 300u);
  EXPECT_TRUE(said.ends_with("xxx…"));
}

TEST(JsonTextTest, RefusesNumbersThatAreNotFinite) {
  EXPECT_EQ(refusal("{\n\"shift\": 1e999}"), "FILE has the number 1e999 in line 2, which is too large");
  EXPECT_EQ(refusal("[-1e999]"), "FILE has the number -1e999 in line 1, which is too large");
  EXPECT_EQ(refusal("[1" + std::string(400, '0') + "]"),
            "FILE has the number 1" + std::string(59, '0') + "… in line 1, which is too large");
  EXPECT_EQ(refusal("[1e-999, 1e308]"), "accepted");
}

TEST(JsonTextTest, RefusesEnormousDepth) {
  EXPECT_EQ(refusal(nested(kDeepestJson)), "accepted");
  EXPECT_EQ(refusal(nested(kDeepestJson + 1)), "FILE is nested deeper than 64 levels");
  EXPECT_EQ(refusal(std::string(100'000, '[')), "FILE is nested deeper than 64 levels");
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
  EXPECT_EQ(refusal(objects), "FILE is nested deeper than 64 levels");
}

TEST(JsonTextTest, RefusesAKeyTwice) {
  EXPECT_EQ(refusal(R"({"z_dim": 16, "a": {"z_dim": 1}, "b": [{"z_dim": 1}, {"z_dim": 1}]})"), "accepted");
  EXPECT_EQ(refusal(R"({"z_dim": 16, "z_dim": 16})"), "FILE has the key \"z_dim\" twice in one object");
  EXPECT_EQ(refusal(R"([{"a": {"\u001b[31m": [], "\u001B[31m": 2}}])"),
            "FILE has the key \"\\u001b[31m\" twice in one object");
}

TEST(JsonTextTest, RefusesAByteOrderMark) {
  EXPECT_EQ(refusal("\xEF\xBB\xBF{}"), "FILE begins with a byte order mark, which is not JSON");
  EXPECT_EQ(refusal("\xFF\xFE{\0}\0"), "FILE is not UTF-8: byte 0xFF at offset 0");  // UTF-16
}

TEST(JsonTextTest, RefusesWhatIsNotUtf8) {
  EXPECT_EQ(refusal("{\"caf\xE9\": 1}"), "FILE is not UTF-8: byte 0xE9 at offset 5");
  EXPECT_EQ(refusal("[\"\xED\xA0\x80\"]"), "FILE is not UTF-8: byte 0xED at offset 2");  // a surrogate
  EXPECT_TRUE(refusal("[\"\\ud800\"]").starts_with("FILE is not JSON: parse error at line 1, column 9: "));
}

TEST(JsonTextTest, SaysWhatToDo) {
  try {
    parse_json("{", "config.json");
    FAIL() << "half an object was accepted";
  } catch (const common::InputError& error) {
    EXPECT_EQ(error.remedy(), "Copy the file from the model's original folder again.");
  }
}

TEST(JsonTextTest, ShowsValuesOnOneShortLine) {
  EXPECT_EQ(shown(Json{{"a", {1, 2.5}}}), R"({"a":[1,2.5]})");
  EXPECT_EQ(shown("\x1b[31m\n\x7f"), R"("\u001b[31m\n?")");
  EXPECT_EQ(shown("caf\xE9"), "\"caf\xEF\xBF\xBD\"");
  EXPECT_EQ(shown(std::string(100, 'x')), "\"" + std::string(59, 'x') + "…");
  EXPECT_EQ(shown(std::string(58, 'x') + "é"), "\"" + std::string(58, 'x') + "…");  // not in the middle of é
}

}  // namespace
}  // namespace layerpipe::model
