// Reads JSON that somebody else may have written: every mistake is an InputError that names the file and the
// key, and says what is there and what was expected.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace layerpipe::results {

// A value and where it stands. Lives no longer than what it was made from.
class JsonReader {
 public:
  using Json = nlohmann::json;

  // `name` is what messages call the file, `remedy` goes into every one.
  JsonReader(const Json& json, const std::string& name, const std::string& remedy)
      : json_(&json), name_(&name), remedy_(&remedy) {}

  // A whole text. Throws InputError for what model/json_text.h refuses.
  static Json parse(std::string_view text, const std::string& name, const std::string& remedy);

  JsonReader at(const std::string& key) const;
  std::optional<JsonReader> find(const std::string& key) const;     // nothing also for null
  std::vector<JsonReader> items(std::size_t most) const;            // of an array
  std::vector<std::pair<std::string, JsonReader>> members() const;  // of an object, by key

  std::string text() const;     // without the character 0, which would hide the end of a path
  double number() const;        // finite, from 0
  std::uint64_t count() const;  // bytes, a seed
  std::int64_t whole(std::int64_t least, std::int64_t most) const;  // `least` is not negative

  bool is_text() const { return json_->is_string(); }
  bool is_array() const { return json_->is_array(); }
  bool is_null() const { return json_->is_null(); }

  // "FILE: \"plan.stages[0].rank\" is -1, not `expected`"
  [[noreturn]] void refuse(const std::string& expected) const;
  // "FILE: \"files\" `what`"
  [[noreturn]] void complain(const std::string& what) const;

 private:
  JsonReader step(const Json& json, std::string where) const;

  const Json* json_;
  const std::string* name_;
  const std::string* remedy_;
  std::string where_;
};

}  // namespace layerpipe::results
