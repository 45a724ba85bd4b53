#include "model/json_fields.h"

#include "common/files.h"

namespace layerpipe::model {

JsonFields::JsonFields(nlohmann::json object, std::string where)
    : object_(std::move(object)), where_(std::move(where)) {
  if (!object_.is_object()) throw common::InputError(where_ + " is not a JSON object", kCopyTheFileAgain);
}

JsonFields JsonFields::from_file(const std::filesystem::path& path) {
  const std::string text = common::read_text_file(path, 64ULL << 20);
  // Not only parse_error: a number too large for a double is an error of another class.
  try {
    return {nlohmann::json::parse(text), path.string()};
  } catch (const nlohmann::json::exception& error) {
    throw common::InputError(path.string() + " is not JSON: " + error.what(), kCopyTheFileAgain);
  }
}

JsonFields JsonFields::get_object(const std::string& key) {
  return {get<nlohmann::json>(key), where_ + ": \"" + key + "\""};
}

void JsonFields::without_effect(std::initializer_list<const char*> keys) {
  for (const char* key : keys) asked_.insert(key);
}

void JsonFields::finish() const {
  std::string unknown;
  for (const auto& [key, value] : object_.items()) {
    if (!asked_.contains(key)) unknown += (unknown.empty() ? "\"" : ", \"") + key + "\"";
  }
  if (!unknown.empty()) {
    throw common::InputError(
        where_ + ": layerpipe does not know the field " + unknown,
        "The model may need a newer layerpipe; ignoring the field could change its pictures.");
  }
}

void JsonFields::refuse(const std::string& key, const std::string& reason) const {
  throw common::InputError(
      where_ + ": \"" + key + "\": " + object_.at(key).dump() + " is not supported: " + reason,
      "The model may need a newer layerpipe, or another program.");
}

}  // namespace layerpipe::model
