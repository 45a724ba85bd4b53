// From a prompt to what the transformer reads.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string_view>

#include "model/config.h"
#include "model/text_encoder/text_encoder.h"
#include "model/tokenizer/tokenizer.h"

namespace layerpipe::model {

// The most tokens of a prompt that the transformer reads.
inline constexpr std::int64_t kLongestPrompt = 512;
// The encoder's tokens in front of those: the template's instruction, in the real vocabulary.
inline constexpr std::int64_t kDroppedTokens = 34;

// The prompt inside the pipeline's template, tokenised; text-to-image cuts the ids as the reference does.
std::vector<std::int64_t> prompt_token_ids(const Tokenizer& tokenizer, PipelineClass pipeline,
                                           std::string_view prompt);

// The same, without the tokens behind the last one that is kept: attention is causal, so they have no effect.
std::vector<std::int64_t> encoder_token_ids(const Tokenizer& tokenizer, PipelineClass pipeline,
                                            std::string_view prompt);

// How many rows prompt_rows() gives for so many of the encoder's tokens.
std::int64_t prompt_length(std::size_t encoder_tokens);

// The prompt's rows of the encoder's last hidden states [encoder tokens, hidden_size]: the template's first
// 34 are dropped.
at::Tensor prompt_rows(const at::Tensor& hidden_states);

// The prompt's embeddings [tokens, hidden_size], at most kLongestPrompt of them.
at::Tensor encode_prompt(const Tokenizer& tokenizer, const TextEncoder& encoder, PipelineClass pipeline,
                         std::string_view prompt);

}  // namespace layerpipe::model
