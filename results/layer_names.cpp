#include "results/layer_names.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <utility>

#include "common/utf8.h"
#include "common/visible.h"

namespace layerpipe::results {
namespace {

constexpr std::size_t kLongestName = 40;  // bytes
constexpr std::ptrdiff_t kMostBlanks = 3;
constexpr std::size_t kMostIdeographs = 8;
constexpr std::string_view kAnd = "and ";

// Code points that matter, each as UTF-8.
constexpr std::array<std::string_view, 5> kBlanks{" ", "\t", "\r", "\n", "　"};
constexpr std::array<std::string_view, 7> kSeparators{",", ";", "\n", "，", "、", "；", "､"};
constexpr std::array<std::string_view, 2> kStops{".", "。"};
constexpr std::array<std::string_view, 32> kPunctuation{
    ".",  ":",  "!",  "?",  "\"", "(",  ")",  "[",  "]",  "{",  "}",  "<",  ">", "/", "\\", "|",
    "。", "：", "！", "？", "（", "）", "「", "」", "『", "』", "《", "》", "“", "”", "【", "】"};
// "And" in Chinese, and words that begin or end with one: a kimono, a monk, a dove of peace; mild, soft,
// warm.
constexpr std::array<std::string_view, 2> kChineseAnds{"以及", "和"};
constexpr std::array<std::string_view, 5> kWordsBeginning{"和服", "和尚", "和谐", "和睦", "和平鸽"};
constexpr std::array<std::string_view, 6> kWordsEnding{"温和", "柔和", "暖和", "共和", "平和", "饱和"};

template <std::size_t count>
bool is_among(std::string_view text, const std::array<std::string_view, count>& texts) {
  return std::find(texts.begin(), texts.end(), text) != texts.end();
}

// The bytes of the code point at `place`.
std::string_view code_point_at(std::string_view text, std::size_t place) {
  return text.substr(place, common::utf8_step(text, place).length);
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_among(code_point_at(text, 0), kBlanks))
    text.remove_prefix(code_point_at(text, 0).size());
  for (bool goes_on = true; goes_on;) {
    goes_on = false;
    for (const std::string_view blank : kBlanks) {
      if (!text.ends_with(blank)) continue;
      text.remove_suffix(blank.size());
      goes_on = true;
    }
  }
  return text;
}

// Of Chinese and Japanese writing, which has no blanks between words.
bool is_ideograph(std::uint32_t code_point) {
  return (code_point >= 0x3400 && code_point <= 0x9FFF) || (code_point >= 0x20000 && code_point <= 0x3FFFF) ||
         (code_point >= 0x3041 && code_point <= 0x30FF);
}

bool is_name(std::string_view text) {
  if (text.empty() || text.size() > kLongestName) return false;
  std::ptrdiff_t blanks = 0;
  std::size_t ideographs = 0;
  for (std::size_t place = 0; place < text.size();) {
    const common::Utf8Step step = common::utf8_step(text, place);
    const std::string_view bytes = text.substr(place, step.length);
    if (is_among(bytes, kPunctuation) || !step.code_point) return false;
    if (common::is_hidden(*step.code_point)) return false;
    if (is_among(bytes, kBlanks)) ++blanks;
    if (is_ideograph(*step.code_point)) ++ideographs;
    place += step.length;
  }
  return blanks <= kMostBlanks && ideographs <= kMostIdeographs;
}

using Entries = std::vector<std::string_view>;

// The two sides of a Chinese "and" that is no part of a longer word.
std::optional<std::pair<std::string_view, std::string_view>> around_and(std::string_view text) {
  for (const std::string_view conjunction : kChineseAnds) {
    const std::size_t at = text.rfind(conjunction);
    if (at == std::string_view::npos) continue;
    const std::string_view before = text.substr(0, at);
    const std::string_view behind = text.substr(at + conjunction.size());
    const auto begins = [&](std::string_view word) { return text.substr(at).starts_with(word); };
    const auto ends = [&](std::string_view word) {
      return text.substr(0, at + conjunction.size()).ends_with(word);
    };
    const bool is_in_a_word = std::any_of(kWordsBeginning.begin(), kWordsBeginning.end(), begins) ||
                              std::any_of(kWordsEnding.begin(), kWordsEnding.end(), ends);
    if (!is_in_a_word && !trimmed(behind).empty()) return std::pair(trimmed(before), trimmed(behind));
  }
  return std::nullopt;
}

// Takes the "and" before the last entry apart.
void split_last(Entries& entries) {
  const std::string_view last = entries.back();
  if (last.starts_with(kAnd) && entries.size() > 1) {  // "sky, hills, and a house"
    entries.back() = trimmed(last.substr(kAnd.size()));
  } else if (const std::size_t at = last.rfind(" and "); at != std::string_view::npos) {
    entries.back() = trimmed(last.substr(0, at));
    entries.push_back(trimmed(last.substr(at + 1 + kAnd.size())));
  } else if (const auto sides = around_and(last)) {
    if (sides->first.empty() && entries.size() > 1) {  // "天空，远山，以及房子"
      entries.back() = sides->second;
    } else {
      entries.back() = sides->first;
      entries.push_back(sides->second);
    }
  }
}

// The entries of a list; nothing when `prompt` is none.
Entries entries_of(std::string_view prompt) {
  prompt = trimmed(prompt);
  for (const std::string_view stop : kStops) {
    if (!prompt.ends_with(stop)) continue;
    prompt.remove_suffix(stop.size());
    break;
  }
  Entries entries;
  std::size_t start = 0;
  const auto end_entry = [&](std::size_t end) {
    const std::string_view entry = trimmed(prompt.substr(start, end - start));
    if (!entry.empty()) entries.push_back(entry);
  };
  for (std::size_t place = 0; place < prompt.size();) {
    const std::string_view bytes = code_point_at(prompt, place);
    if (is_among(bytes, kSeparators)) {
      end_entry(place);
      start = place + bytes.size();
    }
    place += bytes.size();
  }
  end_entry(prompt.size());
  if (entries.empty()) return {};
  split_last(entries);
  const bool is_list = entries.size() > 1 && std::all_of(entries.begin(), entries.end(), is_name);
  return is_list ? entries : Entries{};
}

}  // namespace

std::vector<std::string> layer_names(std::string_view prompt, std::size_t count) {
  const Entries entries = entries_of(prompt);
  std::vector<std::string> names;
  if (!entries.empty() && (entries.size() == count || entries.size() + 1 == count)) {
    if (entries.size() < count) names.emplace_back("Background");
    names.insert(names.end(), entries.begin(), entries.end());
    return names;
  }
  for (std::size_t i = 0; i < count; ++i) names.push_back("Layer " + std::to_string(i));
  return names;
}

}  // namespace layerpipe::results
