// Strict reading of one JSON object of a config file. Internal to model/*.cpp: it shows nlohmann-json.
#pragma once

#include <algorithm>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/errors.h"
#include "model/json_text.h"

namespace layerpipe::model {

inline constexpr const char* kCopyTheFileAgain = "Copy the file from the model's original folder again.";

// Every key of the object has to be asked for, by one of the functions below, before finish(): a field that
// nobody honours is refused by name instead of being silently without effect.
class JsonFields {
 public:
  // `where` names the file, and the object inside it, in messages. Throws InputError unless `object` is an
  // object.
  JsonFields(nlohmann::json object, std::string where);

  // Parses a text or a file as parse_json does.
  static JsonFields from_text(std::string_view text, const std::string& name);
  static JsonFields from_file(const std::filesystem::path& path);

  bool has(std::string_view key) const {
    return object_.contains(key) && !object_.at(std::string(key)).is_null();
  }

  // Whether the field is written as null, which some configs give another meaning than leaving it out.
  bool is_null(std::string_view key) const {
    return object_.contains(key) && object_.at(std::string(key)).is_null();
  }

  // The field's value. A missing or null field takes `fallback`; without one it throws InputError.
  template <typename T>
  T get(const std::string& key, std::optional<T> fallback = std::nullopt);

  // The object in a field.
  JsonFields get_object(const std::string& key);

  // Accepts the field only when it is absent, null or equal to `only`; otherwise refuses it by name.
  template <typename T>
  void only_supports(const std::string& key, const T& only, const std::string& reason);

  // Fields that describe the file or its training and have no effect on what is computed.
  void without_effect(std::initializer_list<const char*> keys);

  // The same for fields whatever their names, by their values.
  template <typename Predicate>
  void without_effect_where(Predicate has_none) {
    for (const auto& [key, value] : object_.items()) {
      if (has_none(value)) asked_.insert(key);
    }
  }

  // Throws InputError naming the fields that were never asked for.
  void finish() const;

  const std::string& where() const noexcept { return where_; }
  [[noreturn]] void refuse(const std::string& key, const std::string& reason) const;

 private:
  nlohmann::json object_;
  std::string where_;
  std::set<std::string, std::less<>> asked_;
};

// Whether a value holds a T without conversion. nlohmann converts between numbers and booleans silently; a
// config that says 1.5 layers or true heads is wrong.
template <typename T>
bool json_holds(const nlohmann::json& value) {
  if constexpr (std::is_same_v<T, bool>) {
    return value.is_boolean();
  } else if constexpr (std::is_integral_v<T>) {
    return value.is_number_integer() &&
           (!value.is_number_unsigned() || value.get<std::uint64_t>() <= std::numeric_limits<T>::max());
  } else if constexpr (std::is_floating_point_v<T>) {
    return value.is_number();
  } else if constexpr (
      requires { typename T::value_type; } && !std::is_same_v<T, std::string> &&
      !std::is_same_v<T, nlohmann::json> && !requires { typename T::mapped_type; }) {
    return value.is_array() && std::all_of(value.begin(), value.end(), [](const nlohmann::json& element) {
             return json_holds<typename T::value_type>(element);
           });
  } else {
    return true;  // get() tells
  }
}

template <typename T>
T JsonFields::get(const std::string& key, std::optional<T> fallback) {
  asked_.insert(key);
  if (!has(key)) {
    if (fallback) return *std::move(fallback);
    throw common::InputError(where_ + ": field \"" + key + "\" is missing", kCopyTheFileAgain);
  }
  const nlohmann::json& value = object_.at(key);
  try {
    if (json_holds<T>(value)) return value.get<T>();
  } catch (const nlohmann::json::exception&) {
    // falls through to the message below
  }
  throw common::InputError(where_ + ": field \"" + key + "\" has the wrong type: " + shown(value),
                           kCopyTheFileAgain);
}

template <typename T>
void JsonFields::only_supports(const std::string& key, const T& only, const std::string& reason) {
  asked_.insert(key);
  if (has(key) && object_.at(key) != nlohmann::json(only)) refuse(key, reason);
}

}  // namespace layerpipe::model
