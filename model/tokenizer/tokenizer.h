// The tokenizer of Qwen2 and Qwen2.5-VL: text to token ids and back, as transformers' Qwen2Tokenizer does it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "model/tokenizer/added_tokens.h"
#include "model/tokenizer/byte_pair_encoding.h"
#include "model/tokenizer/pretokenizer.h"
#include "model/tokenizer/tokenizer_files.h"

namespace layerpipe::model {

// Immutable after load; any number of threads may call its functions at once.
class Tokenizer {
 public:
  // Loads it from the folder of a model's tokenizer: tokenizer.json, or vocab.json and merges.txt, with the
  // added tokens as described in tokenizer_files.h. Throws InputError, naming file and field, when something
  // is missing, damaged, or would change results in a way that this class does not follow.
  static Tokenizer load(const std::filesystem::path& folder);

  // From files that were read before. Throws InputError as load does.
  explicit Tokenizer(const TokenizerFiles& files);

  // Ids of `utf8_text`. Added tokens inside the text are recognised. Nothing is added around it; "" gives no
  // ids. Throws InputError with the byte's offset when the text is not UTF-8.
  std::vector<std::int64_t> encode(std::string_view utf8_text) const;

  // The text of `ids`; what is not UTF-8 becomes U+FFFD. Ids that no token has (the embedding table is larger
  // than the vocabulary) give nothing.
  std::string decode(std::span<const std::int64_t> ids, SpecialTokens special_tokens) const;

  // One more than the largest id: the least number of rows of a matching embedding table.
  std::int64_t vocab_size() const noexcept { return vocab_size_; }

  // Of a token as the files write it: "<|im_end|>", "Ġthe".
  std::optional<std::int64_t> token_to_id(std::string_view token) const;

 private:
  struct DecodedToken {
    std::string bytes;
    bool special = false;
  };
  void encode_plain(std::string_view text, std::vector<std::int64_t>& ids) const;

  Vocabulary ids_;                                         // added tokens included
  std::unordered_map<std::int64_t, DecodedToken> tokens_;  // by id: files may leave out as many as they like
  std::int64_t vocab_size_ = 0;
  Pretokenizer pretokenizer_;
  BytePairEncoder encoder_;
  AddedTokenMatcher raw_matcher_;
  AddedTokenMatcher normalized_matcher_;
};

}  // namespace layerpipe::model
