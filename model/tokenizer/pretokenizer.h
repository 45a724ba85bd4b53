// What happens to a text before byte-pair encoding: canonical composition and the cut into pieces that no
// token crosses.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

struct pcre2_real_code_8;

namespace layerpipe::model {

// The pattern of Qwen2, as tokenizer.json writes it. Pretokenizer cuts as Hugging Face does with this
// pattern.
inline constexpr std::string_view kQwen2Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

// NFC of a UTF-8 text, with the Unicode data of the reference: marks that it does not know keep their place.
std::string normalize_nfc(std::string_view text);

// Immutable after construction; any number of threads may call split at once.
class Pretokenizer {
 public:
  Pretokenizer();
  // Calls `piece` with each piece of the UTF-8 `text` in turn; together they are the text. Throws
  // InternalError when PCRE2 fails, with its own message.
  void split(std::string_view text, const std::function<void(std::string_view)>& piece) const;

 private:
  struct CodeDeleter {
    void operator()(pcre2_real_code_8* code) const noexcept;
  };
  std::unique_ptr<pcre2_real_code_8, CodeDeleter> code_;
};

}  // namespace layerpipe::model
