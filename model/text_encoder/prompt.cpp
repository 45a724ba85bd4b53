#include "model/text_encoder/prompt.h"

#include <algorithm>
#include <string>

namespace layerpipe::model {
namespace {

// The instruction that both models were trained with, around the user's words.
constexpr std::string_view kBeforePrompt =
    "<|im_start|>system\nDescribe the image by detailing the color, shape, size, texture, quantity, text, "
    "spatial relationships of "
    "the objects and background:<|im_end|>\n<|im_start|>user\n";
constexpr std::string_view kAfterPrompt = "<|im_end|>\n<|im_start|>assistant\n";

constexpr std::int64_t kTextToImageTokenLimit = 1024 + kDroppedTokens;

}  // namespace

std::vector<std::int64_t> prompt_token_ids(const Tokenizer& tokenizer, PipelineClass pipeline,
                                           std::string_view prompt) {
  // Tokenised as one text: a prompt that begins with a newline merges with the template's.
  std::string text(kBeforePrompt);
  text.append(prompt).append(kAfterPrompt);
  std::vector<std::int64_t> ids = tokenizer.encode(text);
  if (pipeline == PipelineClass::kTextToImage &&
      static_cast<std::int64_t>(ids.size()) > kTextToImageTokenLimit) {
    ids.resize(kTextToImageTokenLimit);
  }
  return ids;
}

std::vector<std::int64_t> encoder_token_ids(const Tokenizer& tokenizer, PipelineClass pipeline,
                                            std::string_view prompt) {
  std::vector<std::int64_t> ids = prompt_token_ids(tokenizer, pipeline, prompt);
  const auto needed = static_cast<std::size_t>(kDroppedTokens + kLongestPrompt);
  if (ids.size() > needed) ids.resize(needed);
  return ids;
}

std::int64_t prompt_length(std::size_t encoder_tokens) {
  return static_cast<std::int64_t>(encoder_tokens) - kDroppedTokens;
}

at::Tensor prompt_rows(const at::Tensor& hidden_states) {
  return hidden_states.narrow(0, kDroppedTokens, hidden_states.size(0) - kDroppedTokens);
}

at::Tensor encode_prompt(const Tokenizer& tokenizer, const TextEncoder& encoder, PipelineClass pipeline,
                         std::string_view prompt) {
  return prompt_rows(encoder.forward(encoder_token_ids(tokenizer, pipeline, prompt)));
}

}  // namespace layerpipe::model
