#include "runtime/phases/encode_phase.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/cat.h>

#include "model/latents.h"
#include "model/pipeline/pipeline.h"
#include "model/vae/vae_strips.h"
#include "runtime/schedule/shares.h"

namespace layerpipe::runtime {
namespace {

constexpr const char* kTensor = "tensor";

comm::Boundary boundary_of(std::int64_t number, const at::Tensor& tensor) {
  return {.header = {.request = number}, .tensors = {{kTensor, tensor}}};
}

// The stages that hold text layers, in order.
std::vector<partition::StagePlan> text_stages(const partition::Plan& plan) {
  std::vector<partition::StagePlan> stages;
  for (const partition::StagePlan& stage : plan.stages) {
    if (stage.text_layers.size() > 0) stages.push_back(stage);
  }
  return stages;
}

// One prompt through this rank's text layers. `received` is empty at the first of them.
at::Tensor encode_part(const RunContext& run, const std::vector<std::int64_t>& ids,
                       const at::Tensor& received) {
  const model::TextEncoder& encoder = run.networks.text_encoder();
  const at::Tensor hidden_states = received.defined() ? received.to(run.device) : encoder.embed(ids);
  encoder.forward_layers(hidden_states, [&] { run.communicator.report_progress(); });
  if (run.part.text_layers.end < run.model.config().text_encoder.num_hidden_layers) return hidden_states;
  return pipeline_of(run.model.config().pipeline).prompt_template().prompt_rows(encoder.norm(hidden_states));
}

// This rank's strips of a picture, joined along its height.
at::Tensor encode_strips(const RunContext& run, const Request& request,
                         const std::vector<common::Range>& strips, const common::Range& mine) {
  const at::Tensor picture = model::picture_to_tensor(request.picture).to(run.device, run.dtype);
  std::vector<at::Tensor> parts(static_cast<std::size_t>(mine.size()));
  model::ops::for_each_task(run.device, mine.size(), [&](std::int64_t task) {
    parts[static_cast<std::size_t>(task)] = run.networks.vae_encoder().forward_strip(
        picture, strips[static_cast<std::size_t>(mine.begin + task)]);
    run.communicator.report_progress();
  });
  return at::cat(parts, 2);
}

// The requests whose picture has to be encoded: neighbours may share one.
std::vector<std::size_t> distinct_pictures(std::span<const Request> requests) {
  std::vector<std::size_t> distinct;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    if (i == 0 || !requests[i].picture.is_same(requests[i - 1].picture)) distinct.push_back(i);
  }
  return distinct;
}

}  // namespace

void encode_prompts(RunContext& run, const PromptList& prompts) {
  const auto stages = text_stages(run.plan);
  const std::size_t count = prompts.token_ids.size();
  std::size_t place = 0;  // of this rank among those with text layers
  while (place < stages.size() && stages[place].rank != run.part.rank) ++place;
  std::vector<at::Tensor> embeds(count);
  std::size_t collected = 0;
  const model::PromptTemplate words = pipeline_of(run.model.config().pipeline).prompt_template();
  const std::int64_t width = run.model.config().text_encoder.hidden_size;
  const auto receive = [&](int from, std::size_t prompt, std::int64_t rows) {
    return run.exchange.receive(from, static_cast<std::int64_t>(prompt))
        .at(kTensor, run.dtype, {rows, width});
  };
  const auto collect = [&] {
    embeds[collected] =
        receive(stages.back().rank, collected, words.prompt_length(prompts.token_ids[collected].size()));
    ++collected;
  };
  for (std::size_t i = 0; i < count; ++i) {
    if (place < stages.size()) {
      run.now_doing("encode prompt " + std::to_string(i));
      run.progress.check_stop();
      at::Tensor received;
      if (place > 0) {
        received = receive(stages[place - 1].rank, i, static_cast<std::int64_t>(prompts.token_ids[i].size()));
      }
      const at::Tensor result =
          run.traced("text encoder", [&] { return encode_part(run, prompts.token_ids[i], received); });
      const bool is_last = place + 1 == stages.size();
      run.exchange.send(is_last ? kFirstRank : stages[place + 1].rank,
                        boundary_of(static_cast<std::int64_t>(i), result));
    }
    // No more prompts are under way than the chain's channels hold, or it would stand still.
    if (run.is_first() && i + 1 >= stages.size()) collect();
  }
  if (!run.is_first()) return;
  while (collected < count) collect();
  for (std::size_t i = 0; i < run.requests.size(); ++i) {
    RequestState& state = run.states[i];
    state.result.prompt_embeds = embeds[prompts.prompts[i][0]];
    if (run.requests[i].uses_guidance()) state.result.negative_prompt_embeds = embeds[prompts.prompts[i][1]];
    state.require_finite(state.result.prompt_embeds, "the prompt's embeddings");
    run.progress.advance(i);
  }
}

void encode_pictures(RunContext& run) {
  const model::ModelConfig& config = run.model.config();
  std::vector<std::size_t> pictures = distinct_pictures(run.requests);
  std::size_t next = 0;
  at::Tensor latents;
  for (std::size_t i = 0; i < run.requests.size(); ++i) {
    if (next < pictures.size() && pictures[next] == i) {
      ++next;
      run.now_doing("encode picture " + std::to_string(i));
      run.progress.check_stop();
      const Request& request = run.requests[i];
      const auto strips = model::vae_strips(request.picture.size(0) / config.vae.spatial_compression_ratio());
      const auto ranges = deal_strips(static_cast<std::int64_t>(strips.size()), run.plan);
      const common::Range mine = ranges[static_cast<std::size_t>(run.part.stage)];
      if (mine.size() > 0) {
        const at::Tensor rows =
            run.traced("VAE strips", [&] { return encode_strips(run, request, strips, mine); });
        run.exchange.send(kFirstRank, boundary_of(static_cast<std::int64_t>(i), rows));
      }
      if (run.is_first()) {
        std::vector<at::Tensor> parts;
        for (std::size_t stage = 0; stage < ranges.size(); ++stage) {
          if (ranges[stage].size() == 0) continue;
          const comm::Boundary part =
              run.exchange.receive(run.plan.stages[stage].rank, static_cast<std::int64_t>(i));
          parts.push_back(part.at(kTensor).to(run.device));
        }
        latents = run.traced("VAE middle", [&] {
          const at::Tensor encoded = run.networks.vae_encoder().forward_middle(at::cat(parts, 2));
          return model::pack_latents(model::normalise_latents(encoded, config.vae)).cpu();
        });
        run.communicator.report_progress();
      }
    }
    if (!run.is_first()) continue;
    RequestState& state = run.states[i];
    state.result.image_latents = latents;
    state.require_finite(latents, "the picture's latents");
    run.progress.advance(i);
  }
}

}  // namespace layerpipe::runtime
