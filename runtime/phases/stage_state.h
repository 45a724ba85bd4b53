// What one rank keeps from window to window: its networks and its ways to the other ranks.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "partition/plan.h"
#include "runtime/networks/network_set.h"
#include "runtime/phases/host_exchange.h"
#include "runtime/schedule/stage_executor.h"

namespace layerpipe::runtime {

// What the last window encoded and the next one may ask for again: a negative prompt, several results of one
// picture. The keys are the same on all ranks; the first stage's rank alone has the values.
struct KnownInputs {
  std::map<std::vector<std::int64_t>, at::Tensor> embeddings;  // by the encoder's token ids
  at::Tensor picture;                                          // of the last request; told apart by identity
  at::Tensor image_latents;                                    // its latents
};

// Made for a plan, and used for as long as plans have its layout (partition::same_layout); the links, for as
// long as they have as many requests in flight, too. After a failure it goes: boundaries of the broken window
// may still be under way.
struct StageState {
  partition::Plan plan;       // of the last window
  partition::StagePlan part;  // this rank's
  NetworkSet networks;
  HostExchange exchange;
  std::optional<StageLinks> links;  // from the first denoising on
  KnownInputs known;
};

}  // namespace layerpipe::runtime
