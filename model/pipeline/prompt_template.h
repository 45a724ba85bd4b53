// From a prompt to what the text encoder reads, and from its result to what the transformer reads.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/tokenizer/tokenizer.h"

namespace layerpipe::model {

// The most tokens of a prompt that the transformer reads.
inline constexpr std::int64_t kLongestPrompt = 512;

// The end of a prompt that is not read.
struct CutPrompt {
  std::int64_t tokens = 0;       // of the prompt
  std::int64_t read_tokens = 0;  // its first ones, which are read
  std::string dropped;           // the text of the others; U+FFFD where the cut goes through a character
};

// The instruction around the user's words that a pipeline's models were trained with.
struct PromptTemplate {
  std::string_view before;
  std::string_view after;
  std::int64_t dropped_tokens = 0;          // of the encoder's tokens, the first ones: those of `before`
  std::optional<std::int64_t> most_tokens;  // the reference cuts the ids here, dropped ones included

  // The prompt inside the template, tokenised.
  std::vector<std::int64_t> token_ids(const Tokenizer& tokenizer, std::string_view prompt) const;
  // The same, without the tokens behind the last one that is kept: attention is causal, so they have no
  // effect. There are at most dropped_tokens + kLongestPrompt.
  std::vector<std::int64_t> encoder_token_ids(const Tokenizer& tokenizer, std::string_view prompt) const;

  // What encoder_token_ids() leaves out of the prompt itself; nothing when that is all there, even when the
  // template behind it is cut.
  std::optional<CutPrompt> cut(const Tokenizer& tokenizer, std::string_view prompt) const;

  // How many rows prompt_rows() gives for so many of the encoder's tokens.
  std::int64_t prompt_length(std::size_t encoder_tokens) const;
  // The prompt's rows of the encoder's last hidden states [encoder tokens, hidden_size]: all but the dropped
  // ones; a view.
  at::Tensor prompt_rows(const at::Tensor& hidden_states) const;
};

// The one that Layered and text to image share, in the real vocabulary.
PromptTemplate describe_image_template();

}  // namespace layerpipe::model
