// Helpers of tokenizer_files.cpp: values of the JSON files, and the added tokens among them.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "model/tokenizer/added_tokens.h"
#include "model/tokenizer/byte_pair_encoding.h"
#include "model/tokenizer/tokenizer_files.h"

namespace layerpipe::model {

// The content of a JSON file; null when there is none of that name. Throws InputError as parse_json.
nlohmann::json json_of(const TokenizerTexts& texts, const std::string& name);

// Throws InputError "<file>: <problem>" with a remedy that fits a folder that cannot be used.
[[noreturn]] void refuse(const std::filesystem::path& file, const std::string& problem);

// The value at `key`, or null where `object` has none (or is no object). Lives as long as `object`.
const nlohmann::json& value_or_null(const nlohmann::json& object, const std::string& key);

// Whether a JSON value is a number that can be a token's id.
bool is_token_id(const nlohmann::json& value);
// Throws the InputError that `what` is none.
[[noreturn]] void refuse_token_id(const std::filesystem::path& file, const std::string& what);

// A JSON number as a token id. Throws InputError naming `what`.
std::int32_t token_id_of(const nlohmann::json& value, const std::filesystem::path& file,
                         const std::string& what);

// The added tokens. `config` and `tokenizer_json` are the parsed files, null where there is none.
std::vector<AddedToken> read_added_tokens(const TokenizerTexts& texts, const nlohmann::json& config,
                                          const nlohmann::json& tokenizer_json, const Vocabulary& vocabulary);

}  // namespace layerpipe::model
