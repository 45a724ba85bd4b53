#include "model/pipeline/prompt_template.h"

#include <algorithm>
#include <span>
#include <string>

namespace layerpipe::model {

std::vector<std::int64_t> PromptTemplate::token_ids(const Tokenizer& tokenizer,
                                                    std::string_view prompt) const {
  // Tokenised as one text: a prompt that begins with a newline merges with the template's.
  std::string text(before);
  text.append(prompt).append(after);
  std::vector<std::int64_t> ids = tokenizer.encode(text);
  if (most_tokens && static_cast<std::int64_t>(ids.size()) > *most_tokens)
    ids.resize(static_cast<std::size_t>(*most_tokens));
  return ids;
}

std::vector<std::int64_t> PromptTemplate::encoder_token_ids(const Tokenizer& tokenizer,
                                                            std::string_view prompt) const {
  std::vector<std::int64_t> ids = token_ids(tokenizer, prompt);
  const auto needed = static_cast<std::size_t>(dropped_tokens + kLongestPrompt);
  if (ids.size() > needed) ids.resize(needed);
  return ids;
}

std::optional<CutPrompt> PromptTemplate::cut(const Tokenizer& tokenizer, std::string_view prompt) const {
  const std::vector<std::int64_t> kept = encoder_token_ids(tokenizer, prompt);
  std::string text(before);
  text.append(prompt).append(after);
  const std::vector<std::int64_t> ids = tokenizer.encode(text);
  const std::size_t begin = tokenizer.encode(before).size();
  const std::size_t end = ids.size() - std::min(ids.size(), tokenizer.encode(after).size());
  if (kept.size() >= end || begin >= end) return std::nullopt;
  const std::size_t first = std::max(kept.size(), begin);
  return CutPrompt{
      .tokens = static_cast<std::int64_t>(end - begin),
      .read_tokens = static_cast<std::int64_t>(first - begin),
      .dropped = tokenizer.decode(std::span(ids).subspan(first, end - first), SpecialTokens::kKeep)};
}

std::int64_t PromptTemplate::prompt_length(std::size_t encoder_tokens) const {
  return static_cast<std::int64_t>(encoder_tokens) - dropped_tokens;
}

at::Tensor PromptTemplate::prompt_rows(const at::Tensor& hidden_states) const {
  return hidden_states.narrow(0, dropped_tokens, hidden_states.size(0) - dropped_tokens);
}

PromptTemplate describe_image_template() {
  return {.before =
              "<|im_start|>system\nDescribe the image by detailing the color, shape, size, texture, "
              "quantity, text, spatial relationships of the objects and background:<|im_end|>\n"
              "<|im_start|>user\n",
          .after = "<|im_end|>\n<|im_start|>assistant\n",
          .dropped_tokens = 34,
          .most_tokens = {}};
}

}  // namespace layerpipe::model
