// The encode phase on one rank: prompts through its text layers, pictures through its share of VAE strips.
#pragma once

#include "runtime/phases/run_context.h"
#include "runtime/request/prompt_list.h"

namespace layerpipe::runtime {

// Sets prompt_embeds, negative_prompt_embeds and image_latents of all states on rank 0. Equal prompts are
// encoded once, and so are neighbouring requests' pictures when they are one tensor. A request whose
// embeddings or latents are not finite fails alone.
void encode_prompts(RunContext& run, const PromptList& prompts);
void encode_pictures(RunContext& run);

}  // namespace layerpipe::runtime
