#include "model/tokenizer/tokenizer_json.h"

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "common/errors.h"
#include "model/json_text.h"

namespace layerpipe::model {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr std::array kStandardNames = {"bos_token", "eos_token", "unk_token", "sep_token",
                                       "pad_token", "cls_token", "mask_token"};
// Ids index a table; this keeps a damaged file from asking for one that does not fit into memory.
constexpr std::int64_t kLargestId = (1 << 24) - 1;

// A token as a file describes it, before it is known which of them are special by name.
struct DescribedToken {
  AddedToken token;
  std::optional<std::string> refused_flag;  // set flag that this tokenizer does not follow
};

// Which tokens have a role.
struct SpecialNames {
  std::set<std::string> standard;  // eos_token and the like
  std::set<std::string> extra;     // the additional ones
  std::set<std::string> other;     // keys of the model's own: image_token …
};

bool flag(const json& object, const char* key, bool otherwise, const fs::path& file) {
  const json& value = value_or_null(object, key);
  if (value.is_null()) return otherwise;
  if (!value.is_boolean()) refuse(file, std::string("an added token's \"") + key + "\" is not true or false");
  return value.get<bool>();
}

// "<|im_end|>" or {"content": "<|im_end|>", …}
std::string content_of(const json& value, const fs::path& file, const std::string& what) {
  if (value.is_string()) return value.get<std::string>();
  const json& content = value_or_null(value, "content");
  if (!content.is_string()) refuse(file, what + " is not a token");
  return content.get<std::string>();
}

DescribedToken described_token(const json& value, std::int32_t id, const fs::path& file) {
  DescribedToken described;
  described.token.content = content_of(value, file, "the added token " + std::to_string(id));
  described.token.id = id;
  described.token.special = flag(value, "special", false, file);
  described.token.normalized = flag(value, "normalized", !described.token.special, file);
  for (const char* name : {"single_word", "lstrip", "rstrip"}) {
    if (flag(value, name, false, file)) described.refused_flag = name;
  }
  return described;
}

std::set<std::string> contents_of_list(const json& list, const fs::path& file, const std::string& key) {
  std::set<std::string> contents;
  for (const json& value : list) contents.insert(content_of(value, file, "an entry of \"" + key + "\""));
  return contents;
}

bool is_filled(const json& value) {
  return (value.is_array() || value.is_object()) && !value.empty();
}

// What tokenizer_config.json, and in the older way of saving special_tokens_map.json over it, call special.
struct SpecialSettings {
  std::map<std::string, json> named;  // "eos_token": …
  json extra;  // extra_special_tokens, under its present or its old name; null where unset
};

bool is_token_key(const std::string& key, const json& value) {
  return key.ends_with("_token") && (value.is_string() || value.is_object() || value.is_null());
}

SpecialSettings settings_of_config(const json& config) {
  SpecialSettings settings;
  for (const char* name : {"eos_token", "pad_token", "unk_token"})
    settings.named[name] = "<|endoftext|>";  // defaults
  if (!config.is_object()) return settings;
  for (const auto& [key, value] : config.items()) {
    if (is_token_key(key, value)) settings.named[key] = value;
  }
  settings.extra = value_or_null(config, "extra_special_tokens");
  const json& old_name = value_or_null(config, "additional_special_tokens");
  if (!is_filled(settings.extra) && !old_name.is_null()) settings.extra = old_name;
  return settings;
}

SpecialNames special_names(const SpecialSettings& settings, const fs::path& file) {
  SpecialNames names;
  const auto add_named = [&](const std::string& key, const json& value) {
    if (value.is_null()) return;
    const bool standard =
        std::find(kStandardNames.begin(), kStandardNames.end(), key) != kStandardNames.end();
    (standard ? names.standard : names.other).insert(content_of(value, file, shown(key)));
  };
  for (const auto& [key, value] : settings.named) add_named(key, value);
  if (settings.extra.is_object()) {
    for (const auto& [key, value] : settings.extra.items()) add_named(key, value);
  } else {
    names.extra = contents_of_list(settings.extra, file, "extra_special_tokens");
  }
  return names;
}

std::map<std::int32_t, DescribedToken> tokens_of_config(const json& decoder, const fs::path& file) {
  if (!decoder.is_object()) refuse(file, "\"added_tokens_decoder\" is not an object");
  std::map<std::int32_t, DescribedToken> tokens;
  for (const auto& [key, value] : decoder.items()) {
    const bool digits =
        !key.empty() && key.size() < 9 && key.find_first_not_of("0123456789") == std::string::npos;
    if (!digits) refuse(file, "\"added_tokens_decoder\" has the key " + shown(key) + ", which is not an id");
    const std::int32_t id = token_id_of(std::stoll(key), file, "\"added_tokens_decoder\"");
    tokens[id] = described_token(value, id, file);
  }
  return tokens;
}

// The older way of saving: the tokens' flags are not in the config.
std::map<std::int32_t, DescribedToken> tokens_of_older_files(const TokenizerTexts& texts,
                                                             const json& tokenizer_json,
                                                             SpecialSettings& settings) {
  const fs::path map_file = texts.folder / "special_tokens_map.json";
  // At the point where the reference reads added_tokens.json, additional tokens of the map are not yet known
  // to it.
  json extra_then = settings.extra;
  if (texts.by_name.contains("special_tokens_map.json")) {
    const json map = json_of(texts, "special_tokens_map.json");
    if (!map.is_object()) refuse(map_file, "is not an object");
    for (const auto& [key, value] : map.items()) {
      if (is_token_key(key, value)) settings.named[key] = value;
    }
    const json& extra = value_or_null(map, "extra_special_tokens");
    if (extra.is_array()) {
      if (settings.extra.is_null()) settings.extra = json::array();
      for (const json& value : extra) settings.extra.push_back(value);
      extra_then = settings.extra;
    }
    const json& old_name = value_or_null(map, "additional_special_tokens");
    if (settings.extra.is_null() && old_name.is_array()) settings.extra = old_name;
  }
  std::map<std::int32_t, DescribedToken> tokens;
  const fs::path added_file = texts.folder / "added_tokens.json";
  if (texts.by_name.contains("added_tokens.json")) {
    const SpecialNames names = special_names({settings.named, extra_then}, map_file);
    const json added = json_of(texts, "added_tokens.json");
    if (!added.is_object()) refuse(added_file, "is not an object");
    for (const auto& [content, value] : added.items()) {
      const std::int32_t id = token_id_of(value, added_file, shown(content));
      const bool special = names.standard.contains(content) || names.extra.contains(content);
      tokens[id] = {{content, id, special, !special}, std::nullopt};
    }
  }
  const fs::path file = texts.folder / "tokenizer.json";
  for (const json& value : value_or_null(tokenizer_json, "added_tokens")) {
    const std::int32_t id = token_id_of(value_or_null(value, "id"), file, "an added token's \"id\"");
    tokens[id] = described_token(value, id, file);
  }
  return tokens;
}

}  // namespace

json json_of(const TokenizerTexts& texts, const std::string& name) {
  const auto found = texts.by_name.find(name);
  return found == texts.by_name.end() ? json() : parse_json(found->second, (texts.folder / name).string());
}

void refuse(const fs::path& file, const std::string& problem) {
  throw common::InputError(file.string() + ": " + problem,
                           "Use the tokenizer folder that the model was published with.");
}

const json& value_or_null(const json& object, const std::string& key) {
  static const json kNull;
  if (!object.is_object()) return kNull;
  const auto found = object.find(key);
  return found == object.end() ? kNull : *found;
}

bool is_token_id(const json& value) {
  return value.is_number_integer() && value >= 0 && value <= kLargestId;
}

void refuse_token_id(const fs::path& file, const std::string& what) {
  refuse(file, what + " is not an id between 0 and " + std::to_string(kLargestId));
}

std::int32_t token_id_of(const json& value, const fs::path& file, const std::string& what) {
  if (!is_token_id(value)) refuse_token_id(file, what);
  return value.get<std::int32_t>();
}

std::vector<AddedToken> read_added_tokens(const TokenizerTexts& texts, const json& config,
                                          const json& tokenizer_json, const Vocabulary& vocabulary) {
  const fs::path& folder = texts.folder;
  const fs::path config_file = folder / "tokenizer_config.json";
  SpecialSettings settings = settings_of_config(config);
  const json& decoder = value_or_null(config, "added_tokens_decoder");
  const auto described = decoder.is_null() ? tokens_of_older_files(texts, tokenizer_json, settings)
                                           : tokens_of_config(decoder, config_file);
  const SpecialNames names = special_names(settings, config_file);
  std::set<std::string> unseen = names.standard;
  unseen.insert(names.extra.begin(), names.extra.end());
  unseen.insert(names.other.begin(), names.other.end());

  std::vector<AddedToken> tokens;
  auto next_id = static_cast<std::int32_t>(vocabulary.size());
  for (const auto& [id, entry] : described) {
    AddedToken token = entry.token;
    if (token.content.empty()) continue;
    const std::string quoted = shown(token.content);
    // The reference does not take the stated id but counts on from the vocabulary; models are trained with
    // what it gives.
    const auto known = vocabulary.find(token.content);
    const std::int32_t given = known != vocabulary.end() ? known->second : next_id++;
    if (given != id) {
      refuse(folder, "the added token " + quoted + " has the id " + std::to_string(id) +
                         " but its place gives it " + std::to_string(given));
    }
    if (unseen.erase(token.content) != 0) {
      token.special = true;
      token.normalized = false;
    } else if (entry.refused_flag) {
      refuse(folder,
             "the added token " + quoted + " sets \"" + *entry.refused_flag + "\", which is not supported");
    }
    tokens.push_back(std::move(token));
  }
  for (const std::string& content : unseen) {
    if (content.empty()) continue;  // it would stand everywhere
    const auto known = vocabulary.find(content);
    if (known == vocabulary.end()) refuse(folder, "the special token " + shown(content) + " has no id");
    tokens.push_back({content, known->second, true, false});
  }
  return tokens;
}

}  // namespace layerpipe::model
