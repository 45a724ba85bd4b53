// Reads the files of a tokenizer folder, as transformers 5's Qwen2Tokenizer does:
// - Vocabulary and merges come from tokenizer.json where there is one, else from vocab.json and merges.txt.
// - Added tokens come from `added_tokens_decoder` in tokenizer_config.json where it has one; else from
// added_tokens.json,
//   over which go those of tokenizer.json, with special_tokens_map.json naming the special ones besides the
//   config.
// - Whatever the config (or that map) names as eos_token, pad_token …, or lists as additional special token,
// is special
//   and not normalised, whatever else is said of it.
// - The normaliser, the pattern and the options of the model are those of Qwen2; a file that asks for others
// is refused.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "model/tokenizer/added_tokens.h"
#include "model/tokenizer/byte_pair_encoding.h"

namespace layerpipe::model {

struct TokenizerFiles {
  Vocabulary vocabulary;  // without those added tokens that it does not contain
  std::vector<MergeRule> merges;
  MergeSource source;
  std::vector<AddedToken> added_tokens;
};

// What a folder holds, before anything is parsed.
struct TokenizerTexts {
  std::filesystem::path folder;                // what messages call it
  std::map<std::string, std::string> by_name;  // "tokenizer.json": its content; only the files that there are
};

// Throw InputError, naming file and field.
TokenizerFiles parse_tokenizer_files(const TokenizerTexts& texts);
TokenizerFiles read_tokenizer_files(const std::filesystem::path& folder);

}  // namespace layerpipe::model
