#include "runtime/phases/denoise_stage.h"

#include <string>
#include <utility>

#include "common/errors.h"
#include "model/guidance.h"
#include "model/pipeline/pipeline.h"
#include "runtime/device/device.h"

namespace layerpipe::runtime {
namespace {

constexpr const char* kHiddenStates = "hidden_states";
constexpr const char* kEncoderHiddenStates = "encoder_hidden_states";
constexpr const char* kLatents = "latents";

std::size_t index(std::int64_t number) {
  return static_cast<std::size_t>(number);
}

comm::Boundary boundary_for(const Instruction& instruction, comm::Action action) {
  return {.header = {.request = instruction.request,
                     .branch = instruction.branch,
                     .step = instruction.step,
                     .action = action},
          .tensors = {}};
}

}  // namespace

DenoiseStage::DenoiseStage(DenoiseStageConfig config, std::span<const Request> requests,
                           std::span<const std::array<std::int64_t, 2>> prompt_lengths,
                           std::span<RequestState> states)
    : config_(std::move(config)), requests_(requests), prompt_lengths_(prompt_lengths), states_(states) {
  common::ensure(prompt_lengths.size() == requests.size(), "a request has no prompt lengths");
  common::ensure(!config_.is_first || states.size() == requests.size(), "a request has no state");
}

DenoiseStage::Held& DenoiseStage::held(std::int64_t request) {
  const auto found = held_.find(request);
  return found != held_.end() ? found->second : held_.emplace(request, make(request)).first->second;
}

DenoiseStage::Held DenoiseStage::make(std::int64_t request_index) const {
  const Request& request = requests_[index(request_index)];
  const model::ModelConfig& model = *config_.model;
  const model::TokenGrid grid = grid_of(request, model);
  const auto& axes = model.transformer.axes_dims_rope;
  Held made;
  made.schedule = schedule_of(request, model);
  const model::RotaryTable image = model::image_rotary_table(grid, axes, config_.device);
  for (std::int32_t branch = 0; branch < branches_of(request); ++branch) {
    const std::int64_t tokens = prompt_lengths_[index(request_index)][index(branch)];
    made.rotary[index(branch)] = {image, model::text_rotary_table(grid, axes, tokens, config_.device)};
  }
  if (!config_.is_first) return made;
  const auto on_device = [&](const at::Tensor& x) {
    return x.defined() ? x.to(config_.device, config_.dtype) : x;
  };
  Result& result = states_[index(request_index)].result;
  result.init_latents = request.init_latents.defined()
                            ? request.init_latents.to(config_.dtype)
                            : model::draw_noise(pipeline_of(model.pipeline).latent_shape(model, grid),
                                                request.seed, request.seed_device, config_.dtype)
                                  .cpu();
  made.latents = on_device(result.init_latents);
  made.condition = on_device(result.image_latents);
  made.embeds = {on_device(result.prompt_embeds), on_device(result.negative_prompt_embeds)};
  return made;
}

comm::Boundary DenoiseStage::embed(const Instruction& instruction, const Held& state) const {
  const model::Streams streams =
      config_.transformer->embed({state.latents, state.condition, state.embeds[index(instruction.branch)]});
  comm::Boundary boundary = boundary_for(instruction, comm::Action::kCompute);
  boundary.tensors = {{kHiddenStates, streams.hidden_states},
                      {kEncoderHiddenStates, streams.encoder_hidden_states}};
  if (instruction.step == 0 && instruction.branch == 0) boundary.tensors.push_back({kLatents, state.latents});
  return boundary;
}

// Whether this is the last microbatch of its request.
bool DenoiseStage::is_over(const Instruction& instruction) const {
  const Request& request = requests_[index(instruction.request)];
  return instruction.step + 1 == request.steps && instruction.branch + 1 == branches_of(request);
}

at::Tensor DenoiseStage::latents_of(const comm::Boundary& boundary, const model::TokenGrid& grid) const {
  return boundary.at(kLatents, config_.dtype, {grid.latent_tokens(), config_.model->transformer.in_channels});
}

void DenoiseStage::forward(std::span<const Instruction> pass, std::span<comm::Boundary> microbatches) {
  std::vector<model::TransformerMicrobatch> computed;
  std::vector<std::size_t> places;  // of these in the pass
  for (std::size_t i = 0; i < pass.size(); ++i) {
    if (std::optional<model::TransformerMicrobatch> begun = begin(pass[i], microbatches[i])) {
      computed.push_back(*std::move(begun));
      places.push_back(i);
    }
  }
  if (computed.empty()) return;
  config_.transformer->forward_blocks(computed, config_.after_block);
  if (config_.is_last) {
    for (std::size_t i = 0; i < computed.size(); ++i)
      project(pass[places[i]], computed[i], microbatches[places[i]]);
  }
  wait_for_computing(config_.device);
  for (const std::size_t place : places) {
    if (is_over(pass[place]) && !config_.is_first && !config_.is_last) held_.erase(pass[place].request);
  }
}

// What is to be computed of a microbatch, on the tensors that its boundary has from now on; nothing for one
// that is skipped.
std::optional<model::TransformerMicrobatch> DenoiseStage::begin(const Instruction& instruction,
                                                                comm::Boundary& boundary) {
  const bool is_skipped = config_.is_first ? states_[index(instruction.request)].failure != nullptr
                                           : boundary.header.action == comm::Action::kSkip;
  if (is_skipped) {
    held_.erase(instruction.request);
    boundary = boundary_for(instruction, comm::Action::kSkip);
    return std::nullopt;
  }
  const Held& state = held(instruction.request);
  if (config_.is_first) boundary = embed(instruction, state);
  const model::TokenGrid grid = grid_of(requests_[index(instruction.request)], *config_.model);
  const std::int64_t prompt_tokens = prompt_lengths_[index(instruction.request)][index(instruction.branch)];
  const std::int64_t width = config_.model->transformer.inner_dim();
  return model::TransformerMicrobatch{
      .streams = {boundary.at(kHiddenStates, config_.dtype, {grid.image_tokens(), width}),
                  boundary.at(kEncoderHiddenStates, config_.dtype, {prompt_tokens, width})},
      .modulation = config_.modulation->row(state.schedule.timesteps[index(instruction.step)]),
      .rotary = state.rotary[index(instruction.branch)]};
}

// The last stage's end of a microbatch, which stays here.
void DenoiseStage::project(const Instruction& instruction, const model::TransformerMicrobatch& microbatch,
                           comm::Boundary& boundary) {
  Held& state = held(instruction.request);
  if (instruction.step == 0 && instruction.branch == 0) {
    const model::TokenGrid grid = grid_of(requests_[index(instruction.request)], *config_.model);
    state.latents = latents_of(boundary, grid);
  }
  state.predictions[index(instruction.branch)] = config_.transformer->project(
      microbatch.streams.hidden_states, microbatch.modulation, state.latents.size(0));
  boundary.tensors.clear();
}

comm::Boundary DenoiseStage::join(const Instruction& instruction) {
  const auto found = held_.find(instruction.request);
  comm::Boundary boundary = boundary_for(instruction, comm::Action::kCompute);
  const Request& request = requests_[index(instruction.request)];
  const auto is_missing = [&](std::int32_t branch) {
    return !found->second.predictions[index(branch)].defined();
  };
  if (found == held_.end() || is_missing(0) || is_missing(branches_of(request) - 1)) {
    if (found != held_.end() && !config_.is_first) held_.erase(found);
    boundary.header.action = comm::Action::kSkip;
    return boundary;
  }
  Held& state = found->second;
  at::Tensor prediction = std::exchange(state.predictions[0], {});
  if (request.uses_guidance()) {
    prediction = model::guide(prediction, std::exchange(state.predictions[1], {}), request.cfg_scale,
                              request.cfg_normalize);
  }
  state.latents = model::euler_step(state.schedule, instruction.step, state.latents, prediction);
  wait_for_computing(config_.device);
  boundary.tensors = {{kLatents, state.latents}};
  if (instruction.step + 1 == request.steps && !config_.is_first) held_.erase(found);
  return boundary;
}

void DenoiseStage::take_latents(const Instruction& instruction, comm::Boundary latents) {
  RequestState& request = states_[index(instruction.request)];
  if (latents.header.action == comm::Action::kSkip) {
    common::ensure(request.failure != nullptr, "a stage skipped a request that had not failed");
    held_.erase(instruction.request);
    return;
  }
  if (request.failure) {  // cancelled meanwhile
    held_.erase(instruction.request);
    return;
  }
  at::Tensor& held_latents = held(instruction.request).latents;
  const Request& asked = requests_[index(instruction.request)];
  held_latents = latents_of(latents, grid_of(asked, *config_.model));
  if (instruction.step + 1 < asked.steps) return;
  request.result.latents = held_latents.cpu();
  held_.erase(instruction.request);
  request.require_finite(
      request.result.latents,
      "the latents of result " + std::to_string(config_.first_request + instruction.request));
}

}  // namespace layerpipe::runtime
