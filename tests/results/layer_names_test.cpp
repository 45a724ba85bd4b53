#include "results/layer_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace layerpipe::results {
namespace {

struct NamesCase {
  std::string test;
  std::string prompt;
  std::vector<std::string> names;
};

void PrintTo(const NamesCase& names, std::ostream* out) {
  *out << names.prompt;
}

std::vector<NamesCase> lists() {
  const std::string forty(40, 'x');
  return {
      {"Commas", "sky, hills,house", {"sky", "hills", "house"}},
      {"FinalAnd", "sky, hills and a house", {"sky", "hills", "a house"}},
      {"CommaAndAnd", "sky, hills, and a house.", {"sky", "hills", "a house"}},
      {"OnlyAnd", "sky and sea", {"sky", "sea"}},
      {"Semicolons", "sky; hills; a house", {"sky", "hills", "a house"}},
      {"Lines", "sky\r\n  hills\n\na house\n", {"sky", "hills", "a house"}},
      {"Background", "sun and house", {"Background", "sun", "house"}},
      {"Letters", "ciel, été, 🏠", {"ciel", "été", "🏠"}},
      {"TheSameTwice", "tree, tree", {"tree", "tree"}},
      {"FullWidthCommas", "天空，远山，房子", {"天空", "远山", "房子"}},
      {"EnumerationCommas", "天空、远山、房子。", {"天空", "远山", "房子"}},
      {"ChineseAnd", "天空、远山和房子", {"天空", "远山", "房子"}},
      {"ChineseCommaAndAnd", "天空，远山，以及　房子", {"天空", "远山", "房子"}},
      {"OnlyChineseAnd", "红色的气球和风筝", {"Background", "红色的气球", "风筝"}},
      {"FullWidthSemicolons", "天空； 远山；房子\n", {"天空", "远山", "房子"}},
      {"AndWithinAWord", "樱花，穿和服的女孩", {"樱花", "穿和服的女孩"}},
      {"AndBehindAWordWithOne", "樱花，柔和的光", {"Background", "樱花", "柔和的光"}},
      {"AndBeforeALongerWord", "天空和平原", {"天空", "平原"}},
      {"MixedScripts", "logo，天空, a house", {"logo", "天空", "a house"}},
      {"FortyBytes", forty + ", sea", {forty, "sea"}},
  };
}

std::vector<NamesCase> descriptions() {
  const std::vector<std::string> three{"Layer 0", "Layer 1", "Layer 2"};
  const std::string long_entry(41, 'x');
  return {
      {"Nothing", "", three},
      {"Blanks", " \n ", three},
      {"Separators", ",,;\n", three},
      {"OneThing", "a poster", three},
      {"OneThingForOneLayer", "a poster", {"Layer 0"}},
      {"OneThingForTwoLayers", "a poster", {"Layer 0", "Layer 1"}},
      {"TooFew", "sun, house", {"Layer 0", "Layer 1", "Layer 2", "Layer 3"}},
      {"TooMany", "sky, sun, hills, house", three},
      {"LongEntry", long_entry + ", sea, sun", three},
      {"ManyWords", "a red fox in the snow, sea, sun", three},
      {"Sentences", "A fox. Behind it, snow, trees", three},
      {"Colon", "a picture with: sky, sea, sun", three},
      {"Path", "../sky, sea, sun", three},
      {"Quotes", "the word \"sky\", sea, sun", three},
      {"ChineseSentence", "一只红色的狐狸在雪地里奔跑，森林，天空", three},
      {"ChineseSentences", "一只狐狸。后面是雪，森林，天空", three},
      {"ChineseColon", "图层：天空，远山，房子", three},
      {"ChineseQuotes", "“天空”，远山，房子", three},
      {"DirectionMark", "sky\xe2\x80\xae, sea, sun", three},
      {"NotUtf8", "sky\xff, sea, sun", three},
      {"ControlCharacter", "sky\x1b[2J, sea, sun", three},
      {"AndAlone", "sky, sea, and", {"Layer 0", "Layer 1"}},
      {"Long", std::string(10000, ','), three},
  };
}

class LayerNames : public ::testing::TestWithParam<NamesCase> {};

TEST_P(LayerNames, AreTakenFromAPlainList) {
  EXPECT_EQ(layer_names(GetParam().prompt, GetParam().names.size()), GetParam().names);
}

const auto kName = [](const auto& info) { return info.param.test; };
INSTANTIATE_TEST_SUITE_P(Lists, LayerNames, ::testing::ValuesIn(lists()), kName);
INSTANTIATE_TEST_SUITE_P(Descriptions, LayerNames, ::testing::ValuesIn(descriptions()), kName);

}  // namespace
}  // namespace layerpipe::results
