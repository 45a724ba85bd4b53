// Any texts as the files of a tokenizer folder, and any text to encode. One input holds them all: a line
// "=== NAME" begins each file, and "=== text" what is encoded.
#include <optional>

#include "model/tokenizer/tokenizer.h"
#include "tests/fuzz/fuzz_target.h"

namespace model = layerpipe::model;

namespace {

constexpr std::string_view kMark = "=== ";

// Takes the lines up to the next mark off `rest`; its name and the lines behind it.
std::optional<std::pair<std::string, std::string>> next_part(std::string_view& rest) {
  if (!rest.starts_with(kMark)) return std::nullopt;
  const std::size_t line_end = std::min(rest.find('\n'), rest.size());
  std::string name(rest.substr(kMark.size(), line_end - kMark.size()));
  rest.remove_prefix(std::min(line_end + 1, rest.size()));
  std::size_t end = rest.starts_with(kMark) ? 0 : rest.find("\n=== ");
  if (end != 0) end = end == rest.npos ? rest.size() : end + 1;
  std::string content(rest.substr(0, end));
  rest.remove_prefix(end);
  return std::pair(std::move(name), std::move(content));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest = layerpipe::testing::text_of(data, size);
  model::TokenizerTexts texts{layerpipe::testing::kInputName, {}};
  while (auto part = next_part(rest)) texts.by_name.insert(std::move(*part));
  const std::string text = texts.by_name["text"];

  std::optional<model::Tokenizer> tokenizer;
  layerpipe::testing::accept_or_refuse([&] { tokenizer.emplace(model::parse_tokenizer_files(texts)); });
  if (!tokenizer) return 0;
  try {
    const auto ids = tokenizer->encode(text);
    layerpipe::common::ensure(ids.size() <= 4 * text.size(), "more ids than a text can have");
    tokenizer->decode(ids, model::SpecialTokens::kSkip);
    tokenizer->decode(ids, model::SpecialTokens::kKeep);
  } catch (const layerpipe::common::InputError&) {  // the text is not UTF-8
  }
  return 0;
}
