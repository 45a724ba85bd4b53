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

// The prompt inside the pipeline's template, tokenised; text-to-image cuts the ids as the reference does.
std::vector<std::int64_t> prompt_token_ids(const Tokenizer& tokenizer, PipelineClass pipeline,
                                           std::string_view prompt);

// The prompt's embeddings [tokens, hidden_size]: the template's first 34 tokens are dropped, then at most
// kLongestPrompt are kept.
at::Tensor encode_prompt(const Tokenizer& tokenizer, const TextEncoder& encoder, PipelineClass pipeline,
                         std::string_view prompt);

}  // namespace layerpipe::model
