// A stage's part of denoising: its blocks of the transformer, and what the first and the last stage do
// besides.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "model/scheduler.h"
#include "model/transformer/modulation_table.h"
#include "model/transformer/transformer.h"
#include "runtime/request/request_state.h"
#include "runtime/schedule/stage_executor.h"

namespace layerpipe::runtime {

struct DenoiseStageConfig {
  const model::ModelConfig* model = nullptr;
  const model::Transformer* transformer = nullptr;     // this stage's blocks
  const model::ModulationTable* modulation = nullptr;  // of these, with all timesteps of the requests
  bool is_first = true;
  bool is_last = true;
  at::Device device = at::kCPU;
  at::ScalarType dtype = at::kFloat;
  std::function<void()> after_block;  // may be empty
  std::int64_t first_request = 0;     // what messages call the first one
};

// Holds the states of requests between their steps: rotary tables on every stage, latents and embeddings on
// the first, latents on the last one. A request's state is made when its first microbatch comes and let go
// with its last one. Boundaries carry "hidden_states" and "encoder_hidden_states"; the first of a request
// also its initial "latents", which the last stage's scheduler starts from.
class DenoiseStage : public StageWork {
 public:
  // `prompt_lengths[i]` are the tokens of request i's prompt and negative prompt. `states`, one a request, is
  // read and written by the first stage alone; empty on the others. All spans outlive the stage.
  DenoiseStage(DenoiseStageConfig config, std::span<const Request> requests,
               std::span<const std::array<std::int64_t, 2>> prompt_lengths, std::span<RequestState> states);

  void forward(std::span<const Instruction> pass, std::span<comm::Boundary> microbatches) override;
  comm::Boundary join(const Instruction& instruction) override;
  void take_latents(const Instruction& instruction, comm::Boundary latents) override;

 private:
  struct Held {
    model::Schedule schedule;
    std::array<model::JointRotary, 2> rotary;  // by branch
    // First stage:
    at::Tensor condition;              // [frame_tokens, in_channels]
    std::array<at::Tensor, 2> embeds;  // by branch: [text_tokens, joint_attention_dim]
    // First and last stage:
    at::Tensor latents;  // [latent_tokens, in_channels]
    // Last stage:
    std::array<at::Tensor, 2> predictions;  // by branch; undefined where a branch was skipped
  };

  std::optional<model::TransformerMicrobatch> begin(const Instruction& instruction, comm::Boundary& boundary);
  void project(const Instruction& instruction, const model::TransformerMicrobatch& microbatch,
               comm::Boundary& boundary);
  Held& held(std::int64_t request);
  Held make(std::int64_t request) const;
  comm::Boundary embed(const Instruction& instruction, const Held& state) const;
  bool is_over(const Instruction& instruction) const;
  at::Tensor latents_of(const comm::Boundary& boundary, const model::TokenGrid& grid) const;

  DenoiseStageConfig config_;
  std::span<const Request> requests_;
  std::span<const std::array<std::int64_t, 2>> prompt_lengths_;
  std::span<RequestState> states_;
  std::map<std::int64_t, Held> held_;
};

}  // namespace layerpipe::runtime
