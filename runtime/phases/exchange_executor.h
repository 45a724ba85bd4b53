// Executes a stage's list of what goes on outside of the ring: prompts, pictures, layers.
#pragma once

#include <functional>
#include <span>

#include "comm/boundary.h"
#include "runtime/phases/run_context.h"
#include "runtime/schedule/exchange_schedule.h"

namespace layerpipe::runtime {

// What a stage does at each operation of its list; those that its list does not have may be empty. Boundaries
// are in host memory. One whose action is kSkip goes the same way as the others, but is not computed:
// compute() and collect() see it, and compute() passes it on. Numbers in headers are set by the executor.
struct ExchangeWork {
  // May be empty in any case: the stage is about to work on this number.
  std::function<void(std::int64_t number)> begin{};
  // First stage: what that stage gets.
  std::function<comm::Boundary(std::int64_t number, std::int64_t stage)> deal{};
  // What is sent. `received` holds no tensors where the stage receives nothing.
  std::function<comm::Boundary(std::int64_t number, const comm::Boundary& received)> compute{};
  // First stage: what that stage computed.
  std::function<void(std::int64_t number, std::int64_t stage, const comm::Boundary& result)> collect{};
  // First stage: all of this number is collected.
  std::function<void(std::int64_t number)> finish{};
};

// Runs the list to its end; what was sent may still be under way. Throws what `work` and the exchange throw,
// and InterruptedError when the user wants to stop.
void execute(RunContext& run, std::span<const ExchangeInstruction> list, const ExchangeWork& work);

}  // namespace layerpipe::runtime
