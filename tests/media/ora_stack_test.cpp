#include "media/ora_stack.h"

#include "common/errors.h"
#include "tests/media/document_test_data.h"

namespace layerpipe::media {
namespace {

OraStack parse(const std::string& xml) {
  return parse_ora_stack({as_bytes(xml), "a.ora"});
}

// What is in the root stack of a picture of 10 x 20 pixels.
OraStack parse_within(const std::string& elements) {
  return parse("<image w='10' h='20'><stack>" + elements + "</stack></image>");
}

TEST(OraStack, ListsLayersFromTheBack) {
  const OraStack stack = parse_within(
      "<layer name='top' src='data/1.png' x='-3' y='4' opacity='0.25'/><layer name='back' "
      "src='data/0.png'/>");
  EXPECT_EQ(stack.width, 10);
  EXPECT_EQ(stack.height, 20);
  ASSERT_EQ(stack.layers.size(), 2u);
  EXPECT_EQ(stack.layers[0].name, "back");
  EXPECT_EQ(stack.layers[0].source, "data/0.png");
  EXPECT_EQ(stack.layers[0].x, 0);
  EXPECT_EQ(stack.layers[0].y, 0);
  EXPECT_EQ(stack.layers[0].opacity, 1);
  EXPECT_EQ(stack.layers[1].x, -3);
  EXPECT_EQ(stack.layers[1].y, 4);
  EXPECT_EQ(stack.layers[1].opacity, 0.25);
}

TEST(OraStack, DissolvesGroups) {
  const OraStack stack = parse_within(
      "<layer name='e' src='e'/>"
      "<stack x='10' y='1' opacity='1.0' isolation='isolate'>"
      "<layer name='d' src='d' x='5' opacity='0.5'/>"
      "<stack x='100' opacity='0.5'><layer name='c' src='c' y='-1' opacity='0.5'/></stack>"
      "<stack name='inner'><layer name='b' src='b'/></stack>"
      "</stack>"
      "<layer name='a' src='a'/>");
  ASSERT_EQ(stack.layers.size(), 5u);
  const std::vector<OraStackLayer> expected = {{"a", "a", 0, 0, 1},
                                               {"b", "b", 10, 1, 1},
                                               {"c", "c", 110, 0, 0.25},
                                               {"d", "d", 15, 1, 0.5},
                                               {"e", "e", 0, 0, 1}};
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(stack.layers[i].name, expected[i].name);
    EXPECT_EQ(stack.layers[i].x, expected[i].x);
    EXPECT_EQ(stack.layers[i].y, expected[i].y);
    EXPECT_EQ(stack.layers[i].opacity, expected[i].opacity);
  }
}

// Multiplied opacities are exact for these: a group with one layer that is seen, and one of which nothing is.
TEST(OraStack, DissolvesTranslucentGroupsWithOneLayer) {
  const OraStack stack = parse_within(
      "<stack opacity='0.5'><layer src='a'/><layer src='b' visibility='hidden'/>"
      "<stack visibility='hidden'><layer src='c'/></stack></stack>"
      "<stack opacity='0'><layer src='d'/><layer src='e'/></stack>");
  ASSERT_EQ(stack.layers.size(), 3u);
  EXPECT_EQ(stack.layers[0].opacity, 0);
  EXPECT_EQ(stack.layers[1].opacity, 0);
  EXPECT_EQ(stack.layers[2].opacity, 0.5);
}

// MyPaint 2 writes such roots.
TEST(OraStack, PassesOverTheAttributesOfTheRoot) {
  const OraStack stack = parse(
      "<image w='1' h='1'><stack name='Root' composite-op='mypaint:spectral-wgm' opacity='0.5' x='7'>"
      "<layer src='a'/></stack></image>");
  EXPECT_EQ(stack.layers[0].opacity, 1);
  EXPECT_EQ(stack.layers[0].x, 0);
}

TEST(OraStack, PassesOverWhatIsHidden) {
  const OraStack stack = parse_within(
      "<layer src='a' visibility='hidden' composite-op='svg:multiply'/>"
      "<stack visibility='hidden'><layer src='b' opacity='loud'/></stack>"
      "<text visibility='hidden'/>"
      "<!-- a word --><layer src='c' visibility='visible' composite-op='svg:src-over'><note/></layer>");
  ASSERT_EQ(stack.layers.size(), 1u);
  EXPECT_EQ(stack.layers[0].source, "c");
}

TEST(OraStack, ReadsOtherEncodings) {
  const std::string xml = "<image w='1' h='1'><stack><layer src='a' name='b'/></stack></image>";
  std::string wide = "\xff\xfe";
  for (const char c : xml) wide += {c, '\0'};
  EXPECT_EQ(parse(wide).layers[0].name, "b");
  EXPECT_EQ(parse("<?xml version='1.0' encoding='latin1'?><image w='1' h='1'><stack>"
                  "<layer src='a' name='h\xf6hle'/></stack></image>")
                .layers[0]
                .name,
            "h\xc3\xb6hle");
  EXPECT_EQ(parse_within("<layer src='a' name='&#10;&#1;\xff'/>").layers[0].name,
            " \xef\xbf\xbd\xef\xbf\xbd");
}

// What its entities stand for would be a gigabyte.
TEST(OraStack, UnpacksNoEntities) {
  std::string xml = "<!DOCTYPE image [<!ENTITY a0 'lol'>";
  for (int i = 1; i < 10; ++i) {
    const std::string last = "&a" + std::to_string(i - 1) + ";";
    xml += "<!ENTITY a" + std::to_string(i) + " '" + last + last + last + last + last + last + last + last +
           "'>";
  }
  xml +=
      "<!ENTITY file SYSTEM 'file:///etc/hostname'>]><image w='1' h='1'><stack>"
      "<layer src='a' name='&a9;&file;'/></stack></image>";
  EXPECT_EQ(parse(xml).layers[0].name, "&a9;&file;");
}

TEST(OraStack, TakesGroupsAndLayersUpToItsLimits) {
  std::string layers;
  for (int i = 0; i < 1000; ++i) layers += "<layer src='a'/>";
  EXPECT_EQ(parse_within(layers).layers.size(), 1000u);
  std::string open;
  std::string close;
  for (int i = 0; i < 64; ++i) {
    open += "<stack>";
    close += "</stack>";
  }
  EXPECT_EQ(parse_within(open + "<layer src='a'/>" + close).layers.size(), 1u);
}

TEST(OraStack, RefusesATranslucentGroupOfSeveralLayers) {
  try {
    parse_within("<stack name='glass' opacity='0.5'><layer src='a'/><layer src='b'/></stack>");
    FAIL();
  } catch (const common::InputError& error) {
    EXPECT_STREQ(
        error.what(),
        R"(a.ora: the group "glass" has the opacity 0.5 and 2 visible layers; such groups are read with one)");
    EXPECT_EQ(error.remedy(), "Open it in the program that it comes from and save it with plain layers.");
  }
}

struct Refusal {
  std::string name;
  std::string xml;
  std::string message;  // after "a.ora"
};

void PrintTo(const Refusal& refusal, std::ostream* out) {
  *out << refusal.name;
}

std::string repeated(const std::string& text, int count) {
  std::string result;
  for (int i = 0; i < count; ++i) result += text;
  return result;
}

std::string within(const std::string& elements) {
  return "<image w='10' h='20'><stack>" + elements + "</stack></image>";
}

class OraStackRefusal : public testing::TestWithParam<Refusal> {};

TEST_P(OraStackRefusal, SaysWhy) {
  try {
    parse(GetParam().xml);
    FAIL();
  } catch (const common::InputError& error) {
    EXPECT_EQ(error.what(), "a.ora" + GetParam().message);
    EXPECT_FALSE(error.remedy().empty());
  }
}

INSTANTIATE_TEST_SUITE_P(
    Table, OraStackRefusal,
    testing::Values(
        Refusal{"Nothing", "",
                ": its stack.xml is no valid XML (pugixml: No document element found at byte 0)"},
        Refusal{"NoXml", "<image w='10'",
                ": its stack.xml is no valid XML (pugixml: Error parsing start element tag at byte 12)"},
        Refusal{"AnotherXml", "<svg/>", ": its stack.xml is without an image that has a stack"},
        Refusal{"NoStack", "<image w='1' h='1'/>", ": its stack.xml is without an image that has a stack"},
        Refusal{"NoSize", "<image><stack/></image>", " declares a size of 0 × 0 pixels"},
        Refusal{"NegativeSize", "<image w='-1' h='1'><stack/></image>",
                ": its stack.xml has w=\"-1\" in <image>"},
        Refusal{"LargeSide", "<image w='65501' h='1'><stack/></image>",
                " has 65501 × 1 pixels; at most 65500 × 65500 are read"},
        Refusal{"ManyPixels", "<image w='16384' h='16384'><stack/></image>",
                " has 16384 × 16384 pixels, 268435456 in all; at most 178956970 are read"},
        Refusal{"AbsurdSize", "<image w='99999999999999999999' h='1'><stack/></image>",
                ": its stack.xml has w=\"99999999999999999999\" in <image>"},
        Refusal{"NoLayer", within(""), " has no visible layer"},
        Refusal{"Operator", within("<layer src='a' name='shade' composite-op='svg:multiply'/>"),
                ": layer \"shade\" has the composite-op svg:multiply; only svg:src-over is read"},
        Refusal{"OperatorOfAGroup",
                within("<stack name='g' composite-op='svg:dst-in'><layer src='a'/></stack>"),
                ": stack \"g\" has the composite-op svg:dst-in; only svg:src-over is read"},
        Refusal{"OperatorWithLineBreaks",
                within("<layer src='a' name='&#10;&#27;[31m' composite-op='&#10;x'/>"),
                ": layer \" \xef\xbf\xbd[31m\" has the composite-op  x; only svg:src-over is read"},
        Refusal{"TranslucentGroupOfGroups",
                within("<stack name='g' opacity='0.99'><stack><layer src='a'/>"
                       "</stack><stack><layer src='b'/><layer src='c'/></stack></stack>"),
                ": the group \"g\" has the opacity 0.99 and 3 visible layers; such groups are read with one"},
        Refusal{"Text", within("<text>words</text>"), ": its stack.xml has <text>; only layers are read"},
        Refusal{"Visibility", within("<layer src='a' visibility='maybe'/>"),
                ": its stack.xml has visibility=\"maybe\" in <layer>"},
        Refusal{"OpacityTooLarge", within("<layer src='a' opacity='1.5'/>"),
                ": its stack.xml has opacity=\"1.5\" in <layer>"},
        Refusal{"OpacityNegative", within("<layer src='a' opacity='-0.1'/>"),
                ": its stack.xml has opacity=\"-0.1\" in <layer>"},
        Refusal{"OpacityNoNumber", within("<layer src='a' opacity='nan'/>"),
                ": its stack.xml has opacity=\"nan\" in <layer>"},
        Refusal{"OpacityWithComma", within("<layer src='a' opacity='0,5'/>"),
                ": its stack.xml has opacity=\"0,5\" in <layer>"},
        Refusal{"OffsetNoNumber", within("<layer src='a' x='1px'/>"),
                ": its stack.xml has x=\"1px\" in <layer>"},
        Refusal{"OffsetTooLarge", within("<layer src='a' y='4294967296'/>"),
                ": its stack.xml has y=\"4294967296\" in <layer>"},
        Refusal{"OffsetsOverflow", within("<stack x='2147483647'><layer src='a' x='1'/></stack>"),
                ": its stack.xml has x=\"1\" in <layer>"},
        Refusal{"NoSource", within("<layer/>"), ": its stack.xml has a layer with the source \"\""},
        Refusal{"SourceAbove", within("<layer src='../../etc/passwd'/>"),
                ": its stack.xml has a layer with the source \"../../etc/passwd\""},
        Refusal{"SourceAbsolute", within("<layer src='/etc/passwd'/>"),
                ": its stack.xml has a layer with the source \"/etc/passwd\""},
        Refusal{"SourceOfWindows", within("<layer src='..\\x.png'/>"),
                ": its stack.xml has a layer with the source \"..\\x.png\""},
        Refusal{"SourceTooLong", within("<layer src='" + std::string(70'000, 'x') + "'/>"),
                ": its stack.xml has a layer with the source \"" + std::string(60, 'x') + "\""},
        Refusal{"ManyLayers", within(repeated("<layer src='a'/>", 1001)),
                " has more than 1000 visible layers"},
        Refusal{"DeepGroups", within(repeated("<stack>", 65) + "<layer src='a'/>" + repeated("</stack>", 65)),
                ": its stack.xml is nested more than 64 stacks deep"},
        Refusal{"VeryDeepGroups", within(repeated("<stack>", 50'000) + repeated("</stack>", 50'000)),
                ": its stack.xml is nested more than 64 stacks deep"}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace layerpipe::media
