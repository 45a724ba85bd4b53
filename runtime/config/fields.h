// Reading the tree of a config file strictly: every key known, every value of its kind and in its range.
// Internal to runtime/config.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "runtime/config/words.h"
#include "runtime/config/yaml_document.h"

namespace layerpipe::runtime {

// Digits without a zero in front: what YAML 1.1 takes 010 for is 8, what YAML 1.2 takes it for is 10.
bool is_whole_number(std::string_view text);

// "a, b or c"
std::string listed(std::span<const std::string_view> words, const std::string& last_joint);

// A key and its value. Every function throws InputError naming the place, the key and what is possible.
class Field {
 public:
  Field(const std::string& file, const YamlEntry& entry) : file_(&file), entry_(&entry) {}

  const std::string& key() const { return entry_->key; }
  const YamlNode& value() const { return entry_->value; }

  // Of a key that takes a word; `expected` is the remedy when it is none.
  const std::string& text(const std::string& expected) const;
  // What the word stands for.
  template <typename T, std::size_t count>
  const T& choice(const Word<T> (&words)[count]) const {
    std::string_view known[count];
    for (std::size_t i = 0; i < count; ++i) known[i] = words[i].word;
    return words[find_word(known)].value;
  }
  std::int64_t whole_number(std::int64_t least, std::int64_t most) const;
  std::uint64_t size(std::uint64_t most) const;
  std::chrono::milliseconds duration(std::chrono::milliseconds least, std::chrono::milliseconds most) const;
  // Of a key that takes a list that is not empty.
  std::span<const YamlNode> list(const std::string& expected) const;

  // "KEY VALUE PROBLEM" at the value.
  [[noreturn]] void refuse(const std::string& problem, const std::string& expected) const;
  // `what` alone.
  [[noreturn]] void refuse_whole(const std::string& what, const std::string& expected) const;

 private:
  std::size_t find_word(std::span<const std::string_view> words) const;
  [[noreturn]] void refuse_kind(const std::string& expected) const;

  const std::string* file_;
  const YamlEntry* entry_;
};

// A mapping of which every key is one of `keys`. The node and the names have to outlive it.
class Mapping {
 public:
  // `title` is what messages call it: "partition", "a stage". Throws InputError when the node is no mapping,
  // is empty, or has another key.
  Mapping(const std::string& file, const std::string& title, const YamlNode& node,
          std::span<const std::string_view> keys);

  std::optional<Field> find(std::string_view key) const;
  // Throws InputError when it is missing.
  Field need(std::string_view key) const;

 private:
  void check(const YamlEntry& entry) const;
  std::string the_keys() const;

  const std::string& file_;
  std::string title_;
  const YamlNode& node_;
  std::span<const std::string_view> keys_;
};

}  // namespace layerpipe::runtime
