#include "model/tokenizer/tokenizer_files.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>

#include "common/errors.h"
#include "common/files.h"
#include "model/json_text.h"
#include "model/tokenizer/pretokenizer.h"
#include "model/tokenizer/tokenizer_json.h"

namespace layerpipe::model {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

// A field and the values of it with which results are those of Qwen2Tokenizer.
struct ExpectedField {
  const char* key;
  std::vector<json> values;  // an absent field counts as null
};

// Refuses `object` when one of `fields` has another value, or when it has a field that is not listed.
void check_fields(const json& object, const std::vector<ExpectedField>& fields, const fs::path& file,
                  const std::string& where) {
  if (!object.is_object()) refuse(file, "\"" + where + "\" is not an object");
  std::set<std::string> known;
  for (const auto& [key, values] : fields) {
    known.insert(key);
    if (values.empty()) continue;
    const json& value = value_or_null(object, key);
    if (std::find(values.begin(), values.end(), value) == values.end()) {
      refuse(file, "\"" + where + "." + key + "\" is " + shown(value) + "; only " + shown(values.front()) +
                       " is supported");
    }
  }
  for (const auto& [key, value] : object.items()) {
    if (!known.contains(key)) refuse(file, shown(where + "." + key) + " is not supported");
  }
}

void check_byte_level(const json& step, const fs::path& file, const std::string& where) {
  check_fields(
      step,
      {{"type", {"ByteLevel"}}, {"add_prefix_space", {false}}, {"trim_offsets", {}}, {"use_regex", {false}}},
      file, where);
}

void check_pre_tokenizer(const json& value, const fs::path& file) {
  check_fields(value, {{"type", {"Sequence"}}, {"pretokenizers", {}}}, file, "pre_tokenizer");
  const json& steps = value_or_null(value, "pretokenizers");
  if (!steps.is_array() || steps.size() != 2)
    refuse(file, "\"pre_tokenizer\" is not a Split and a ByteLevel");
  check_fields(steps[0],
               {{"type", {"Split"}},
                {"pattern", {json{{"Regex", kQwen2Pattern}}}},
                {"behavior", {"Isolated"}},
                {"invert", {false, nullptr}}},
               file, "pre_tokenizer.pretokenizers[0]");
  check_byte_level(steps[1], file, "pre_tokenizer.pretokenizers[1]");
}

// Nothing is put around a text: a byte-level step moves offsets only, a template may hold the text alone.
void check_post_processor(const json& value, const fs::path& file) {
  const json& type = value_or_null(value, "type");
  if (value.is_null() || type == "ByteLevel") return;
  const json text_alone = json::array({json{{"Sequence", json{{"id", "A"}, {"type_id", 0}}}}});
  if (type == "TemplateProcessing" && value_or_null(value, "single") == text_alone) return;
  refuse(file, "\"post_processor\" of the type " + shown(type) + " would add tokens, which is not supported");
}

void check_decoder(const json& value, const fs::path& file) {
  if (value_or_null(value, "type") != "ByteLevel") refuse(file, "\"decoder\" is not a ByteLevel");
}

void check_tokenizer_json(const json& content, const fs::path& file) {
  check_fields(content,
               {{"version", {"1.0"}},
                {"truncation", {nullptr}},
                {"padding", {nullptr}},
                {"added_tokens", {}},
                {"normalizer", {json{{"type", "NFC"}}}},
                {"pre_tokenizer", {}},
                {"post_processor", {}},
                {"decoder", {}},
                {"model", {}}},
               file, "tokenizer");
  check_pre_tokenizer(value_or_null(content, "pre_tokenizer"), file);
  check_post_processor(value_or_null(content, "post_processor"), file);
  check_decoder(value_or_null(content, "decoder"), file);
  // Each byte has a token of its own, so that what is done with unknown ones makes no difference.
  check_fields(value_or_null(content, "model"),
               {{"type", {"BPE", nullptr}},
                {"dropout", {nullptr, 0}},
                {"unk_token", {}},
                {"continuing_subword_prefix", {"", nullptr}},
                {"end_of_word_suffix", {"", nullptr}},
                {"fuse_unk", {}},
                {"byte_fallback", {}},
                {"ignore_merges", {false, nullptr}},
                {"vocab", {}},
                {"merges", {}}},
               file, "model");
}

void check_config(const json& config, const fs::path& file, bool has_tokenizer_json) {
  if (config.is_null()) return;
  if (!config.is_object()) refuse(file, "is not an object");
  const auto require = [&](const char* key, const std::vector<json>& values) {
    const json& value = value_or_null(config, key);
    if (std::find(values.begin(), values.end(), value) != values.end()) return;
    refuse(file, "\"" + std::string(key) + "\" is " + shown(value) + ", which is not supported");
  };
  require("tokenizer_class", {"Qwen2Tokenizer", "Qwen2TokenizerFast", nullptr});
  require("add_prefix_space", {false, nullptr});
  require("split_special_tokens", {false, nullptr});
  require("fast_tokenizer_files", {nullptr});
  require("clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output", {false, nullptr});
  if (has_tokenizer_json) return;  // its post_processor decides
  require("add_bos_token", {false, nullptr});
  require("add_eos_token", {false, nullptr});
}

Vocabulary vocabulary_of(const json& content, const fs::path& file) {
  if (!content.is_object()) refuse(file, "the vocabulary is not an object");
  Vocabulary vocabulary;
  vocabulary.reserve(content.size());
  std::set<std::int32_t> seen;
  for (const auto& [token, value] : content.items()) {
    if (!is_token_id(value)) refuse_token_id(file, shown(token));
    const auto id = value.get<std::int32_t>();
    if (!seen.insert(id).second) refuse(file, "two tokens have the id " + std::to_string(id));
    vocabulary.emplace(token, id);
  }
  return vocabulary;
}

// "left right"; refuses anything else. `place` is what MergeSource calls merges_name.
MergeRule merge_of(std::string_view text, const std::string& place, std::size_t number) {
  const std::size_t space = text.find(' ');
  if (space == std::string_view::npos || text.find(' ', space + 1) != std::string_view::npos) {
    throw common::InputError(
        place + std::to_string(number) + ": " + shown(text) + " is not two tokens and a space",
        "Use the tokenizer folder that the model was published with.");
  }
  return {std::string(text.substr(0, space)), std::string(text.substr(space + 1))};
}

void read_merges_txt(const TokenizerTexts& texts, TokenizerFiles& files) {
  const std::string& content = texts.by_name.at("merges.txt");
  files.source.merges_name = (texts.folder / "merges.txt").string() + ":";
  std::size_t line_number = 0;
  for (std::size_t begin = 0; begin < content.size();) {
    const std::size_t end = std::min(content.find('\n', begin), content.size());
    std::string_view line(content.data() + begin, end - begin);
    if (line.ends_with('\r')) line.remove_suffix(1);
    begin = end + 1;
    ++line_number;
    if (line.starts_with("#version")) continue;
    files.merges.push_back(merge_of(line, files.source.merges_name, line_number));
    files.source.merge_numbers.push_back(line_number);
  }
}

void read_json_merges(const json& merges, const fs::path& file, TokenizerFiles& files) {
  if (!merges.is_array()) refuse(file, "\"model.merges\" is not a list");
  files.source.merges_name = file.string() + ": merge ";
  for (const json& merge : merges) {
    const std::size_t number = files.merges.size();
    if (merge.is_string()) {
      files.merges.push_back(merge_of(merge.get_ref<const std::string&>(), files.source.merges_name, number));
    } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
      files.merges.push_back({merge[0].get<std::string>(), merge[1].get<std::string>()});
    } else {
      refuse(file, "merge " + std::to_string(number) + " is not a pair of tokens");
    }
    files.source.merge_numbers.push_back(number);
  }
}

}  // namespace

TokenizerFiles parse_tokenizer_files(const TokenizerTexts& texts) {
  const fs::path tokenizer_file = texts.folder / "tokenizer.json";
  const bool has_tokenizer_json = texts.by_name.contains("tokenizer.json");
  const json config = json_of(texts, "tokenizer_config.json");
  check_config(config, texts.folder / "tokenizer_config.json", has_tokenizer_json);

  TokenizerFiles files;
  json content;
  if (has_tokenizer_json) {
    content = json_of(texts, "tokenizer.json");
    check_tokenizer_json(content, tokenizer_file);
    const json& model = content["model"];
    files.vocabulary = vocabulary_of(value_or_null(model, "vocab"), tokenizer_file);
    files.source.vocabulary_name = tokenizer_file.string();
    read_json_merges(value_or_null(model, "merges"), tokenizer_file, files);
  } else {
    const fs::path vocabulary_file = texts.folder / "vocab.json";
    if (!texts.by_name.contains("vocab.json"))
      refuse(texts.folder, "has neither tokenizer.json nor vocab.json");
    if (!texts.by_name.contains("merges.txt")) refuse(texts.folder, "has vocab.json but no merges.txt");
    files.vocabulary = vocabulary_of(json_of(texts, "vocab.json"), vocabulary_file);
    files.source.vocabulary_name = vocabulary_file.string();
    read_merges_txt(texts, files);
  }
  files.added_tokens = read_added_tokens(texts, config, content, files.vocabulary);
  return files;
}

TokenizerFiles read_tokenizer_files(const fs::path& folder) {
  TokenizerTexts texts{folder, {}};
  const auto read = [&](const char* name) {
    std::error_code ignored;  // a file that cannot be looked at is none
    if (!fs::exists(folder / name, ignored)) return false;
    texts.by_name[name] = common::read_text_file(folder / name);
    return true;
  };
  if (!read("tokenizer.json")) {
    read("vocab.json");
    read("merges.txt");
  }
  for (const char* name : {"tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"})
    read(name);
  return parse_tokenizer_files(texts);
}

}  // namespace layerpipe::model
