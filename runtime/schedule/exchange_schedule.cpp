#include "runtime/schedule/exchange_schedule.h"

#include <algorithm>

#include "common/errors.h"

namespace layerpipe::runtime {
namespace {

constexpr std::int64_t kFirstStage = 0;

// One stage's list of the prompts.
ExchangeList prompts_of_stage(const PromptWork& work, std::int64_t stage) {
  const auto count = static_cast<std::int64_t>(work.chain.size());
  const auto place = std::find(work.chain.begin(), work.chain.end(), stage) - work.chain.begin();
  ExchangeList list;
  const auto add = [&](ExchangeOperation operation, std::int64_t prompt, std::int64_t peer) {
    list.push_back({ExchangeItem::kPrompt, operation, prompt, peer});
  };
  std::int64_t collected = 0;
  for (std::int64_t prompt = 0; prompt < work.prompts; ++prompt) {
    if (place < count) {
      add(ExchangeOperation::kBegin, prompt, kNoPeer);
      if (place > 0)
        add(ExchangeOperation::kReceive, prompt, work.chain[static_cast<std::size_t>(place) - 1]);
      add(ExchangeOperation::kCompute, prompt, kNoPeer);
      const bool is_last = place + 1 == count;
      add(ExchangeOperation::kSend, prompt,
          is_last ? kFirstStage : work.chain[static_cast<std::size_t>(place) + 1]);
    }
    // With one more under way the chain could stand still, since nobody takes its results.
    if (stage == kFirstStage && prompt + 1 >= count)
      add(ExchangeOperation::kCollect, collected++, work.chain.back());
  }
  if (stage != kFirstStage) return list;
  while (collected < work.prompts) add(ExchangeOperation::kCollect, collected++, work.chain.back());
  return list;
}

// One stage's list of what is dealt. With inputs, the first stage sends each stage its part first; without,
// every stage has them already.
enum class Inputs { kAreThere, kAreDealt };

ExchangeList dealt_of_stage(ExchangeItem item, Inputs inputs, std::span<const DealtItem> dealt,
                            std::int64_t stage) {
  ExchangeList list;
  for (const DealtItem& one : dealt) {
    const auto add = [&](ExchangeOperation operation, std::int64_t peer) {
      list.push_back({item, operation, one.number, peer});
    };
    const auto add_for_each_part = [&](ExchangeOperation operation) {
      for (std::size_t peer = 0; peer < one.pieces.size(); ++peer) {
        if (one.pieces[peer].size() > 0) add(operation, static_cast<std::int64_t>(peer));
      }
    };
    const bool is_first = stage == kFirstStage;
    add(ExchangeOperation::kBegin, kNoPeer);
    if (is_first && inputs == Inputs::kAreDealt) add_for_each_part(ExchangeOperation::kDeal);
    if (one.pieces[static_cast<std::size_t>(stage)].size() > 0) {
      if (inputs == Inputs::kAreDealt) add(ExchangeOperation::kReceive, kFirstStage);
      add(ExchangeOperation::kCompute, kNoPeer);
      add(ExchangeOperation::kSend, kFirstStage);
    }
    if (!is_first) continue;
    add_for_each_part(ExchangeOperation::kCollect);
    add(ExchangeOperation::kFinish, kNoPeer);
  }
  return list;
}

std::vector<ExchangeList> dealt_lists(ExchangeItem item, Inputs inputs, std::int64_t stages,
                                      std::span<const DealtItem> dealt) {
  common::ensure(stages >= 1, "a schedule needs a stage");
  for (const DealtItem& one : dealt) {
    common::ensure(static_cast<std::int64_t>(one.pieces.size()) == stages,
                   "what is dealt has a range for every stage");
  }
  std::vector<ExchangeList> lists;
  for (std::int64_t stage = 0; stage < stages; ++stage)
    lists.push_back(dealt_of_stage(item, inputs, dealt, stage));
  return lists;
}

}  // namespace

std::string doing(const ExchangeInstruction& instruction) {
  const std::string number = std::to_string(instruction.number);
  switch (instruction.item) {
    case ExchangeItem::kPrompt:
      return "encode prompt " + number;
    case ExchangeItem::kPicture:
      return "encode picture " + number;
    case ExchangeItem::kLayers:
      return "decode request " + number;
  }
  return "";
}

std::vector<ExchangeList> schedule_prompts(const PromptWork& work) {
  common::ensure(work.stages >= 1 && !work.chain.empty(), "prompts need a stage that holds text layers");
  std::int64_t before = -1;
  for (const std::int64_t stage : work.chain) {
    common::ensure(stage > before && stage < work.stages, "text layers lie on the stages in their order");
    before = stage;
  }
  std::vector<ExchangeList> lists;
  for (std::int64_t stage = 0; stage < work.stages; ++stage) lists.push_back(prompts_of_stage(work, stage));
  return lists;
}

std::vector<ExchangeList> schedule_pictures(std::int64_t stages, std::span<const DealtItem> pictures) {
  return dealt_lists(ExchangeItem::kPicture, Inputs::kAreThere, stages, pictures);
}

std::vector<ExchangeList> schedule_decoding(std::int64_t stages, std::span<const DealtItem> requests) {
  return dealt_lists(ExchangeItem::kLayers, Inputs::kAreDealt, stages, requests);
}

}  // namespace layerpipe::runtime
