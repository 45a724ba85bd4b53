// The distinct prompts of a run.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "model/config.h"
#include "model/tokenizer/tokenizer.h"
#include "runtime/request/request.h"

namespace layerpipe::runtime {

// The token ids of every distinct prompt of a run, and which of them the requests have. Every rank makes it
// itself, so that all know the lengths of all embeddings.
struct PromptList {
  std::vector<std::vector<std::int64_t>> token_ids;  // of each distinct prompt, as the encoder takes it
  std::vector<std::array<std::size_t, 2>> prompts;   // of each request: prompt, negative prompt
  std::vector<std::array<std::int64_t, 2>> prompt_lengths;  // of each request, in embeddings
};
PromptList list_prompts(std::span<const Request> requests, const model::Tokenizer& tokenizer,
                        model::PipelineClass pipeline);

}  // namespace layerpipe::runtime
