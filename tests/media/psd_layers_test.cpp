#include "media/psd_layers.h"

#include <gtest/gtest.h>

#include "common/errors.h"
#include "tests/media/psd_builder.h"

namespace layerpipe::media {
namespace {

using namespace std::string_literals;

PsdLayers parse(const std::vector<PsdTestLayer>& layers) {
  const std::string bytes = PsdTestDocument{.layers = layers}.bytes();
  PsdLayers parsed = parse_psd_layers(file_of(bytes));
  for (PsdLayer& layer : parsed.layers) layer.channels = {};  // they lie in `bytes`
  return parsed;
}

std::vector<std::string> names_of(const std::vector<PsdTestLayer>& layers) {
  std::vector<std::string> names;
  for (const PsdLayer& layer : parse(layers).layers) names.push_back(layer.name);
  return names;
}

PsdTestLayer named(const std::string& name) {
  PsdTestLayer layer;
  layer.name = name;
  return layer;
}

PsdTestLayer hidden(PsdTestLayer layer) {
  layer.flags |= 2;
  return layer;
}

void expect_refusal(const std::string& bytes, const std::string& message, const std::string& cure) {
  try {
    parse_psd_layers(file_of(bytes));
    FAIL() << "a document was read that should be refused: " << message;
  } catch (const common::InputError& error) {
    EXPECT_EQ(error.what(), "edited.psd" + message);
    EXPECT_EQ(error.remedy(), cure);
  }
}

constexpr const char* kRasterize =
    "In the program that it comes from, turn it into plain pixels (rasterize it) or merge it with the layer "
    "below, "
    "and save the document again.";
constexpr const char* kNormal =
    "Set it to Normal, or merge it with the layers below, and save the document again.";
constexpr const char* kFetchAgain = "Export the picture again, or copy it again from where it came.";
constexpr const char* kWithLayers =
    "Save it with its layers: what was flattened cannot be taken apart again.";

void expect_layer_refused(const PsdTestLayer& layer, const std::string& what,
                          const std::string& cure = kRasterize) {
  expect_refusal(PsdTestDocument{.layers = {{}, layer}}.bytes(), ": the layer \"a\" " + what, cure);
  // What cannot be seen does not matter.
  EXPECT_EQ(names_of({named("back"), hidden(layer)}), std::vector<std::string>{"back"});
}

TEST(PsdLayers, FindsNamesPlacesAndOpacities) {
  PsdTestLayer layer;
  layer.left = -3;
  layer.top = 70;
  layer.opacity = 51;
  const PsdLayers parsed = parse({named("back"), layer.with("luni", "\0\0\0\2\0H\0\xf6"s)});
  EXPECT_EQ(parsed.width, 4);
  EXPECT_EQ(parsed.height, 3);
  ASSERT_EQ(parsed.layers.size(), 2u);
  EXPECT_EQ(parsed.layers[0].name, "back");
  const PsdLayer& front = parsed.layers[1];
  EXPECT_EQ(front.name, "Hö");
  EXPECT_EQ(front.left, -3);
  EXPECT_EQ(front.top, 70);
  EXPECT_EQ(front.width, 2);
  EXPECT_EQ(front.height, 1);
  EXPECT_DOUBLE_EQ(front.opacity, 0.2);
}

TEST(PsdLayers, MultipliesTheOpacityOfTheFill) {
  PsdTestLayer layer;
  layer.opacity = 51;
  EXPECT_DOUBLE_EQ(parse({layer.with("iOpa", "\x33\0\0\0"s)}).layers[0].opacity, 0.04);
}

TEST(PsdLayers, MakesNamesFit) {
  // Half a pair, a line break, a pair, and a 0 at the end.
  const std::string units = "\xd8\x3d\0A\0\n\xd8\x3d\xdc\x19\0\0"s;
  EXPECT_EQ(names_of({named("x").with("luni", big(6, 4) + units)}),
            std::vector<std::string>{"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
                                     "A \xf0\x9f\x90\x99"});
  EXPECT_EQ(names_of({named("\xe4\x1b[31m")})[0].find('\x1b'), std::string::npos);
}

TEST(PsdLayers, DissolvesGroups) {
  EXPECT_EQ(names_of({named("1"), psd_group_end(), named("2"), psd_group_end(), named("3"),
                      psd_group("inner", 1), named("4"), psd_group("outer", 2), named("5")}),
            (std::vector<std::string>{"1", "2", "3", "4", "5"}));
}

TEST(PsdLayers, HidesWhatIsInAHiddenGroup) {
  EXPECT_EQ(names_of({named("1"), psd_group_end(), psd_group_end(), named("2"), psd_group("inner", 1),
                      named("3"), hidden(psd_group("outer", 1)), named("4")}),
            (std::vector<std::string>{"1", "4"}));
}

TEST(PsdLayers, FadesTheOneLayerOfATranslucentGroup) {
  PsdTestLayer layer = named("2");
  layer.opacity = 51;
  const PsdLayers parsed =
      parse({named("1"), psd_group_end(), layer, hidden(named("3")), psd_group("glass", 1, 51, "norm")});
  ASSERT_EQ(parsed.layers.size(), 2u);
  EXPECT_DOUBLE_EQ(parsed.layers[1].opacity, 0.04);
}

TEST(PsdLayers, RefusesATranslucentGroupOfSeveralLayers) {
  expect_refusal(
      PsdTestDocument{.layers = {psd_group_end(), {}, {}, psd_group("glass", 1, 128)}}.bytes(),
      ": the group \"glass\" has an opacity of 50 % and 2 visible layers; such groups are read with one",
      "Merge the group's layers, or give it an opacity of 100 %, and save the document again.");
}

TEST(PsdLayers, RefusesOtherBlendingModes) {
  PsdTestLayer layer;
  layer.mode = "mul ";
  expect_layer_refused(layer, "has the blending mode Multiply; only Normal is read", kNormal);
  layer.mode = "new!";
  expect_layer_refused(layer, "has the blending mode new!; only Normal is read", kNormal);
  layer.mode = "pass";
  expect_layer_refused(layer, "has the blending mode Pass Through; only Normal is read", kNormal);
  expect_refusal(PsdTestDocument{.layers = {psd_group_end(), {}, psd_group("dark", 1, 255, "scrn")}}.bytes(),
                 ": the group \"dark\" has the blending mode Screen; only Normal is read", kNormal);
}

TEST(PsdLayers, RefusesMasks) {
  PsdTestLayer layer;
  layer.mask = std::string(20, '\0');
  EXPECT_EQ(names_of({layer}), std::vector<std::string>{"a"});  // without pixels it is none
  layer.channels.emplace_back(-2, "\0\0\1\2"s);
  expect_layer_refused(layer, "has a layer mask; only plain pixels are read");
  layer.mask[17] = 2;  // disabled
  EXPECT_EQ(names_of({layer}), std::vector<std::string>{"a"});
  const std::string path = big(3, 4);
  expect_layer_refused(PsdTestLayer{}.with("vmsk", path + big(0, 4)),
                       "has a vector mask; only plain pixels are read");
  EXPECT_EQ(names_of({PsdTestLayer{}.with("vmsk", path + big(4, 4))}), std::vector<std::string>{"a"});
}

TEST(PsdLayers, RefusesClipping) {
  PsdTestLayer layer;
  layer.clipping = 1;
  expect_layer_refused(layer, "is clipped by the layer below; only plain pixels are read");
}

TEST(PsdLayers, RefusesWhatIsMoreThanPixels) {
  const std::vector<std::pair<std::string, std::string>> kinds = {
      {"SoLd", "is a smart object"},
      {"curv", "is an adjustment (Curves)"},
      {"levl", "is an adjustment (Levels)"},
      {"SoCo", "is a fill or a shape"},
      {"artb", "is an artboard"},
      {"brst", "has channels that are left out of blending"},
      {"knko", "has a knockout"}};
  for (const auto& [key, what] : kinds)
    expect_layer_refused(PsdTestLayer{}.with(key, "\1\0\0\0"s), what + "; only plain pixels are read");
}

TEST(PsdLayers, RefusesEffectsThatAreOn) {
  const auto effects = [](const std::string& content) { return PsdTestLayer{}.with("lfx2", content); };
  expect_layer_refused(effects("...masterFXSwitchbool\1...enabbool\1"s),
                       "has effects (a layer style); only plain pixels are read");
  EXPECT_EQ(names_of({effects("...masterFXSwitchbool\0...enabbool\1"s)}).size(), 1u);
  EXPECT_EQ(names_of({effects("...masterFXSwitchbool\1...enabbool\0"s)}).size(), 1u);
}

TEST(PsdLayers, RefusesBlendIf) {
  PsdTestLayer layer;
  layer.ranges = "\0\0\xff\xff\0\0\xff\xff"s;
  EXPECT_EQ(names_of({layer}).size(), 1u);
  layer.ranges = std::string(40, '\0');
  EXPECT_EQ(names_of({layer}).size(), 1u);
  layer.ranges = "\0\0\xff\xff\0\x20\xff\xff"s;
  expect_layer_refused(layer, "has the advanced blending \"Blend If\"; only plain pixels are read");
}

TEST(PsdLayers, RefusesWhatHasNoPixelsWhereItShows) {
  PsdTestLayer layer;
  layer.width = layer.height = 0;
  layer.channels = {};
  EXPECT_EQ(names_of({layer}).size(), 1u);  // an empty layer
  expect_layer_refused(layer.with("TySh", "x"), "is a text without pixels; only plain pixels are read");
  layer.flags = 0x18;
  expect_layer_refused(layer, "is something else without pixels; only plain pixels are read");
  EXPECT_EQ(names_of({PsdTestLayer{}.with("TySh", "x")}).size(), 1u);  // a text with its pixels
}

TEST(PsdLayers, RefusesOtherKindsOfDocuments) {
  expect_refusal(PsdTestDocument{.bits = 16}.bytes(),
                 " is a Photoshop document of 16 bits a channel; only 8 are read",
                 "Convert it to 8 bits (in Photoshop: Image > Mode > 8 Bits/Channel) and save it again.");
  const std::string to_rgb = "Convert it to RGB (in Photoshop: Image > Mode > RGB Color) and save it again.";
  expect_refusal(PsdTestDocument{.colors = 4}.bytes(), " is a Photoshop document in CMYK; only RGB is read",
                 to_rgb);
  expect_refusal(PsdTestDocument{.colors = 5}.bytes(),
                 " is a Photoshop document in an unknown kind of colours; only RGB is read", to_rgb);
  expect_refusal(PsdTestDocument{.colors = 77}.bytes(),
                 " is a Photoshop document in an unknown kind of colours; only RGB is read", to_rgb);
  expect_refusal(PsdTestDocument{.version = 3}.bytes(),
                 " is a damaged Photoshop document (it has the version 3)", kFetchAgain);
  expect_refusal(PsdTestDocument{.layers = {}}.bytes(), " has no layers", kWithLayers);
  expect_refusal(PsdTestDocument{.layers = {hidden({})}}.bytes(), " has no visible layer",
                 "Make a layer visible and save it again.");
}

TEST(PsdLayers, RefusesSizes) {
  EXPECT_THROW(parse_psd_layers(file_of(PsdTestDocument{.width = 16384, .height = 16384}.bytes())),
               common::InputError);
  EXPECT_THROW(parse_psd_layers(file_of(PsdTestDocument{.width = 0}.bytes())), common::InputError);
  PsdTestLayer layer;
  layer.width = 1'000'000;
  EXPECT_THROW(parse_psd_layers(file_of(PsdTestDocument{.layers = {layer}}.bytes())), common::InputError);
  layer.left = 1'500'000'000;
  layer.width = -3'000'000'00;
  EXPECT_THROW(parse_psd_layers(file_of(PsdTestDocument{.layers = {layer}}.bytes())), common::InputError);
}

TEST(PsdLayers, RefusesGroupsThatDoNotMatch) {
  expect_refusal(PsdTestDocument{.layers = {{}, psd_group("open", 1)}}.bytes(),
                 " is a damaged Photoshop document (a group does not end)", kFetchAgain);
  expect_refusal(PsdTestDocument{.layers = {{}, psd_group_end()}}.bytes(),
                 " is a damaged Photoshop document (a group ends that did not begin)", kFetchAgain);
  std::vector<PsdTestLayer> deep(65, psd_group_end());
  deep.emplace_back();
  deep.insert(deep.end(), 65, psd_group("deep", 1));
  expect_refusal(PsdTestDocument{.layers = deep}.bytes(),
                 " is a damaged Photoshop document (groups are nested more than 64 deep)", kFetchAgain);
}

TEST(PsdLayers, RefusesMoreThanAThousandLayers) {
  EXPECT_EQ(names_of(std::vector<PsdTestLayer>(1000)).size(), 1000u);
  expect_refusal(PsdTestDocument{.layers = std::vector<PsdTestLayer>(1001)}.bytes(),
                 " has more than 1000 visible layers", "Merge some of them and save the document again.");
}

TEST(PsdLayers, RefusesALayerWithoutAColour) {
  PsdTestLayer layer;
  layer.channels.pop_back();
  expect_refusal(PsdTestDocument{.layers = {layer}}.bytes(),
                 " is a damaged Photoshop document (a layer lacks a colour)", kFetchAgain);
}

TEST(PsdLayers, SkipsWhatProgramsPutBetweenBlocks) {
  PsdTestLayer layer = PsdTestLayer{}.with("lyid", "\0\0\1"s).with("luni", "\0\0\0\1\0Z"s);
  for (const std::size_t zeros : {0u, 1u, 3u}) {
    PsdTestLayer padded = layer;
    std::string& content = padded.blocks[0].second;
    content += std::string(zeros, '\0');
    std::string bytes = PsdTestDocument{.layers = {padded}}.bytes();
    const std::size_t length = bytes.find("lyid") + 4;
    bytes.replace(length, 4, big(3, 4));  // the zeros lie behind it
    EXPECT_EQ(parse_psd_layers(file_of(bytes)).layers[0].name, "Z") << zeros;
  }
}

TEST(PsdLayers, RefusesEveryBeginning) {
  PsdTestLayer layer = PsdTestLayer{}.with("luni", "\0\0\0\1\0Z"s);
  const PsdTestDocument document{.layers = {layer, {}}, .resources = "8BIM\x04\x0f\0\0\0\0\0\2xx"s};
  for (const int version : {1, 2}) {
    PsdTestDocument changed = document;
    changed.version = version;
    const std::string whole = changed.bytes();
    EXPECT_EQ(parse_psd_layers(file_of(whole)).layers.size(), 2u);
    for (std::size_t size = 0; size < whole.size(); ++size)
      EXPECT_THROW(parse_psd_layers(file_of(whole.substr(0, size))), common::InputError) << size;
  }
}

}  // namespace
}  // namespace layerpipe::media
