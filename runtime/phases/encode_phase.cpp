#include "runtime/phases/encode_phase.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/cat.h>

#include <algorithm>
#include <utility>

#include "model/latents.h"
#include "model/pipeline/pipeline.h"
#include "model/vae/vae_strips.h"
#include "runtime/phases/exchange_executor.h"
#include "runtime/schedule/shares.h"

namespace layerpipe::runtime {
namespace {

constexpr const char* kTensor = "tensor";

PromptWork work_of(const RunContext& run, std::size_t prompts) {
  PromptWork work{.stages = static_cast<std::int64_t>(run.plan.stages.size()),
                  .prompts = static_cast<std::int64_t>(prompts)};
  for (std::int64_t place = 0; place < work.stages; ++place) {
    if (run.plan.stages[static_cast<std::size_t>(place)].text_layers.size() > 0) work.chain.push_back(place);
  }
  return work;
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

// Rank 0 gives the requests the embeddings of their prompts.
void take_embeddings(RunContext& run, const PromptList& prompts, const std::vector<at::Tensor>& embeds) {
  for (std::size_t i = 0; i < run.requests.size(); ++i) {
    RequestState& state = run.states[i];
    state.result.prompt_embeds = embeds[prompts.prompts[i][0]];
    if (run.requests[i].uses_guidance()) state.result.negative_prompt_embeds = embeds[prompts.prompts[i][1]];
    state.require_finite(state.result.prompt_embeds, "the prompt's embeddings");
    run.progress.advance(i);
  }
}

// A picture that has to be encoded. It has the number of the first request that it belongs to.
struct PictureWork {
  common::Range requests;             // that share it
  std::vector<common::Range> strips;  // of latent rows
  std::vector<common::Range> pieces;  // of strips, by stage
};

// The distinct pictures: neighbours may share one.
std::vector<PictureWork> pictures_of(const RunContext& run) {
  std::vector<PictureWork> works;
  for (std::size_t i = 0; i < run.requests.size(); ++i) {
    const at::Tensor& picture = run.requests[i].picture;
    const auto number = static_cast<std::int64_t>(i);
    if (i > 0 && picture.is_same(run.requests[i - 1].picture)) {
      works.back().requests.end = number + 1;
      continue;
    }
    auto strips = model::vae_strips(picture.size(0) / run.model.config().vae.spatial_compression_ratio());
    auto pieces = deal_strips(static_cast<std::int64_t>(strips.size()), run.plan);
    works.push_back({{number, number + 1}, std::move(strips), std::move(pieces)});
  }
  return works;
}

// What this rank does of the pictures.
class PictureEncoding {
 public:
  explicit PictureEncoding(RunContext& run) : run_(run), works_(pictures_of(run)) {}

  // Gives the first requests the latents that the window before has left, where they are of the same picture.
  void take_known() {
    if (works_.empty() || !run_.known.picture.defined() ||
        !run_.known.picture.is_same(run_.requests[0].picture))
      return;
    if (run_.is_first()) give_latents(works_.front().requests, run_.known.image_latents);
    works_.erase(works_.begin());
  }

  ExchangeList list() const {
    std::vector<DealtItem> dealt;
    for (const PictureWork& work : works_) dealt.push_back({work.requests.begin, work.pieces});
    return schedule_pictures(static_cast<std::int64_t>(run_.plan.stages.size()), dealt)[run_.place()];
  }

  // Numbers only grow.
  void begin(std::int64_t number) {
    while (works_[next_].requests.begin != number) ++next_;
  }

  // This rank's strips, joined along the picture's height: [1, channels, rows, w].
  at::Tensor strips(std::int64_t number) const {
    const PictureWork& work = works_[next_];
    const common::Range mine = work.pieces[run_.place()];
    const at::Tensor picture =
        model::picture_to_tensor(run_.requests[static_cast<std::size_t>(number)].picture)
            .to(run_.device, run_.dtype);
    std::vector<at::Tensor> parts(static_cast<std::size_t>(mine.size()));
    model::ops::for_each_task(run_.device, mine.size(), [&](std::int64_t task) {
      parts[static_cast<std::size_t>(task)] = run_.networks.vae_encoder().forward_strip(
          picture, work.strips[static_cast<std::size_t>(mine.begin + task)]);
      run_.communicator.report_progress();
    });
    return at::cat(parts, 2);
  }

  void collect(const at::Tensor& rows) { parts_.push_back(rows.to(run_.device)); }

  // The picture's latents, for all requests that share it.
  void finish() {
    const model::VaeConfig& config = run_.model.config().vae;
    const at::Tensor latents = run_.traced("VAE middle", [&] {
      const at::Tensor encoded = run_.networks.vae_encoder().forward_middle(at::cat(parts_, 2));
      return model::pack_latents(model::normalise_latents(encoded, config)).cpu();
    });
    parts_.clear();
    run_.communicator.report_progress();
    give_latents(works_[next_].requests, latents);
  }

 private:
  void give_latents(const common::Range& requests, const at::Tensor& latents) {
    for (auto i = static_cast<std::size_t>(requests.begin); i < static_cast<std::size_t>(requests.end); ++i) {
      RequestState& state = run_.states[i];
      state.result.image_latents = latents;
      state.require_finite(latents, "the picture's latents");
      run_.progress.advance(i);
    }
  }

  RunContext& run_;
  std::vector<PictureWork> works_;
  std::size_t next_ = 0;           // the picture at hand
  std::vector<at::Tensor> parts_;  // its rows so far, on the device
};

}  // namespace

std::vector<std::int64_t> unknown_prompts(const RunContext& run, const PromptList& prompts) {
  std::vector<std::int64_t> unknown;
  for (std::size_t i = 0; i < prompts.token_ids.size(); ++i) {
    if (!run.known.embeddings.contains(prompts.token_ids[i])) unknown.push_back(static_cast<std::int64_t>(i));
  }
  return unknown;
}

bool all_pictures_are_known(const RunContext& run) {
  return std::all_of(run.requests.begin(), run.requests.end(), [&](const Request& request) {
    return run.known.picture.defined() && request.picture.is_same(run.known.picture);
  });
}

void encode_prompts(RunContext& run, const PromptList& prompts) {
  const model::PromptTemplate words = pipeline_of(run.model.config().pipeline).prompt_template();
  const std::int64_t width = run.model.config().text_encoder.hidden_size;
  const std::vector<std::int64_t> unknown = unknown_prompts(run, prompts);
  const auto ids = [&](std::int64_t number) -> const std::vector<std::int64_t>& {
    return prompts.token_ids[static_cast<std::size_t>(unknown[static_cast<std::size_t>(number)])];
  };
  std::vector<at::Tensor> embeds(prompts.token_ids.size());
  for (std::size_t i = 0; i < embeds.size(); ++i) {
    const auto found = run.known.embeddings.find(prompts.token_ids[i]);
    if (found != run.known.embeddings.end()) embeds[i] = found->second;
  }
  const auto compute = [&](std::int64_t prompt, const comm::Boundary& received) -> comm::Boundary {
    at::Tensor hidden_states;
    if (!received.tensors.empty()) {
      hidden_states = received.at(kTensor, run.dtype, {static_cast<std::int64_t>(ids(prompt).size()), width});
    }
    const at::Tensor result =
        run.traced("text encoder", [&] { return encode_part(run, ids(prompt), hidden_states); });
    return {.header = {}, .tensors = {{kTensor, result}}};
  };
  const auto collect = [&](std::int64_t prompt, std::int64_t /*stage*/, const comm::Boundary& result) {
    embeds[static_cast<std::size_t>(unknown[static_cast<std::size_t>(prompt)])] =
        result.at(kTensor, run.dtype, {words.prompt_length(ids(prompt).size()), width});
  };
  const auto lists = schedule_prompts(work_of(run, unknown.size()));
  execute(run, lists[run.place()], {.compute = compute, .collect = collect});
  run.known.embeddings.clear();
  for (std::size_t i = 0; i < embeds.size(); ++i) run.known.embeddings[prompts.token_ids[i]] = embeds[i];
  if (run.is_first()) take_embeddings(run, prompts, embeds);
}

void encode_pictures(RunContext& run) {
  PictureEncoding encoding(run);
  encoding.take_known();
  const auto compute = [&](std::int64_t number, const comm::Boundary& /*received*/) -> comm::Boundary {
    const at::Tensor rows = run.traced("VAE strips", [&] { return encoding.strips(number); });
    return {.header = {}, .tensors = {{kTensor, rows}}};
  };
  execute(run, encoding.list(),
          {.begin = [&](std::int64_t number) { encoding.begin(number); },
           .compute = compute,
           .collect = [&](std::int64_t /*number*/, std::int64_t /*stage*/,
                          const comm::Boundary& result) { encoding.collect(result.at(kTensor)); },
           .finish = [&](std::int64_t /*number*/) { encoding.finish(); }});
  if (run.requests.empty()) return;
  run.known.picture = run.requests.back().picture;
  if (run.is_first()) run.known.image_latents = run.states.back().result.image_latents;
}

}  // namespace layerpipe::runtime
