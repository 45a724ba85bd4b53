// The encode phase on one rank: prompts through its text layers, pictures through its share of VAE strips.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/phases/run_context.h"
#include "runtime/request/prompt_list.h"

namespace layerpipe::runtime {

// Which of the distinct prompts, and whether some of the pictures, have to be encoded: the window before may
// have left them in `run.known`. The same on all ranks.
std::vector<std::int64_t> unknown_prompts(const RunContext& run, const PromptList& prompts);
bool all_pictures_are_known(const RunContext& run);

// Sets prompt_embeds, negative_prompt_embeds and image_latents of all states on rank 0. Equal prompts are
// encoded once, and so are neighbouring requests' pictures when they are one tensor. A request whose
// embeddings or latents are not finite fails alone.
void encode_prompts(RunContext& run, const PromptList& prompts);
void encode_pictures(RunContext& run);

}  // namespace layerpipe::runtime
