#include "model/tokenizer/pretokenizer.h"

#include <pcre2.h>
#include <utf8proc.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>

#include "common/errors.h"
#include "common/utf8.h"
#include "model/tokenizer/unicode_tables.h"

namespace layerpipe::model {
namespace {

struct MatchDataDeleter {
  void operator()(pcre2_match_data* data) const noexcept { pcre2_match_data_free(data); }
};
struct MatchContextDeleter {
  void operator()(pcre2_match_context* context) const noexcept { pcre2_match_context_free(context); }
};
struct Free {
  void operator()(utf8proc_uint8_t* text) const noexcept { std::free(text); }
};

[[noreturn]] void throw_pcre2_error(const char* operation, int code) {
  unsigned char message[256] = {};
  pcre2_get_error_message(code, message, sizeof message);
  throw common::InternalError(std::string(operation) + ": " + reinterpret_cast<const char*>(message));
}

// White space in the reference. PCRE2's own \s has U+180E besides.
constexpr std::string_view kSpaces =
    R"(\x{9}-\x{D}\x{20}\x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000})";

std::string class_members(std::string_view property, std::span<const CodePointRange> newer) {
  std::string members(property);
  for (const auto& [first, last] : newer) {
    char text[40];
    std::snprintf(text, sizeof text, "\\x{%X}-\\x{%X}", first, last);
    members += text;
  }
  return members;
}

// kQwen2Pattern for PCRE2: the same alternatives in the same order, with the reference's letters, numbers and
// spaces, and with the long s that its case-insensitive 's accepts spelt out.
std::string qwen2_pattern_for_pcre2() {
  const std::string letters = class_members(R"(\p{L})", kNewerLetters);
  const std::string numbers = class_members(R"(\p{N})", kNewerNumbers);
  const std::string spaces(kSpaces);
  return R"('(?:[sS\x{17F}]|[tT]|[rR][eE]|[vV][eE]|[mM]|[lL][lL]|[dD]))"
         R"(|[^\r\n)" +
         letters + numbers + "]?[" + letters + "]+" + "|[" + numbers + "]" + "| ?[^" + spaces + letters +
         numbers + R"(]+[\r\n]*)" + "|[" + spaces + R"(]*[\r\n]+)" + "|[" + spaces + "]+(?![^" + spaces +
         "])" + "|[" + spaces + "]+";
}

// A code point that, to the reference, neither moves nor composes, and that nothing moves or composes across,
// although utf8proc would do otherwise.
bool stands_alone(std::uint32_t code_point) {
  // No trailing consonant: those begin one later. utf8proc 2.8 takes it for an empty one and drops it behind
  // a syllable.
  constexpr std::uint32_t kBeforeTrailingConsonants = 0x11A7;
  if (code_point == kBeforeTrailingConsonants) return true;
  const auto* after =
      std::upper_bound(std::begin(kNewerMarks), std::end(kNewerMarks), code_point,
                       [](std::uint32_t value, const CodePointRange& range) { return value < range.first; });
  return after != std::begin(kNewerMarks) && code_point <= std::prev(after)->last;
}

void append_nfc(std::string& result, std::string_view text) {
  if (text.empty()) return;  // utf8proc_map may not be given a null pointer
  utf8proc_uint8_t* mapped = nullptr;
  const utf8proc_ssize_t length = utf8proc_map(
      reinterpret_cast<const utf8proc_uint8_t*>(text.data()), static_cast<utf8proc_ssize_t>(text.size()),
      &mapped, static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  const std::unique_ptr<utf8proc_uint8_t, Free> owner(mapped);
  if (length < 0) throw common::InternalError(std::string("utf8proc: ") + utf8proc_errmsg(length));
  result.append(reinterpret_cast<const char*>(mapped), static_cast<std::size_t>(length));
}

}  // namespace

std::string normalize_nfc(std::string_view text) {
  const auto is_ascii = [](char byte) { return static_cast<unsigned char>(byte) < 0x80; };
  if (std::all_of(text.begin(), text.end(), is_ascii)) return std::string(text);
  // Each stretch between code points that stand alone is normalised by itself.
  std::string result;
  result.reserve(text.size());
  std::size_t begin = 0;
  for (std::size_t place = 0; place < text.size();) {
    const common::Utf8Step step = common::utf8_step(text, place);
    if (step.code_point && stands_alone(*step.code_point)) {
      append_nfc(result, text.substr(begin, place - begin));
      result += text.substr(place, step.length);
      begin = place + step.length;
    }
    place += step.length;
  }
  append_nfc(result, text.substr(begin));
  return result;
}

void Pretokenizer::CodeDeleter::operator()(pcre2_real_code_8* code) const noexcept {
  pcre2_code_free(code);
}

Pretokenizer::Pretokenizer() {
  const std::string pattern = qwen2_pattern_for_pcre2();
  int error = 0;
  PCRE2_SIZE place = 0;
  code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                            PCRE2_UTF | PCRE2_UCP, &error, &place, nullptr));
  if (!code_) throw_pcre2_error("compiling the tokenizer's pattern", error);
  pcre2_jit_compile(code_.get(), PCRE2_JIT_COMPLETE);  // where there is no JIT, pcre2_match interprets
}

void Pretokenizer::split(std::string_view text, const std::function<void(std::string_view)>& piece) const {
  const std::unique_ptr<pcre2_match_data, MatchDataDeleter> data(pcre2_match_data_create(1, nullptr));
  const std::unique_ptr<pcre2_match_context, MatchContextDeleter> context(
      pcre2_match_context_create(nullptr));
  common::ensure(data && context, "PCRE2 could not allocate a match");
  // The limit guards against patterns that take exponential time; ours is linear, and a long run of spaces is
  // no error.
  pcre2_set_match_limit(context.get(), UINT32_MAX);
  const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  for (std::size_t place = 0; place < text.size();) {
    // The caller gives UTF-8; checking it again at every match would take quadratic time.
    const int count = pcre2_match(code_.get(), subject, text.size(), place,
                                  PCRE2_NO_UTF_CHECK | PCRE2_ANCHORED, data.get(), context.get());
    if (count < 0) throw_pcre2_error("splitting a text for the tokenizer", count);
    const std::size_t end = pcre2_get_ovector_pointer(data.get())[1];
    common::ensure(end > place, "the tokenizer's pattern matched nothing");
    piece(text.substr(place, end - place));
    place = end;
  }
}

}  // namespace layerpipe::model
