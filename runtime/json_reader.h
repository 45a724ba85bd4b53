// Reads JSON that somebody else may have written: every mistake is an InputError that names file and key.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace layerpipe::runtime {

// A value and where it stands. Lives no longer than the file that it was made from.
class JsonReader {
 public:
  using Json = nlohmann::ordered_json;

  // `remedy` goes into every error.
  JsonReader(const Json& json, const std::filesystem::path& file, const std::string& remedy)
      : json_(&json), file_(&file), remedy_(&remedy) {}

  // Whole files. Throws InputError when one is missing, larger than `limit_bytes`, or not JSON.
  static Json parse(const std::filesystem::path& file, std::uint64_t limit_bytes, const std::string& remedy);

  JsonReader at(const std::string& key) const;
  std::optional<JsonReader> find(const std::string& key) const;                     // nothing also for null
  std::vector<JsonReader> items(std::size_t most) const;                            // of an array
  std::vector<std::pair<std::string, JsonReader>> members(std::size_t most) const;  // of an object

  std::string text() const;
  double number() const;  // finite, not below zero
  std::uint64_t bytes() const;
  std::int64_t whole(std::int64_t most) const;  // from zero

  bool is_text() const { return json_->is_string(); }
  bool is_array() const { return json_->is_array(); }
  bool is_null() const { return json_->is_null(); }

  // "FILE: \"plan.stages[0].rank\" `what`"
  [[noreturn]] void refuse(const std::string& what) const;

 private:
  JsonReader step(const Json& json, std::string where) const;

  const Json* json_;
  const std::filesystem::path* file_;
  const std::string* remedy_;
  std::string where_;
};

}  // namespace layerpipe::runtime
