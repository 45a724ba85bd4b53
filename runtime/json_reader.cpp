#include "runtime/json_reader.h"

#include <cmath>
#include <utility>

#include "common/errors.h"
#include "common/files.h"

namespace layerpipe::runtime {

JsonReader::Json JsonReader::parse(const std::filesystem::path& file, std::uint64_t limit_bytes,
                                   const std::string& remedy) {
  const std::string text = common::read_text_file(file, limit_bytes);
  try {
    return Json::parse(text);
  } catch (const Json::parse_error& error) {
    throw common::InputError(file.string() + " is not JSON from byte " + std::to_string(error.byte) + " on",
                             remedy);
  } catch (const Json::exception&) {  // a number that no double holds
    throw common::InputError(file.string() + " holds a number that is too large", remedy);
  }
}

JsonReader JsonReader::step(const Json& json, std::string where) const {
  JsonReader reader(json, *file_, *remedy_);
  reader.where_ = std::move(where);
  return reader;
}

void JsonReader::refuse(const std::string& what) const {
  const std::string place = where_.empty() ? std::string("the whole") : "\"" + where_ + "\"";
  throw common::InputError(file_->string() + ": " + place + " " + what, *remedy_);
}

JsonReader JsonReader::at(const std::string& key) const {
  if (!json_->is_object()) refuse("is not an object");
  const auto found = json_->find(key);
  JsonReader member =
      step(found == json_->end() ? *json_ : *found, where_.empty() ? key : where_ + "." + key);
  if (found == json_->end()) member.refuse("is missing");
  return member;
}

std::optional<JsonReader> JsonReader::find(const std::string& key) const {
  if (!json_->is_object()) refuse("is not an object");
  const auto found = json_->find(key);
  if (found == json_->end() || found->is_null()) return std::nullopt;
  return at(key);
}

std::vector<JsonReader> JsonReader::items(std::size_t most) const {
  if (!json_->is_array()) refuse("is not a list");
  if (json_->size() > most) refuse("has more than " + std::to_string(most) + " entries");
  std::vector<JsonReader> items;
  for (const Json& item : *json_) {
    items.push_back(step(item, where_ + "[" + std::to_string(items.size()) + "]"));
  }
  return items;
}

std::vector<std::pair<std::string, JsonReader>> JsonReader::members(std::size_t most) const {
  if (!json_->is_object()) refuse("is not an object");
  if (json_->size() > most) refuse("has more than " + std::to_string(most) + " entries");
  std::vector<std::pair<std::string, JsonReader>> members;
  for (const auto& member : json_->items()) members.emplace_back(member.key(), at(member.key()));
  return members;
}

std::string JsonReader::text() const {
  if (!json_->is_string()) refuse("is not a text");
  return json_->get<std::string>();
}

double JsonReader::number() const {
  if (!json_->is_number()) refuse("is not a number");
  const double value = json_->get<double>();
  if (!std::isfinite(value) || value < 0) refuse("is below zero");
  return value;
}

std::uint64_t JsonReader::bytes() const {
  if (!json_->is_number_unsigned()) refuse("is not a whole number from 0 on");
  return json_->get<std::uint64_t>();
}

std::int64_t JsonReader::whole(std::int64_t most) const {
  const std::uint64_t value = bytes();
  if (value > static_cast<std::uint64_t>(most)) refuse("is larger than " + std::to_string(most));
  return static_cast<std::int64_t>(value);
}

}  // namespace layerpipe::runtime
