#include "runtime/phases/exchange_executor.h"

#include <utility>

namespace layerpipe::runtime {
namespace {

int rank_of(const RunContext& run, std::int64_t stage) {
  return run.plan.stages[static_cast<std::size_t>(stage)].rank;
}

void send(RunContext& run, const ExchangeInstruction& instruction, comm::Boundary boundary) {
  boundary.header.request = instruction.number;
  run.exchange.send(rank_of(run, instruction.peer), std::move(boundary));
}

comm::Boundary receive(RunContext& run, const ExchangeInstruction& instruction) {
  return run.exchange.receive(rank_of(run, instruction.peer), instruction.number);
}

// The instruction as messages number it.
ExchangeInstruction shifted(ExchangeInstruction instruction, std::int64_t by) {
  instruction.number += by;
  return instruction;
}

}  // namespace

void execute(RunContext& run, std::span<const ExchangeInstruction> list, const ExchangeWork& work) {
  comm::Boundary at_hand;  // received and not computed, or computed and not sent
  for (const ExchangeInstruction& instruction : list) {
    const std::int64_t number = instruction.number;
    switch (instruction.operation) {
      case ExchangeOperation::kBegin:
        // Prompts are counted anew in every window: they belong to no request alone.
        run.now_doing(instruction.item == ExchangeItem::kPrompt
                          ? doing(instruction)
                          : doing(shifted(instruction, run.first_request)));
        run.progress.check_stop();
        if (work.begin) work.begin(number);
        break;
      case ExchangeOperation::kDeal:
        send(run, instruction, work.deal(number, instruction.peer));
        break;
      case ExchangeOperation::kReceive:
        at_hand = receive(run, instruction);
        break;
      case ExchangeOperation::kCompute:
        at_hand = work.compute(number, at_hand);
        break;
      case ExchangeOperation::kSend:
        send(run, instruction, std::exchange(at_hand, {}));
        break;
      case ExchangeOperation::kCollect:
        work.collect(number, instruction.peer, receive(run, instruction));
        break;
      case ExchangeOperation::kFinish:
        work.finish(number);
        break;
    }
  }
}

}  // namespace layerpipe::runtime
