// Which stage does what, in which order, while prompts and pictures are encoded and layers are decoded: what
// goes from stage to stage outside of the ring. Pure functions of the work, like runtime/schedule/schedule;
// the same lists are executed (runtime/phases/exchange_executor) and simulated (runtime/schedule/simulator).
//
// A list leaves nothing under way at its end, so those of several phases or windows may follow one another.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "common/range.h"

namespace layerpipe::runtime {

// What an instruction's number counts.
enum class ExchangeItem {
  kPrompt,   // distinct prompts
  kPicture,  // requests, of which a picture's first one stands for it
  kLayers,   // requests, whose layers are decoded
};

enum class ExchangeOperation {
  kBegin,    // the stage says what it is at, and looks whether to stop
  kDeal,     // first stage: a stage's part of the input, to that stage
  kReceive,  // a stage's input: from the one before in the chain, or what the first stage deals
  kCompute,  // the stage's part of the work
  kSend,     // what the stage computed: to the next in the chain, or to the first stage
  kCollect,  // first stage: what a stage computed, from it
  kFinish,   // first stage: makes a whole of what it collected
};

inline constexpr std::int64_t kNoPeer = -1;

struct ExchangeInstruction {
  ExchangeItem item;
  ExchangeOperation operation;
  std::int64_t number;          // of the item
  std::int64_t peer = kNoPeer;  // the stage that is sent to or received from; it may be the stage itself
  bool operator==(const ExchangeInstruction&) const = default;
};

// What a stage is at: "encode prompt 3", "encode picture 0", "decode request 1".
std::string doing(const ExchangeInstruction& instruction);

using ExchangeList = std::vector<ExchangeInstruction>;

struct PromptWork {
  std::int64_t stages = 1;
  std::vector<std::int64_t> chain{};  // the stages that hold text layers, in the layers' order; not empty
  std::int64_t prompts = 0;
};

// The list of each stage, by stage. Prompts go through the chain one behind the other, and the first stage
// collects them. When it is in the chain, no more prompts are under way than the chain has stages: channels
// of any depth hold as many.
std::vector<ExchangeList> schedule_prompts(const PromptWork& work);

// What is dealt to the stages: a picture's strips, or the strips of a request's layers.
struct DealtItem {
  std::int64_t number = 0;              // of the picture or the request
  std::vector<common::Range> pieces{};  // by stage; one with an empty range has no part in it
};

// Each stage computes its strips of every picture and sends the rows to the first, which finishes the picture
// with the middle block. Stages do not wait for the first one between pictures.
std::vector<ExchangeList> schedule_pictures(std::int64_t stages, std::span<const DealtItem> pictures);

// The first stage deals a request's latents to the stages that decode it, collects their rows and finishes
// the request before it deals the next.
std::vector<ExchangeList> schedule_decoding(std::int64_t stages, std::span<const DealtItem> requests);

}  // namespace layerpipe::runtime
