#include "results/json_reader.h"

#include <cmath>

#include "common/errors.h"
#include "model/json_text.h"

namespace layerpipe::results {

JsonReader::Json JsonReader::parse(std::string_view text, const std::string& name,
                                   const std::string& remedy) {
  try {
    return model::parse_json(text, name);
  } catch (const common::InputError& error) {
    throw common::InputError(error.what(), remedy);  // its own remedy is for the files of a model
  }
}

JsonReader JsonReader::step(const Json& json, std::string where) const {
  JsonReader reader(json, *name_, *remedy_);
  reader.where_ = std::move(where);
  return reader;
}

void JsonReader::complain(const std::string& what) const {
  const std::string place = where_.empty() ? *name_ : *name_ + ": \"" + where_ + "\"";
  throw common::InputError(place + " " + what, *remedy_);
}

void JsonReader::refuse(const std::string& expected) const {
  complain("is " + model::shown(*json_) + ", not " + expected);
}

JsonReader JsonReader::at(const std::string& key) const {
  if (!json_->is_object()) refuse("a JSON object");
  const auto found = json_->find(key);
  JsonReader member =
      step(found == json_->end() ? *json_ : *found, where_.empty() ? key : where_ + "." + key);
  if (found == json_->end()) member.complain("is missing");
  return member;
}

std::optional<JsonReader> JsonReader::find(const std::string& key) const {
  if (!json_->is_object()) refuse("a JSON object");
  const auto found = json_->find(key);
  if (found == json_->end() || found->is_null()) return std::nullopt;
  return at(key);
}

std::vector<JsonReader> JsonReader::items(std::size_t most) const {
  if (!json_->is_array()) refuse("a list");
  if (json_->size() > most) {
    complain("has " + std::to_string(json_->size()) + " entries; at most " + std::to_string(most) +
             " are accepted");
  }
  std::vector<JsonReader> items;
  for (const Json& item : *json_) {
    items.push_back(step(item, where_ + "[" + std::to_string(items.size()) + "]"));
  }
  return items;
}

std::vector<std::pair<std::string, JsonReader>> JsonReader::members() const {
  if (!json_->is_object()) refuse("a JSON object");
  std::vector<std::pair<std::string, JsonReader>> members;
  for (const auto& member : json_->items()) members.emplace_back(member.key(), at(member.key()));
  return members;
}

std::string JsonReader::text() const {
  if (!json_->is_string()) refuse("a text");
  const auto& text = json_->get_ref<const std::string&>();
  if (text.find('\0') != std::string::npos) refuse("a text without the character 0");
  return text;
}

double JsonReader::number() const {
  if (!json_->is_number()) refuse("a number");
  const auto value = json_->get<double>();
  if (!std::isfinite(value) || value < 0) refuse("a number from 0");
  return value;
}

std::uint64_t JsonReader::count() const {
  if (!json_->is_number_unsigned()) refuse("a whole number from 0");
  return json_->get<std::uint64_t>();
}

std::int64_t JsonReader::whole(std::int64_t least, std::int64_t most) const {
  const bool fits = json_->is_number_unsigned() &&
                    json_->get<std::uint64_t>() >= static_cast<std::uint64_t>(least) &&
                    json_->get<std::uint64_t>() <= static_cast<std::uint64_t>(most);
  if (!fits) refuse("a whole number from " + std::to_string(least) + " to " + std::to_string(most));
  return json_->get<std::int64_t>();
}

}  // namespace layerpipe::results
