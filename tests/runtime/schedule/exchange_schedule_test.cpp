// Completeness, order and bounds of the lists of encoding and decoding, for one to eight stages.
#include "runtime/schedule/exchange_schedule.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <random>
#include <utility>

#include "runtime/schedule/shares.h"
#include "runtime/schedule/simulator.h"

namespace layerpipe::runtime {
namespace {

using enum ExchangeOperation;
using Lists = std::vector<ExchangeList>;

constexpr ExchangeItem kItems[] = {ExchangeItem::kPrompt, ExchangeItem::kPicture, ExchangeItem::kLayers};

// A list of one item's instructions, shortly.
struct Step {
  ExchangeOperation operation;
  std::int64_t number;
  std::int64_t peer = kNoPeer;
};
ExchangeList list_of(ExchangeItem item, const std::vector<Step>& steps) {
  ExchangeList list;
  for (const Step& step : steps) list.push_back({item, step.operation, step.number, step.peer});
  return list;
}

std::vector<std::int64_t> numbers(const ExchangeList& list, ExchangeOperation operation) {
  std::vector<std::int64_t> found;
  for (const ExchangeInstruction& x : list) {
    if (x.operation == operation) found.push_back(x.number);
  }
  return found;
}

std::vector<std::int64_t> up_to(std::int64_t count) {
  std::vector<std::int64_t> all(static_cast<std::size_t>(count));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

// Chains of all stages, without the first, and of some.
std::vector<PromptWork> many_prompt_works() {
  std::vector<PromptWork> works;
  std::mt19937 random(1);
  for (std::int64_t stages = 1; stages <= 8; ++stages) {
    std::vector<std::vector<std::int64_t>> chains = {up_to(stages)};
    if (stages > 1) chains.emplace_back(chains[0].begin() + 1, chains[0].end());
    for (int draw = 0; draw < 3; ++draw) {
      std::vector<std::int64_t> some;
      for (std::int64_t stage = 0; stage < stages; ++stage) {
        if (random() % 2 == 0) some.push_back(stage);
      }
      if (!some.empty()) chains.push_back(some);
    }
    for (const auto& chain : chains) {
      for (std::int64_t prompts : {0, 1, 2, 7, 40})
        works.push_back({.stages = stages, .chain = chain, .prompts = prompts});
    }
  }
  return works;
}

struct DealtWork {
  std::int64_t stages = 1;
  std::vector<DealtItem> items;
};

// Some stages have no strips at all, some none of one item; numbers have gaps, as pictures that are shared
// leave them.
std::vector<DealtWork> many_dealt_works() {
  std::vector<DealtWork> works;
  std::mt19937 random(2);
  for (std::int64_t stages = 1; stages <= 8; ++stages) {
    for (std::size_t items : {0, 1, 3, 30}) {
      for (int draw = 0; draw < 4; ++draw) {
        std::vector<double> shares;
        for (std::int64_t stage = 0; stage < stages; ++stage)
          shares.push_back(static_cast<double>(random() % 3));
        shares[random() % shares.size()] = 1;
        DealtWork work{.stages = stages, .items = {}};
        std::int64_t number = 0;
        for (std::size_t i = 0; i < items; ++i) {
          work.items.push_back({number, deal(static_cast<std::int64_t>(1 + random() % 12), shares)});
          number += 1 + static_cast<std::int64_t>(random() % 3);
        }
        works.push_back(work);
      }
    }
  }
  return works;
}

// The lists of all these works.
std::vector<Lists> many_lists() {
  std::vector<Lists> all;
  for (const PromptWork& work : many_prompt_works()) all.push_back(schedule_prompts(work));
  for (const DealtWork& work : many_dealt_works()) {
    all.push_back(schedule_pictures(work.stages, work.items));
    all.push_back(schedule_decoding(work.stages, work.items));
  }
  return all;
}

TEST(ExchangeSchedule, WhatOneStageSendsTheOtherReceivesInThatOrder) {
  for (const Lists& lists : many_lists()) {
    std::map<std::pair<std::int64_t, std::int64_t>, std::vector<std::int64_t>> sent;
    std::map<std::pair<std::int64_t, std::int64_t>, std::vector<std::int64_t>> received;
    for (std::size_t i = 0; i < lists.size(); ++i) {
      const auto stage = static_cast<std::int64_t>(i);
      for (const ExchangeInstruction& x : lists[i]) {
        if (x.operation == kDeal || x.operation == kSend) sent[{stage, x.peer}].push_back(x.number);
        if (x.operation == kReceive || x.operation == kCollect) received[{x.peer, stage}].push_back(x.number);
      }
    }
    EXPECT_EQ(sent, received);
  }
}

TEST(ExchangeSchedule, NothingStandsStillOverChannelsThatHoldOneMessage) {
  std::mt19937 random(3);
  for (const Lists& lists : many_lists()) {
    const auto seconds = [&](std::int64_t, const ExchangeInstruction&) {
      return 1e-3 * static_cast<double>(random() % 100);
    };
    for (std::int64_t depth : {1, 2, 9}) EXPECT_NO_THROW(simulate(lists, seconds, depth));
  }
}

TEST(ExchangeSchedule, WorkIsBegunBeforeItIsDoneAndSentAtOnce) {
  for (const Lists& lists : many_lists()) {
    for (const ExchangeList& list : lists) {
      std::int64_t begun = -1;
      for (std::size_t i = 0; i < list.size(); ++i) {
        if (list[i].operation == kBegin) begun = list[i].number;
        if (list[i].operation != kCompute) continue;
        EXPECT_EQ(begun, list[i].number);
        ASSERT_LT(i + 1, list.size());
        EXPECT_EQ(list[i + 1].operation, kSend);
        EXPECT_EQ(list[i + 1].number, list[i].number);
      }
    }
  }
}

TEST(ExchangeSchedule, EveryStageOfTheChainComputesEveryPromptAndTheFirstStageCollectsAll) {
  for (const PromptWork& work : many_prompt_works()) {
    const Lists lists = schedule_prompts(work);
    ASSERT_EQ(lists.size(), static_cast<std::size_t>(work.stages));
    for (std::int64_t stage = 0; stage < work.stages; ++stage) {
      const ExchangeList& list = lists[static_cast<std::size_t>(stage)];
      const auto place = std::find(work.chain.begin(), work.chain.end(), stage);
      EXPECT_EQ(numbers(list, kCompute), up_to(place == work.chain.end() ? 0 : work.prompts));
      EXPECT_EQ(numbers(list, kCollect), up_to(stage == 0 ? work.prompts : 0));
      for (const ExchangeInstruction& x : list) {
        EXPECT_EQ(x.item, ExchangeItem::kPrompt);
        if (x.operation == kReceive) {
          EXPECT_EQ(x.peer, *(place - 1));
        }
        if (x.operation == kSend) {
          EXPECT_EQ(x.peer, place + 1 == work.chain.end() ? 0 : *(place + 1));
        }
      }
    }
  }
}

TEST(ExchangeSchedule, NoMorePromptsAreUnderWayThanTheChainHasStages) {
  for (const PromptWork& work : many_prompt_works()) {
    if (work.chain[0] != 0) continue;
    std::int64_t under_way = 0;
    std::int64_t most = 0;
    const Lists lists = schedule_prompts(work);
    for (const ExchangeInstruction& x : lists[0]) {
      if (x.operation == kSend) most = std::max(most, ++under_way);
      if (x.operation == kCollect) --under_way;
    }
    EXPECT_EQ(most, std::min(work.prompts, static_cast<std::int64_t>(work.chain.size())));
    EXPECT_EQ(under_way, 0);
  }
}

TEST(ExchangeSchedule, WithMorePromptsUnderWayTheChainWouldStandStill) {
  Lists lists = schedule_prompts({.stages = 3, .chain = {0, 1, 2}, .prompts = 20});
  std::stable_partition(lists[0].begin(), lists[0].end(),
                        [](const ExchangeInstruction& x) { return x.operation != kCollect; });
  const auto seconds = [](std::int64_t, const ExchangeInstruction&) { return 1.0; };
  EXPECT_ANY_THROW(simulate(lists, seconds, 1));
}

TEST(ExchangeSchedule, OfFourPromptsOverThreeStages) {
  const Lists lists = schedule_prompts({.stages = 4, .chain = {0, 1, 3}, .prompts = 4});
  EXPECT_EQ(lists[0], list_of(ExchangeItem::kPrompt, {{kBegin, 0},
                                                      {kCompute, 0},
                                                      {kSend, 0, 1},
                                                      {kBegin, 1},
                                                      {kCompute, 1},
                                                      {kSend, 1, 1},
                                                      {kBegin, 2},
                                                      {kCompute, 2},
                                                      {kSend, 2, 1},
                                                      {kCollect, 0, 3},
                                                      {kBegin, 3},
                                                      {kCompute, 3},
                                                      {kSend, 3, 1},
                                                      {kCollect, 1, 3},
                                                      {kCollect, 2, 3},
                                                      {kCollect, 3, 3}}));
  EXPECT_EQ(ExchangeList(lists[1].begin(), lists[1].begin() + 4),
            list_of(ExchangeItem::kPrompt, {{kBegin, 0}, {kReceive, 0, 0}, {kCompute, 0}, {kSend, 0, 3}}));
  EXPECT_EQ(lists[2], ExchangeList{});
  EXPECT_EQ(ExchangeList(lists[3].begin(), lists[3].begin() + 4),
            list_of(ExchangeItem::kPrompt, {{kBegin, 0}, {kReceive, 0, 1}, {kCompute, 0}, {kSend, 0, 0}}));
}

TEST(ExchangeSchedule, OfPromptsOfOneStageIsThePlainLoop) {
  EXPECT_EQ(schedule_prompts({.stages = 1, .chain = {0}, .prompts = 2}),
            Lists{list_of(ExchangeItem::kPrompt, {{kBegin, 0},
                                                  {kCompute, 0},
                                                  {kSend, 0, 0},
                                                  {kCollect, 0, 0},
                                                  {kBegin, 1},
                                                  {kCompute, 1},
                                                  {kSend, 1, 0},
                                                  {kCollect, 1, 0}})});
}

TEST(ExchangeSchedule, StagesComputeWhatTheyWereDealtAndTheFirstOneFinishesEveryItem) {
  for (const DealtWork& work : many_dealt_works()) {
    std::vector<std::int64_t> all;
    for (const DealtItem& item : work.items) all.push_back(item.number);
    const Lists pictures = schedule_pictures(work.stages, work.items);
    const Lists layers = schedule_decoding(work.stages, work.items);
    ASSERT_EQ(pictures.size(), static_cast<std::size_t>(work.stages));
    ASSERT_EQ(layers.size(), static_cast<std::size_t>(work.stages));
    for (std::size_t stage = 0; stage < pictures.size(); ++stage) {
      std::vector<std::int64_t> mine;
      for (const DealtItem& item : work.items) {
        if (item.pieces[stage].size() > 0) mine.push_back(item.number);
      }
      for (const ExchangeList& list : {pictures[stage], layers[stage]}) {
        EXPECT_EQ(numbers(list, kBegin), all);
        EXPECT_EQ(numbers(list, kCompute), mine);
        EXPECT_EQ(numbers(list, kFinish), stage == 0 ? all : std::vector<std::int64_t>{});
      }
      EXPECT_EQ(numbers(pictures[stage], kReceive), std::vector<std::int64_t>{});
      EXPECT_EQ(numbers(layers[stage], kReceive), mine);
    }
  }
}

TEST(ExchangeSchedule, AnItemIsFinishedWhenAllOfItIsCollectedAndBeforeTheNextBegins) {
  for (const DealtWork& work : many_dealt_works()) {
    for (const Lists& lists :
         {schedule_pictures(work.stages, work.items), schedule_decoding(work.stages, work.items)}) {
      std::size_t item = 0;
      std::vector<std::int64_t> collected;
      for (const ExchangeInstruction& x : lists[0]) {
        ASSERT_LT(item, work.items.size());
        EXPECT_EQ(x.number, work.items[item].number);
        if (x.operation == kCollect) collected.push_back(x.peer);
        if (x.operation != kFinish) continue;
        std::vector<std::int64_t> expected;
        for (std::int64_t stage = 0; stage < work.stages; ++stage) {
          if (work.items[item].pieces[static_cast<std::size_t>(stage)].size() > 0) expected.push_back(stage);
        }
        EXPECT_EQ(collected, expected);
        collected.clear();
        ++item;
      }
      EXPECT_EQ(item, work.items.size());
    }
  }
}

TEST(ExchangeSchedule, OfPicturesOverThreeStages) {
  const std::vector<DealtItem> items = {{.number = 0, .pieces = {{0, 1}, {1, 1}, {1, 3}}},
                                        {.number = 2, .pieces = {{0, 0}, {0, 0}, {0, 1}}}};
  const Lists lists = schedule_pictures(3, items);
  EXPECT_EQ(lists[0], list_of(ExchangeItem::kPicture, {{kBegin, 0},
                                                       {kCompute, 0},
                                                       {kSend, 0, 0},
                                                       {kCollect, 0, 0},
                                                       {kCollect, 0, 2},
                                                       {kFinish, 0},
                                                       {kBegin, 2},
                                                       {kCollect, 2, 2},
                                                       {kFinish, 2}}));
  EXPECT_EQ(lists[1], list_of(ExchangeItem::kPicture, {{kBegin, 0}, {kBegin, 2}}));
  EXPECT_EQ(lists[2],
            list_of(ExchangeItem::kPicture,
                    {{kBegin, 0}, {kCompute, 0}, {kSend, 0, 0}, {kBegin, 2}, {kCompute, 2}, {kSend, 2, 0}}));
}

TEST(ExchangeSchedule, OfDecodingOverThreeStages) {
  const std::vector<DealtItem> items = {{.number = 0, .pieces = {{0, 4}, {4, 4}, {4, 8}}}};
  const Lists lists = schedule_decoding(3, items);
  EXPECT_EQ(lists[0], list_of(ExchangeItem::kLayers, {{kBegin, 0},
                                                      {kDeal, 0, 0},
                                                      {kDeal, 0, 2},
                                                      {kReceive, 0, 0},
                                                      {kCompute, 0},
                                                      {kSend, 0, 0},
                                                      {kCollect, 0, 0},
                                                      {kCollect, 0, 2},
                                                      {kFinish, 0}}));
  EXPECT_EQ(lists[1], list_of(ExchangeItem::kLayers, {{kBegin, 0}}));
  EXPECT_EQ(lists[2],
            list_of(ExchangeItem::kLayers, {{kBegin, 0}, {kReceive, 0, 0}, {kCompute, 0}, {kSend, 0, 0}}));
}

TEST(ExchangeSchedule, SaysWhatAStageIsAt) {
  std::vector<std::string> said;
  for (const ExchangeItem item : kItems)
    said.push_back(doing({.item = item, .operation = kBegin, .number = 3}));
  EXPECT_EQ(said, (std::vector<std::string>{"encode prompt 3", "encode picture 3", "decode request 3"}));
}

TEST(ExchangeSchedule, RefusesWorkThatIsNone) {
  EXPECT_ANY_THROW(schedule_prompts({.stages = 2, .chain = {}, .prompts = 1}));
  EXPECT_ANY_THROW(schedule_prompts({.stages = 2, .chain = {1, 0}, .prompts = 1}));
  EXPECT_ANY_THROW(schedule_prompts({.stages = 2, .chain = {0, 2}, .prompts = 1}));
  EXPECT_ANY_THROW(schedule_pictures(0, {}));
  const std::vector<DealtItem> for_one_stage = {{.number = 0, .pieces = {{0, 1}}}};
  EXPECT_ANY_THROW(schedule_decoding(2, for_one_stage));
}

}  // namespace
}  // namespace layerpipe::runtime
