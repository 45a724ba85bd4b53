// The encode phase on one rank: prompts through its text layers, pictures through its share of VAE strips.
#pragma once

#include <array>
#include <vector>

#include "runtime/run_context.h"

namespace layerpipe::runtime {

// The token ids of every distinct prompt of a run, and which of them the requests have. Every rank makes it
// itself, so that all know the lengths of all embeddings.
struct PromptList {
  std::vector<std::vector<std::int64_t>> token_ids;  // of each distinct prompt, as the encoder takes it
  std::vector<std::array<std::size_t, 2>> prompts;   // of each request: prompt, negative prompt
  std::vector<std::array<std::int64_t, 2>> prompt_lengths;  // of each request, in embeddings
};
PromptList list_prompts(std::span<const Request> requests, const ModelFolder& model);

// Sets prompt_embeds, negative_prompt_embeds and image_latents of all states on rank 0. Equal prompts are
// encoded once, and so are neighbouring requests' pictures when they are one tensor. A request whose
// embeddings or latents are not finite fails alone.
void encode_prompts(RunContext& run, const PromptList& prompts);
void encode_pictures(RunContext& run);

}  // namespace layerpipe::runtime
