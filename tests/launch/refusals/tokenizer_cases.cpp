// The tokenizer's folder; tests/model/tokenizer_test.cpp has every setting.
#include "common/files.h"
#include "tests/launch/refusals/refusal_case.h"

namespace layerpipe::testing {
namespace {

const std::string kSection = "The tokenizer";
const std::string kPublished = "Use the tokenizer folder that the model was published with.";

}  // namespace

std::vector<RefusalCase> tokenizer_cases() {
  return {
      {"TokenizerMissing", kSection, "a model folder without a tokenizer",
       [](Workplace& w) { std::filesystem::remove_all(w.model() / "tokenizer"); },
       "MODEL/tokenizer: has neither tokenizer.json nor vocab.json", kPublished},
      {"MergesWithoutTheirTokens", kSection, "merges that do not match the vocabulary",
       [](Workplace& w) {
         const std::string merges = common::read_text_file(w.model() / "tokenizer" / "merges.txt");
         w.write("model/tokenizer/merges.txt", merges + "xyzzy q\n");
       },
       "MODEL/tokenizer/merges.txt:34: the token \"xyzzy\" is not in MODEL/tokenizer/vocab.json",
       "The merges and the vocabulary belong to different tokenizers; copy the folder again."},
      {"MergeOfThreeTokens", kSection, "a line of merges.txt that is no pair",
       [](Workplace& w) { w.write("model/tokenizer/merges.txt", "#version: 0.2\na b c\n"); },
       "MODEL/tokenizer/merges.txt:2: \"a b c\" is not two tokens and a space", kPublished},
      {"VocabularyWithoutAByte", kSection, "a vocabulary without one of the bytes",
       [](Workplace& w) { w.patch_json("model/tokenizer/vocab.json", R"({"!": null, "none": 0})"); },
       "MODEL/tokenizer/vocab.json has no token for the byte 33",
       "A byte-level vocabulary has one for each of the 256; is this the tokenizer of a Qwen model?"},
      {"VocabularyCutShort", kSection, "a vocabulary that is cut short",
       [](Workplace& w) { w.write("model/tokenizer/vocab.json", "{\"a\": "); },
       "MODEL/tokenizer/vocab.json is not JSON: parse error at line 1, column 7: syntax error while parsing "
       "value - unexpected end of input; expected '[', '{', or a literal",
       "Copy the file from the model's original folder again."},
      {"MoreTokensThanEmbeddings", kSection, "a tokenizer with more tokens than the text encoder",
       [](Workplace& w) {
         w.patch_json("model/text_encoder/config.json", R"({"text_config": {"vocab_size": 300}})");
       },
       "MODEL/tokenizer has 310 tokens, the text encoder 300", "Check that both belong to the same model."},
  };
}

}  // namespace layerpipe::testing
