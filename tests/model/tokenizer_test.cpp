#include "model/tokenizer/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "common/errors.h"
#include "common/files.h"

namespace layerpipe::model {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

const fs::path kFixture = fs::path(LAYERPIPE_TEST_DATA) / "tokenizer";

// The ids of `text` in the fixture's vocabulary when steps of Tokenizer::encode are left out.
std::vector<std::int64_t> encode_without_nfc(const std::string& text) {
  const TokenizerFiles files = read_tokenizer_files(kFixture);
  const BytePairEncoder encoder(files.vocabulary, files.merges, files.source);
  std::vector<std::int64_t> ids;
  Pretokenizer().split(text, [&](std::string_view piece) { encoder.encode(piece, ids); });
  return ids;
}

std::vector<std::int64_t> encode_without_pattern(const std::string& text) {
  const TokenizerFiles files = read_tokenizer_files(kFixture);
  std::vector<std::int64_t> ids;
  BytePairEncoder(files.vocabulary, files.merges, files.source).encode(normalize_nfc(text), ids);
  return ids;
}

std::vector<std::string> pieces_of(const std::string& text) {
  std::vector<std::string> pieces;
  Pretokenizer().split(text, [&](std::string_view piece) { pieces.emplace_back(piece); });
  return pieces;
}

class TokenizerTest : public testing::TestWithParam<const char*> {
 protected:
  TokenizerTest() : tokenizer_(Tokenizer::load(kFixture / GetParam())) {}
  Tokenizer tokenizer_;
};

TEST_P(TokenizerTest, EncodesTheCorpusAsTheReference) {
  const json corpus = json::parse(common::read_text_file(kFixture / "corpus.json"));
  ASSERT_GT(corpus.size(), 450u);
  for (const json& entry : corpus) {
    EXPECT_EQ(json(tokenizer_.encode(entry["text"].get<std::string>())), entry["ids"]) << entry["text"];
  }
}

TEST_P(TokenizerTest, DecodesTheCorpusAsTheReference) {
  const json corpus = json::parse(common::read_text_file(kFixture / "corpus.json"));
  for (const json& entry : corpus) {
    const auto ids = entry["ids"].get<std::vector<std::int64_t>>();
    EXPECT_EQ(tokenizer_.decode(ids, SpecialTokens::kKeep), entry["kept"].get<std::string>());
    EXPECT_EQ(tokenizer_.decode(ids, SpecialTokens::kSkip), entry["skipped"].get<std::string>());
  }
}

TEST_P(TokenizerTest, KnowsItsIds) {
  EXPECT_EQ(tokenizer_.vocab_size(), 3022);
  EXPECT_EQ(tokenizer_.token_to_id("<|endoftext|>"), 3000);
  EXPECT_EQ(tokenizer_.token_to_id("<|video_pad|>"), 3013);
  EXPECT_EQ(tokenizer_.token_to_id("Ġthe"), tokenizer_.encode(" the").at(0));
  EXPECT_EQ(tokenizer_.token_to_id("<|nothing|>"), std::nullopt);
}

// Each step makes a difference that the comparison with the corpus would show.
TEST_P(TokenizerTest, ComposesBeforeItEncodes) {
  const std::string text = "cafe\u0301";
  EXPECT_EQ(tokenizer_.encode(text), tokenizer_.encode("caf\u00e9"));
  EXPECT_NE(tokenizer_.encode(text), encode_without_nfc(text));
}

TEST_P(TokenizerTest, MergesWithinPiecesOnly) {
  const std::string text = "a  b";
  EXPECT_NE(tokenizer_.encode(text), encode_without_pattern(text));
}

TEST_P(TokenizerTest, DoesNotComposeAcrossAddedTokens) {
  const auto ids = tokenizer_.encode("<tool_call>\u0338");
  ASSERT_EQ(ids.size(), 3u);
  EXPECT_EQ(ids.front(), tokenizer_.token_to_id("<tool_call>"));
}

TEST_P(TokenizerTest, DropsIdsThatNoTokenHas) {
  EXPECT_EQ(tokenizer_.decode(std::vector<std::int64_t>{-1, 3022, 1'000'000}, SpecialTokens::kKeep), "");
}

TEST_P(TokenizerTest, RefusesWhatIsNotUtf8) {
  try {
    tokenizer_.encode("caf\xE9 au lait");
    FAIL() << "Latin-1 was accepted";
  } catch (const common::InputError& error) {
    EXPECT_STREQ(error.what(), "the text is not UTF-8: byte 0xE9 at offset 3");
  }
  EXPECT_THROW(tokenizer_.encode("\xED\xA0\x80"), common::InputError);  // a surrogate
  EXPECT_THROW(tokenizer_.encode("\xF0\x9F\x98"), common::InputError);  // cut short
}

// An algorithm that takes quadratic time would run into the test's time limit by hours.
TEST_P(TokenizerTest, EncodesLongWordsAndRuns) {
  std::string word;
  while (word.size() < 1'000'000) word += "abracadabrasimsalabim";
  const std::string spaces(1'000'000, ' ');
  for (const std::string& text : {word, spaces, spaces + "x"}) {
    EXPECT_EQ(tokenizer_.decode(tokenizer_.encode(text), SpecialTokens::kKeep), text);
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, TokenizerTest, testing::Values("", "older"), [](const auto& info) {
  return *info.param == '\0' ? std::string("TokenizerJson") : std::string("VocabAndMerges");
});

TEST(PretokenizerTest, KeepsTheRulesOfTheReference) {
  using testing::ElementsAre;
  EXPECT_THAT(pieces_of("it's IT'LL"), ElementsAre("it", "'s", " IT", "'LL"));
  EXPECT_THAT(pieces_of("it'\u017fa"), ElementsAre("it", "'\u017f", "a"));  // long s
  EXPECT_THAT(pieces_of("  a 12"), ElementsAre(" ", " a", " ", "1", "2"));
  EXPECT_THAT(pieces_of("a\n\n b!\n"), ElementsAre("a", "\n\n", " b", "!\n"));
  EXPECT_THAT(pieces_of("a\u180eb"), ElementsAre("a", "\u180eb"));      // no space, unlike in PCRE2
  EXPECT_THAT(pieces_of("a\U00031350b"), ElementsAre("a\U00031350b"));  // a letter of Unicode 15
  EXPECT_THAT(pieces_of("\U00010D40\U00010D41").size(), 2u);            // digits of Unicode 16
  EXPECT_THAT(pieces_of(""), ElementsAre());
}

TEST(NormalizeTest, FollowsTheReferencesUnicode) {
  EXPECT_EQ(normalize_nfc("x\u0301\u0323"), "x\u0323\u0301");
  EXPECT_EQ(normalize_nfc("\u07fd\u0334"), "\u07fd\u0334");  // a mark since Unicode 11
  EXPECT_EQ(normalize_nfc("\uac00\u11a7"), "\uac00\u11a7");  // no trailing consonant
  EXPECT_EQ(normalize_nfc("\u1100\u1161\u11a8"), "\uac01");
  EXPECT_EQ(normalize_nfc(std::string("a\0e\u0301", 5)), std::string("a\0\u00e9", 4));
}

// Copies of the fixture with one thing changed.
class DamagedTokenizerTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "/layerpipe_tokenizer_XXXXXX";
    folder_ = ::mkdtemp(name.data());
    fs::copy(kFixture, folder_, fs::copy_options::recursive);
  }
  void TearDown() override { fs::remove_all(folder_); }

  void change(const fs::path& file, const std::string& pointer, const json& value) {
    json content = json::parse(common::read_text_file(folder_ / file));
    content[json::json_pointer(pointer)] = value;
    common::write_file_atomically(folder_ / file, content.dump());
  }
  // The message with which loading fails, the folder's name replaced by "T".
  std::string message(const fs::path& folder = "") {
    try {
      Tokenizer::load(folder.empty() ? folder_ : folder_ / folder);
    } catch (const common::InputError& error) {
      std::string text = error.what();
      for (std::size_t at; (at = text.find(folder_.string())) != std::string::npos;) {
        text.replace(at, folder_.string().size(), 1, 'T');
      }
      return text;
    }
    return "loaded";
  }
  fs::path folder_;
};

TEST_F(DamagedTokenizerTest, RefusesSettingsThatChangeResults) {
  const std::vector<std::tuple<std::string, json, std::string>> cases = {
      {"/model/dropout", 0.1, R"("model.dropout" is 0.1; only null is supported)"},
      {"/model/ignore_merges", true, R"("model.ignore_merges" is true; only false is supported)"},
      {"/model/type", "Unigram", R"("model.type" is "Unigram"; only "BPE" is supported)"},
      {"/model/novelty", 1, R"("model.novelty" is not supported)"},
      {"/normalizer", nullptr, R"("tokenizer.normalizer" is null; only {"type":"NFC"} is supported)"},
      {"/truncation", json{{"max_length", 5}},
       R"("tokenizer.truncation" is {"max_length":5}; only null is supported)"},
      {"/decoder", nullptr, R"("decoder" is not a ByteLevel)"},
      {"/post_processor", json{{"type", "BertProcessing"}},
       R"("post_processor" of the type "BertProcessing" would add tokens, which is not supported)"},
      {"/pre_tokenizer/pretokenizers/1/add_prefix_space", true,
       R"("pre_tokenizer.pretokenizers[1].add_prefix_space" is true; only false is supported)"},
  };
  const std::string original = common::read_text_file(folder_ / "tokenizer.json");
  for (const auto& [pointer, value, expected] : cases) {
    common::write_file_atomically(folder_ / "tokenizer.json", original);
    change("tokenizer.json", pointer, value);
    EXPECT_EQ(message(), "T/tokenizer.json: " + expected);
  }
  common::write_file_atomically(folder_ / "tokenizer.json", original);
  change("tokenizer.json", "/pre_tokenizer/pretokenizers/0/pattern/Regex", "\\w+");
  EXPECT_THAT(message(),
              testing::StartsWith(
                  R"(T/tokenizer.json: "pre_tokenizer.pretokenizers[0].pattern" is {"Regex":"\\w+"}; only)"));
}

TEST_F(DamagedTokenizerTest, RefusesSettingsOfTheConfig) {
  change("tokenizer_config.json", "/split_special_tokens", true);
  EXPECT_EQ(message(), R"(T/tokenizer_config.json: "split_special_tokens" is true, which is not supported)");
  change("older/tokenizer_config.json", "/add_bos_token", true);
  EXPECT_EQ(message("older"),
            R"(T/older/tokenizer_config.json: "add_bos_token" is true, which is not supported)");
}

TEST_F(DamagedTokenizerTest, RefusesFlagsOfAddedTokens) {
  change("tokenizer_config.json", "/added_tokens_decoder/3014/lstrip", true);
  EXPECT_EQ(message(), R"(T: the added token "<tool_call>" sets "lstrip", which is not supported)");
}

TEST_F(DamagedTokenizerTest, IgnoresFlagsOfNamedTokensAsTheReference) {
  change("tokenizer_config.json", "/added_tokens_decoder/3001/lstrip", true);
  EXPECT_EQ(message(), "loaded");
}

TEST_F(DamagedTokenizerTest, RefusesIdsThatDoNotFollow) {
  change("older/tokenizer_config.json", "/added_tokens_decoder/3050",
         json{{"content", "<late>"}, {"special", false}, {"normalized", false}});
  EXPECT_EQ(message("older"),
            R"(T/older: the added token "<late>" has the id 3050 but its place gives it 3022)");
}

TEST_F(DamagedTokenizerTest, LooksForNormalizedTokensInTheNormalizedText) {
  change("tokenizer_config.json", "/added_tokens_decoder/3022",
         json{{"content", "<caf\u00e9>"}, {"special", false}, {"normalized", true}});
  const Tokenizer tokenizer = Tokenizer::load(folder_);
  EXPECT_EQ(tokenizer.encode("<cafe\u0301>"), std::vector<std::int64_t>{3022});
}

TEST_F(DamagedTokenizerTest, NamesFileAndLineOfMerges) {
  const std::string merges = common::read_text_file(folder_ / "older/merges.txt");
  common::write_file_atomically(folder_ / "older/merges.txt", merges + "xyzzy q\n");
  EXPECT_EQ(message("older"), "T/older/merges.txt:2746: the token \"xyzzy\" is not in T/older/vocab.json");
  common::write_file_atomically(folder_ / "older/merges.txt", merges + "\nq q\n");
  EXPECT_EQ(message("older"), "T/older/merges.txt:2746: \"\" is not two tokens and a space");
  change("tokenizer.json", "/model/merges/7", "a b c");
  EXPECT_EQ(message(), "T/tokenizer.json: merge 7: \"a b c\" is not two tokens and a space");
}

TEST_F(DamagedTokenizerTest, NamesWhatIsMissing) {
  change("tokenizer.json", "/model/vocab/!", "zero");
  EXPECT_EQ(message(), "T/tokenizer.json: \"!\" is not an id between 0 and 16777215");
  fs::remove(folder_ / "tokenizer.json");
  EXPECT_EQ(message(), "T: has neither tokenizer.json nor vocab.json");
  json vocabulary = json::parse(common::read_text_file(folder_ / "older/vocab.json"));
  vocabulary["not a byte"] = vocabulary["!"];
  vocabulary.erase("!");
  common::write_file_atomically(folder_ / "older/vocab.json", vocabulary.dump());
  EXPECT_EQ(message("older"), "T/older/vocab.json has no token for the byte 33");
  common::write_file_atomically(folder_ / "older/vocab.json", std::string_view("{\"a\": "));
  EXPECT_THAT(message("older"),
              testing::StartsWith("T/older/vocab.json is not JSON: parse error at line 1, "));
  fs::remove(folder_ / "older/merges.txt");
  EXPECT_EQ(message("older"), "T/older: has vocab.json but no merges.txt");
}

TEST_F(DamagedTokenizerTest, RefusesATokenTwice) {
  common::write_file_atomically(folder_ / "older/vocab.json", std::string_view("{\"a\": 1, \"a\": 2}"));
  EXPECT_EQ(message("older"), "T/older/vocab.json has the key \"a\" twice in one object");
}

// An empty token stands at every place of a text, and no step over it gets any further.
TEST_F(DamagedTokenizerTest, PassesOverAnEmptySpecialToken) {
  change("older/vocab.json", "/", 3000);
  change("older/added_tokens.json", "", json::object());
  change("older/tokenizer_config.json", "", json{{"eos_token", ""}, {"pad_token", "a"}, {"unk_token", "a"}});
  fs::remove(folder_ / "older/special_tokens_map.json");
  ASSERT_EQ(message("older"), "loaded");
  const std::string text("a\0b", 3);
  const Tokenizer tokenizer = Tokenizer::load(folder_ / "older");
  EXPECT_EQ(tokenizer.decode(tokenizer.encode(text), SpecialTokens::kKeep), text);
}

// A few bytes can name the largest id; a table with a row for each up to it would have 640 MiB.
TEST_F(DamagedTokenizerTest, TakesNoMemoryForIdsThatNoTokenHas) {
  change("older/vocab.json", "/zzz", 16777215);
  change("older/added_tokens.json", "", json::object());
  change("older/tokenizer_config.json", "", json{{"eos_token", "a"}, {"pad_token", "a"}});
  fs::remove(folder_ / "older/special_tokens_map.json");
  change("older/tokenizer_config.json", "/unk_token", "a");
  struct rusage before {};
  ::getrusage(RUSAGE_SELF, &before);
  const Tokenizer tokenizer = Tokenizer::load(folder_ / "older");
  struct rusage after {};
  ::getrusage(RUSAGE_SELF, &after);
  EXPECT_EQ(tokenizer.vocab_size(), 16777216);
  EXPECT_EQ(tokenizer.decode(std::vector<std::int64_t>{16777215, 16777214}, SpecialTokens::kKeep), "zzz");
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 200 << 10);  // KiB
}

}  // namespace
}  // namespace layerpipe::model
