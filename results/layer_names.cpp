#include "results/layer_names.h"

#include <algorithm>

namespace layerpipe::results {
namespace {

constexpr std::size_t kLongestName = 40;  // bytes
constexpr std::ptrdiff_t kMostBlanks = 3;
constexpr std::string_view kBlanks = " \t\r\n";
constexpr std::string_view kAnd = "and ";

std::string_view trimmed(std::string_view text) {
  const std::size_t start = text.find_first_not_of(kBlanks);
  if (start == std::string_view::npos) return {};
  return text.substr(start, text.find_last_not_of(kBlanks) + 1 - start);
}

bool is_name(std::string_view text) {
  const auto is_blank = [](char c) { return c == ' ' || c == '\t'; };
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  return !text.empty() && text.size() <= kLongestName &&
         std::count_if(text.begin(), text.end(), is_blank) <= kMostBlanks &&
         text.find_first_of(".:!?\"()[]{}<>/\\|") == std::string_view::npos &&
         std::none_of(text.begin(), text.end(), is_control);
}

// The entries of a list; nothing when `prompt` is none.
std::vector<std::string_view> entries_of(std::string_view prompt) {
  prompt = trimmed(prompt);
  if (prompt.ends_with('.')) prompt.remove_suffix(1);
  std::vector<std::string_view> entries;
  for (std::size_t start = 0; start <= prompt.size();) {
    const std::size_t end = std::min(prompt.find_first_of(",;\n", start), prompt.size());
    const std::string_view entry = trimmed(prompt.substr(start, end - start));
    if (!entry.empty()) entries.push_back(entry);
    start = end + 1;
  }
  if (entries.empty()) return {};
  std::string_view last = entries.back();
  if (last.starts_with(kAnd) && entries.size() > 1) {  // "sky, hills, and a house"
    entries.back() = trimmed(last.substr(kAnd.size()));
  } else if (const std::size_t at = last.rfind(" and "); at != std::string_view::npos) {
    entries.back() = trimmed(last.substr(0, at));
    entries.push_back(trimmed(last.substr(at + 1 + kAnd.size())));
  }
  const bool is_list = entries.size() > 1 && std::all_of(entries.begin(), entries.end(), is_name);
  return is_list ? entries : std::vector<std::string_view>{};
}

}  // namespace

std::vector<std::string> layer_names(std::string_view prompt, std::size_t count) {
  const std::vector<std::string_view> entries = entries_of(prompt);
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
