#include "runtime/config/fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "common/spelling.h"
#include "common/units.h"

namespace layerpipe::runtime {
namespace {

std::string did_you_mean(const std::string& word, std::span<const std::string_view> words) {
  const auto guess = common::nearest(word, {words.begin(), words.end()});
  return guess ? "; did you mean " + *guess + "?" : std::string();
}

const char* kind_name(YamlNode::Kind kind) {
  switch (kind) {
    case YamlNode::Kind::kNothing:
      return "nothing";
    case YamlNode::Kind::kText:
      return "a word";
    case YamlNode::Kind::kList:
      return "a list";
    case YamlNode::Kind::kMapping:
      return "a mapping";
  }
  return "";
}

}  // namespace

bool is_whole_number(std::string_view text) {
  if (text.empty() || text.find_first_not_of("0123456789") != text.npos) return false;
  return text.size() == 1 || text.front() != '0';
}

std::string listed(std::span<const std::string_view> words, const std::string& last_joint) {
  std::string result;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) result += i + 1 == words.size() ? " " + last_joint + " " : ", ";
    result += words[i];
  }
  return result;
}

void Field::refuse_whole(const std::string& what, const std::string& expected) const {
  // A value that was left out has no place of its own.
  const bool has_value = value().kind != YamlNode::Kind::kNothing;
  refuse_at(*file_, has_value ? value().place : entry_->place, what, expected);
}

void Field::refuse(const std::string& problem, const std::string& expected) const {
  refuse_whole(fmt::format("{} {} {}", key(), shown(value().text), problem), expected);
}

void Field::refuse_kind(const std::string& expected) const {
  if (value().kind == YamlNode::Kind::kNothing) refuse_whole(key() + " has no value", expected);
  refuse_whole(fmt::format("{} is {}", key(), kind_name(value().kind)), expected);
}

const std::string& Field::text(const std::string& expected) const {
  if (value().kind != YamlNode::Kind::kText) refuse_kind(expected);
  return value().text;
}

std::size_t Field::find_word(std::span<const std::string_view> words) const {
  const std::string expected = fmt::format("Take {}.", listed(words, "or"));
  const std::string& word = text(expected);
  const auto found = std::find(words.begin(), words.end(), word);
  if (found == words.end()) refuse("is not known" + did_you_mean(word, words), expected);
  return static_cast<std::size_t>(found - words.begin());
}

std::int64_t Field::whole_number(std::int64_t least, std::int64_t most) const {
  const std::string expected = fmt::format("Give a whole number from {} to {}.", least, most);
  const std::string& digits = text(expected);
  if (!is_whole_number(digits)) refuse("is not a whole number", expected);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || number < least || number > most) {
    refuse(fmt::format("is out of range: {} to {}", least, most), expected);
  }
  return number;
}

std::uint64_t Field::size(std::uint64_t most) const {
  const std::string expected = fmt::format("Give {}.", common::kSizeForm);
  const auto bytes = common::parse_bytes(text(expected));
  if (!bytes) refuse("is not a size", expected);
  if (*bytes > most) {
    refuse(fmt::format("is out of range: 0GiB to {}GiB", most >> 30), expected);
  }
  return *bytes;
}

std::chrono::milliseconds Field::duration(std::chrono::milliseconds least,
                                          std::chrono::milliseconds most) const {
  const std::string expected = fmt::format("Give {}.", common::kDurationForm);
  const auto time = common::parse_duration(text(expected));
  if (!time) refuse("is not a duration", expected);
  if (*time < least || *time > most) {
    refuse(fmt::format("is out of range: {}ms to {}s", least.count(), most.count() / 1000), expected);
  }
  return *time;
}

std::span<const YamlNode> Field::list(const std::string& expected) const {
  if (value().kind != YamlNode::Kind::kList) refuse_kind(expected);
  if (value().items.empty()) refuse_whole(key() + " is empty", expected);
  return value().items;
}

Mapping::Mapping(const std::string& file, const std::string& title, const YamlNode& node,
                 std::span<const std::string_view> keys)
    : file_(file), title_(title), node_(node), keys_(keys) {
  if (node.kind != YamlNode::Kind::kMapping) {
    refuse_at(file_, node.place, fmt::format("{} is {}, not keys with values", title_, kind_name(node.kind)),
              the_keys());
  }
  if (node.entries.empty()) refuse_at(file_, node.place, title_ + " is empty", the_keys());
  for (const YamlEntry& entry : node.entries) check(entry);
}

void Mapping::check(const YamlEntry& entry) const {
  if (std::find(keys_.begin(), keys_.end(), entry.key) != keys_.end()) return;
  refuse_at(file_, entry.place,
            fmt::format("{} is not a key of {}{}", shown(entry.key), title_, did_you_mean(entry.key, keys_)),
            the_keys());
}

std::string Mapping::the_keys() const {
  return fmt::format("The keys of {} are {}.", title_, listed(keys_, "and"));
}

std::optional<Field> Mapping::find(std::string_view key) const {
  const auto found = std::find_if(node_.entries.begin(), node_.entries.end(),
                                  [&](const YamlEntry& entry) { return entry.key == key; });
  if (found == node_.entries.end()) return std::nullopt;
  return Field(file_, *found);
}

Field Mapping::need(std::string_view key) const {
  if (const auto field = find(key)) return *field;
  refuse_at(file_, node_.place, fmt::format("{} has no {}", title_, key), the_keys());
}

}  // namespace layerpipe::runtime
