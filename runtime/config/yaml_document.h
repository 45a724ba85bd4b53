// A YAML text as a tree with places: of YAML as much as a config file needs, and nothing that can surprise.
// Internal to runtime/config; yaml-cpp stays in the source file.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace layerpipe::runtime {

// Counted from 1; columns in characters.
struct YamlPlace {
  std::size_t line = 1;
  std::size_t column = 1;
};

struct YamlEntry;

struct YamlNode {
  enum class Kind { kNothing, kText, kList, kMapping };
  Kind kind = Kind::kNothing;
  YamlPlace place;
  std::string text;                // of kText, quoted or not
  std::vector<YamlNode> items;     // of kList
  std::vector<YamlEntry> entries;  // of kMapping; no key is there twice
};

struct YamlEntry {
  std::string key;
  YamlPlace place;  // of the key
  YamlNode value;
};

// A text of 1 MiB can make yaml-cpp take 250 MiB.
inline constexpr std::size_t kLargestYamlBytes = 256 << 10;
inline constexpr std::size_t kDeepestYaml = 8;

// `name` is what messages call the text. Throws InputError when the text
// - is larger than kLargestYamlBytes, is not UTF-8, or has control characters or, outside comments, tabs,
// - is not YAML, is nested deeper than kDeepestYaml, or is more than one document,
// - has anchors, aliases, merge keys or tags, a key twice in one mapping, or a key that is no text.
// A text without anything but comments gives kNothing. Line breaks may be those of Windows.
YamlNode parse_yaml(std::string_view text, const std::string& name);

// Throws InputError "NAME:LINE:COLUMN: what".
[[noreturn]] void refuse_at(const std::string& name, YamlPlace place, const std::string& what,
                            const std::string& remedy);

// A text as a message shows it: on one line, cut after some 60 bytes, in quotes unless it is a word. What a
// file holds can be long, and can hold characters that a terminal takes for commands.
std::string shown(std::string_view text);

}  // namespace layerpipe::runtime
