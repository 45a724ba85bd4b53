#include "media/safe_name.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "common/errors.h"
#include "common/utf8.h"

namespace layerpipe::media {
namespace {

constexpr std::uint32_t kReplacement = 0xfffd;
constexpr std::uint32_t kInvalid = 0xffffffff;  // in place of a code point: no UTF-8
constexpr std::string_view kReplacementUtf8 = "\xef\xbf\xbd";

// What follows the last dot is taken for an extension up to this length, with the dot.
constexpr std::size_t kMaxExtensionBytes = 16;

bool is_line_break_or_tab(std::uint32_t c) {
  return c == '\t' || c == '\n' || c == '\r' || c == 0x85 || c == 0x2028 || c == 0x2029;
}

bool is_control(std::uint32_t c) {
  return c < 0x20 || (c >= 0x7f && c < 0xa0);
}

bool is_noncharacter(std::uint32_t c) {
  return (c & 0xfffe) == 0xfffe || (c >= 0xfdd0 && c <= 0xfdef);
}

// Marks with which "gpj.exe" is shown as "exe.jpg".
bool turns_writing(std::uint32_t c) {
  return (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0x200e || c == 0x200f;
}

// `text` with what `replace(code point)`, or replace(kInvalid), puts in its place; an empty view keeps it.
template <typename Replace>
std::string replaced(std::string_view text, std::size_t max_bytes, const Replace& replace) {
  std::string result;
  while (!text.empty()) {
    const common::Utf8Step step = common::utf8_step(text, 0);
    std::string_view put = replace(step.code_point.value_or(kInvalid));
    if (put.empty()) put = text.substr(0, step.length);
    if (result.size() + put.size() > max_bytes) break;
    result += put;
    text.remove_prefix(step.length);
  }
  return result;
}

std::string_view safe_in_text(std::uint32_t c) {
  if (is_line_break_or_tab(c)) return " ";
  return c == kInvalid || is_control(c) || is_noncharacter(c) ? kReplacementUtf8 : "";
}

std::string_view safe_in_file_name(std::uint32_t c) {
  if (is_line_break_or_tab(c)) return " ";
  const bool is_special =
      c > 0 && c < 0x80 &&
      std::string_view("/\\:*?\"<>|").find(static_cast<char>(c)) != std::string_view::npos;
  return is_special || c == kInvalid || c == kReplacement || is_control(c) || is_noncharacter(c) ||
                 turns_writing(c)
             ? "_"
             : "";
}

std::string trimmed(const std::string& text) {
  const std::size_t first = text.find_first_not_of(" .");
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(" .") + 1 - first);
}

// CON, PRN, AUX, NUL, CONIN$, CONOUT$, COM0 … COM9, LPT0 … LPT9, also with an extension; Windows takes the
// superscript digits for digits there.
bool is_device_name(std::string_view name) {
  std::string stem(name.substr(0, name.find('.')));
  while (stem.ends_with(' ')) stem.pop_back();
  std::transform(stem.begin(), stem.end(), stem.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  constexpr std::array<std::string_view, 6> kNames = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"};
  if (std::find(kNames.begin(), kNames.end(), stem) != kNames.end()) return true;
  if (!stem.starts_with("COM") && !stem.starts_with("LPT")) return false;
  const std::string_view number = std::string_view(stem).substr(3);
  return (number.size() == 1 && number[0] >= '0' && number[0] <= '9') || number == "\xc2\xb9" ||
         number == "\xc2\xb2" || number == "\xc2\xb3";
}

struct NameParts {
  std::string_view stem;
  std::string_view extension;  // with its dot, or empty
};

NameParts split_extension(std::string_view name) {
  const std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos || dot == 0 || name.size() - dot > kMaxExtensionBytes) return {name, {}};
  return {name.substr(0, dot), name.substr(dot)};
}

std::string cut(std::string_view text, std::size_t max_bytes) {
  return replaced(text, max_bytes, [](std::uint32_t) { return std::string_view(); });
}

// What is the same for a file system that tells neither capitals nor the forms of accents apart.
std::string folded(const std::string& name) {
  utf8proc_uint8_t* result = nullptr;
  const utf8proc_ssize_t size = utf8proc_map(
      reinterpret_cast<const utf8proc_uint8_t*>(name.data()), static_cast<utf8proc_ssize_t>(name.size()),
      &result, static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_CASEFOLD));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(result, &std::free);
  common::ensure(size >= 0, "a name to be kept apart is no valid UTF-8");
  return {reinterpret_cast<const char*>(result), static_cast<std::size_t>(size)};
}

}  // namespace

std::string safe_text(std::string_view text, std::size_t max_bytes) {
  return replaced(text, max_bytes, safe_in_text);
}

std::string safe_file_name(std::string_view text, std::size_t max_bytes) {
  // What is no UTF-8 becomes one byte here, so nothing grows, and what is cut is cut below.
  std::string name = trimmed(replaced(text, text.size(), safe_in_file_name));
  if (is_device_name(name)) name.insert(name.begin(), '_');
  if (name.size() > max_bytes) {
    const auto [stem, extension] = split_extension(name);
    common::ensure(max_bytes > kMaxExtensionBytes, "too few bytes for the name of a file");
    name = trimmed(cut(stem, max_bytes - extension.size())) + std::string(extension);
  }
  return name.empty() ? "unnamed" : name;
}

bool is_safe_entry_name(std::string_view path) {
  if (path.empty() || path.size() > 0xffff || path.find('\\') != std::string_view::npos) return false;
  for (std::size_t place = 0; place < path.size();) {
    const common::Utf8Step step = common::utf8_step(path, place);
    if (!step.code_point || is_control(*step.code_point)) return false;
    place += step.length;
  }
  for (std::size_t start = 0; start <= path.size();) {
    const std::size_t end = std::min(path.find('/', start), path.size());
    const std::string_view part = path.substr(start, end - start);
    if (part.empty() || part == "." || part == "..") return false;
    start = end + 1;
  }
  return true;
}

std::string UniqueNames::add(const std::string& name, std::size_t max_bytes) {
  const auto [stem, extension] = split_extension(name);
  std::string candidate = name;
  for (std::size_t number = 2; !taken_.insert(folded(candidate)).second; ++number) {
    std::string end(1, '-');
    end.append(std::to_string(number)).append(extension);
    candidate = cut(stem, max_bytes - std::min(end.size(), max_bytes)) + end;
  }
  return candidate;
}

}  // namespace layerpipe::media
