#include "runtime/phases/decode_phase.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/scalar_tensor.h>

#include "model/latents.h"
#include "model/pipeline/pipeline.h"
#include "model/vae/vae_strips.h"
#include "runtime/device/memory.h"
#include "runtime/schedule/shares.h"

namespace layerpipe::runtime {
namespace {

constexpr const char* kLatents = "latents";
constexpr const char* kRows = "rows";
constexpr const char* kPeakBytes = "peak_bytes";

// A request's layers · strips, numbered layer by layer, and who decodes which.
struct DecodeTasks {
  model::TokenGrid grid;
  model::LatentShape latents;
  common::Range frames;               // of the latents: those that are layers
  std::vector<common::Range> strips;  // of latent rows
  std::vector<common::Range> ranges;  // of tasks, by stage

  std::int64_t layer(std::int64_t task) const { return task / per_layer(); }
  const common::Range& strip(std::int64_t task) const {
    return strips[static_cast<std::size_t>(task % per_layer())];
  }
  std::int64_t per_layer() const { return static_cast<std::int64_t>(strips.size()); }
  // The rows of a range of tasks, joined along a picture's height.
  std::int64_t rows(const common::Range& range) const {
    std::int64_t sum = 0;
    for (std::int64_t task = range.begin; task < range.end; ++task) sum += strip(task).size();
    return sum;
  }
};

DecodeTasks tasks_of(const Request& request, const RunContext& run) {
  DecodeTasks tasks;
  const model::ModelConfig& config = run.model.config();
  const model::Pipeline& pipeline = pipeline_of(config.pipeline);
  tasks.grid = grid_of(request, config);
  tasks.latents = pipeline.latent_shape(config, tasks.grid);
  tasks.frames = pipeline.decoded_frames(tasks.grid);
  tasks.strips = model::vae_strips(tasks.latents.height);
  tasks.ranges = deal_strips(tasks.frames.size() * tasks.per_layer(), run.plan);
  return tasks;
}

// The layers that a range of tasks belongs to.
common::Range layers_of(const DecodeTasks& tasks, const common::Range& range) {
  return {tasks.layer(range.begin), tasks.layer(range.end - 1) + 1};
}

// Of the latents of these layers: [layers, z_dim, h, w].
std::vector<std::int64_t> latent_sizes(const DecodeTasks& tasks, const common::Range& range) {
  return {layers_of(tasks, range).size(), tasks.latents.channels, tasks.latents.height, tasks.latents.width};
}

// Rank 0 gives every rank the latents of the layers that it decodes.
void send_latents(RunContext& run, std::size_t request, const DecodeTasks& tasks) {
  const RequestState& state = run.states[request];
  at::Tensor layers;
  if (!state.failure) {
    layers = model::unpack_latents(state.result.latents, tasks.grid)
                 .narrow(0, tasks.frames.begin, tasks.frames.size());
  }
  for (std::size_t stage = 0; stage < tasks.ranges.size(); ++stage) {
    const common::Range& range = tasks.ranges[stage];
    if (range.size() == 0) continue;
    comm::Boundary boundary{.header = {.request = static_cast<std::int64_t>(request)}, .tensors = {}};
    if (state.failure) {
      boundary.header.action = comm::Action::kSkip;
    } else {
      const common::Range wanted = layers_of(tasks, range);
      boundary.tensors = {{kLatents, layers.narrow(0, wanted.begin, wanted.size())}};
    }
    run.exchange.send(run.plan.stages[stage].rank, std::move(boundary));
  }
}

// This rank's tasks: rows of pictures, [1, channels, rows, width], host.
at::Tensor decode_tasks(const RunContext& run, const DecodeTasks& tasks, const common::Range& mine,
                        const at::Tensor& latents) {
  const model::VaeConfig& config = run.model.config().vae;
  const model::VaeDecoder& decoder = run.networks.vae_decoder();
  // The allocator keeps the strips of the request before, of which the middle would take a piece, and then
  // the middle's many small pieces, in which no strip has room.
  release_unused(run.device);
  const at::Tensor middle =
      decoder.forward_middle(model::denormalise_latents(latents.to(run.device), config));
  release_unused(run.device);
  run.communicator.report_progress();
  const std::int64_t scale = config.spatial_compression_ratio();
  const std::int64_t first_layer = tasks.layer(mine.begin);
  const at::Tensor rows = at::empty(
      {1, config.input_channels, scale * tasks.rows(mine), scale * latents.size(3)}, middle.options());
  model::ops::for_each_task(run.device, mine.size(), [&](std::int64_t i) {
    const std::int64_t task = mine.begin + i;
    const std::int64_t above = scale * tasks.rows({mine.begin, task});
    rows.narrow(2, above, scale * tasks.strip(task).size())
        .copy_(
            decoder.forward_strip(middle.narrow(0, tasks.layer(task) - first_layer, 1), tasks.strip(task)));
    run.communicator.report_progress();
  });
  return rows.cpu();
}

// Rank 0 puts the rows of all ranks into [layers, channels, height, width], host.
at::Tensor collect(RunContext& run, std::size_t index, const DecodeTasks& tasks) {
  const model::VaeConfig& config = run.model.config().vae;
  const std::int64_t scale = config.spatial_compression_ratio();
  const std::int64_t width = scale * tasks.latents.width;
  const at::Tensor decoded =
      at::empty({tasks.frames.size(), config.input_channels, scale * tasks.latents.height, width},
                at::TensorOptions().dtype(run.dtype));
  for (std::size_t stage = 0; stage < tasks.ranges.size(); ++stage) {
    const common::Range& range = tasks.ranges[stage];
    if (range.size() == 0) continue;
    const int rank = run.plan.stages[stage].rank;
    const comm::Boundary boundary = run.exchange.receive(rank, static_cast<std::int64_t>(index));
    const at::Tensor& rows =
        boundary.at(kRows, run.dtype, {1, config.input_channels, scale * tasks.rows(range), width});
    run.decode_peak_bytes[static_cast<std::size_t>(rank)] =
        static_cast<std::uint64_t>(boundary.at(kPeakBytes, at::kLong, {}).item<std::int64_t>());
    std::int64_t above = 0;
    for (std::int64_t task = range.begin; task < range.end; ++task) {
      const common::Range& strip = tasks.strip(task);
      decoded.narrow(0, tasks.layer(task), 1)
          .narrow(2, scale * strip.begin, scale * strip.size())
          .copy_(rows.narrow(2, above, scale * strip.size()));
      above += scale * strip.size();
    }
  }
  return decoded;
}

}  // namespace

void decode_layers(RunContext& run, const std::function<void()>& before_each,
                   const std::function<void(std::size_t request)>& decoded) {
  run.decode_peak_bytes.assign(run.plan.stages.size(), 0);
  for (std::size_t i = 0; i < run.requests.size(); ++i) {
    run.now_doing("decode request " + std::to_string(i));
    run.progress.check_stop();
    before_each();
    const Request& request = run.requests[i];
    const DecodeTasks tasks = tasks_of(request, run);
    if (run.is_first()) send_latents(run, i, tasks);
    const common::Range mine = tasks.ranges[static_cast<std::size_t>(run.part.stage)];
    if (mine.size() > 0) {
      comm::Boundary boundary = run.exchange.receive(kFirstRank, static_cast<std::int64_t>(i));
      if (boundary.header.action == comm::Action::kCompute) {
        const at::Tensor& latents = boundary.at(kLatents, run.dtype, latent_sizes(tasks, mine));
        const at::Tensor rows =
            run.traced("VAE strips", [&] { return decode_tasks(run, tasks, mine, latents); });
        const auto peak = static_cast<std::int64_t>(memory_use(run.device).peak);
        run.exchange.send(kFirstRank,
                          {.header = boundary.header,
                           .tensors = {{kRows, rows}, {kPeakBytes, at::scalar_tensor(peak, at::kLong)}}});
      }
    }
    if (!run.is_first()) continue;
    RequestState& state = run.states[i];
    if (!state.failure) {
      state.result.decoded = collect(run, i, tasks);
      state.require_finite(state.result.decoded, "the layers of result " + std::to_string(i));
    }
    decoded(i);
  }
}

}  // namespace layerpipe::runtime
