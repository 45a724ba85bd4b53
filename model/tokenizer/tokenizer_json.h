// Helpers of tokenizer_files.cpp: values of the JSON files, and the added tokens among them.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "model/tokenizer/added_tokens.h"
#include "model/tokenizer/byte_pair_encoding.h"

namespace layerpipe::model {

// The content of a JSON file. Throws InputError when it is missing or not JSON.
nlohmann::json read_json(const std::filesystem::path& path);

// Throws InputError "<file>: <problem>" with a remedy that fits a folder that cannot be used.
[[noreturn]] void refuse(const std::filesystem::path& file, const std::string& problem);

// The value at `key`, or null where `object` has none (or is no object). Lives as long as `object`.
const nlohmann::json& value_or_null(const nlohmann::json& object, const std::string& key);

// A JSON number as a token id. Throws InputError naming `what`.
std::int32_t token_id_of(const nlohmann::json& value, const std::filesystem::path& file,
                         const std::string& what);

// The added tokens of `folder`. `config` and `tokenizer_json` are the parsed files, null where there is none.
std::vector<AddedToken> read_added_tokens(const std::filesystem::path& folder, const nlohmann::json& config,
                                          const nlohmann::json& tokenizer_json, const Vocabulary& vocabulary);

}  // namespace layerpipe::model
