#include "model/json_fields.h"

#include "common/files.h"

namespace layerpipe::model {
namespace {

constexpr std::uint64_t kLargestFile = 64ULL << 20;
constexpr int kMostUnknownShown = 8;

}  // namespace

JsonFields::JsonFields(nlohmann::json object, std::string where)
    : object_(std::move(object)), where_(std::move(where)) {
  if (!object_.is_object()) throw common::InputError(where_ + " is not a JSON object", kCopyTheFileAgain);
}

JsonFields JsonFields::from_text(std::string_view text, const std::string& name) {
  return {parse_json(text, name), name};
}

JsonFields JsonFields::from_file(const std::filesystem::path& path) {
  return from_text(common::read_text_file(path, kLargestFile), path.string());
}

JsonFields JsonFields::get_object(const std::string& key) {
  return {get<nlohmann::json>(key), where_ + ": \"" + key + "\""};
}

void JsonFields::without_effect(std::initializer_list<const char*> keys) {
  for (const char* key : keys) asked_.insert(key);
}

void JsonFields::finish() const {
  std::string unknown;
  int count = 0;
  for (const auto& [key, value] : object_.items()) {
    if (asked_.contains(key) || ++count > kMostUnknownShown) continue;
    unknown += (unknown.empty() ? "" : ", ") + shown(key);
  }
  if (count > kMostUnknownShown) unknown += " and " + std::to_string(count - kMostUnknownShown) + " more";
  if (!unknown.empty()) {
    throw common::InputError(
        where_ + ": layerpipe does not know the field " + unknown,
        "The model may need a newer layerpipe; ignoring the field could change its pictures.");
  }
}

void JsonFields::refuse(const std::string& key, const std::string& reason) const {
  throw common::InputError(
      where_ + ": \"" + key + "\": " + shown(object_.at(key)) + " is not supported: " + reason,
      "The model may need a newer layerpipe, or another program.");
}

}  // namespace layerpipe::model
