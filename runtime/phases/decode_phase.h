// The decode phase on one rank: its share of every request's strips; on rank 0 they come together.
#pragma once

#include <functional>

#include "runtime/phases/run_context.h"

namespace layerpipe::runtime {

// Decodes the layers of all requests that have not failed, in their order; `before_each` may fail them. On
// rank 0 `decoded` is called for every request, failed ones too, when its layers are there.
void decode_layers(RunContext& run, const std::function<void()>& before_each,
                   const std::function<void(std::size_t request)>& decoded);

}  // namespace layerpipe::runtime
