#include "model/tokenizer/tokenizer.h"

#include <algorithm>
#include <cstdio>

#include "common/errors.h"
#include "common/utf8.h"

namespace layerpipe::model {

Tokenizer Tokenizer::load(const std::filesystem::path& folder) {
  return Tokenizer(read_tokenizer_files(folder));
}

Tokenizer::Tokenizer(const TokenizerFiles& files)
    : ids_(files.vocabulary), encoder_(files.vocabulary, files.merges, files.source) {
  std::vector<AddedTokenMatcher::Pattern> raw;
  std::vector<AddedTokenMatcher::Pattern> normalized;
  for (const AddedToken& token : files.added_tokens) {
    ids_.insert_or_assign(token.content, token.id);
    if (token.normalized) {
      normalized.push_back({normalize_nfc(token.content), token.id});
    } else {
      raw.push_back({token.content, token.id});
    }
  }
  raw_matcher_ = AddedTokenMatcher(std::move(raw));
  normalized_matcher_ = AddedTokenMatcher(std::move(normalized));

  for (const auto& [token, id] : ids_) vocab_size_ = std::max(vocab_size_, std::int64_t{id} + 1);
  tokens_.reserve(ids_.size());
  // The reference decodes every token through the printable alphabet and takes those outside of it as they
  // are written.
  for (const auto& [token, id] : ids_) tokens_[id].bytes = bytes_of_printable(token).value_or(token);
  for (const AddedToken& token : files.added_tokens) {
    if (token.normalized) {
      const std::string content = normalize_nfc(token.content);
      tokens_[token.id].bytes = bytes_of_printable(content).value_or(content);
    }
    tokens_[token.id].special = token.special;
  }
}

std::vector<std::int64_t> Tokenizer::encode(std::string_view utf8_text) const {
  if (const auto offset = common::first_invalid_utf8(utf8_text)) {
    char byte[8];
    std::snprintf(byte, sizeof byte, "0x%02X", static_cast<unsigned char>(utf8_text[*offset]));
    throw common::InputError(
        "the text is not UTF-8: byte " + std::string(byte) + " at offset " + std::to_string(*offset),
        "Write the prompt in UTF-8.");
  }
  std::vector<std::int64_t> ids;
  const auto add = [&](std::int32_t id) { ids.push_back(id); };
  raw_matcher_.split(
      utf8_text,
      [&](std::string_view stretch) {
        const std::string text = normalize_nfc(stretch);
        normalized_matcher_.split(
            text, [&](std::string_view plain) { encode_plain(plain, ids); }, add);
      },
      add);
  return ids;
}

void Tokenizer::encode_plain(std::string_view text, std::vector<std::int64_t>& ids) const {
  pretokenizer_.split(text, [&](std::string_view piece) { encoder_.encode(piece, ids); });
}

std::string Tokenizer::decode(std::span<const std::int64_t> ids, SpecialTokens special_tokens) const {
  std::string bytes;
  for (const std::int64_t id : ids) {
    const auto token = tokens_.find(id);
    if (token == tokens_.end()) continue;
    if (token->second.special && special_tokens == SpecialTokens::kSkip) continue;
    bytes += token->second.bytes;
  }
  return common::replace_invalid_utf8(bytes);
}

std::optional<std::int64_t> Tokenizer::token_to_id(std::string_view token) const {
  const auto found = ids_.find(std::string(token));
  if (found == ids_.end()) return std::nullopt;
  return found->second;
}

}  // namespace layerpipe::model
