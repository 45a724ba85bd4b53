#include "runtime/phases/decode_phase.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/scalar_tensor.h>

#include <utility>

#include "model/latents.h"
#include "model/pipeline/pipeline.h"
#include "model/vae/vae_strips.h"
#include "runtime/device/memory.h"
#include "runtime/phases/exchange_executor.h"
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
  return wholes_of(range, tasks.per_layer());
}

// The shape of the latents of these layers: [layers, z_dim, h, w].
std::vector<std::int64_t> latent_sizes(const DecodeTasks& tasks, const common::Range& range) {
  return {layers_of(tasks, range).size(), tasks.latents.channels, tasks.latents.height, tasks.latents.width};
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

// What this rank does of the decoding.
class Decoding {
 public:
  Decoding(RunContext& run, const std::function<void()>& before_each,
           const std::function<void(std::size_t request)>& decoded)
      : run_(run), before_each_(before_each), told_(decoded) {
    for (const Request& request : run.requests) tasks_.push_back(tasks_of(request, run));
  }

  ExchangeList list() const {
    std::vector<DealtItem> dealt;
    for (const DecodeTasks& tasks : tasks_)
      dealt.push_back({static_cast<std::int64_t>(dealt.size()), tasks.ranges});
    return schedule_decoding(static_cast<std::int64_t>(run_.plan.stages.size()), dealt)[run_.place()];
  }

  void begin(std::int64_t number) {
    before_each_();
    if (!run_.is_first() || state(number).failure) return;
    const DecodeTasks& tasks = tasks_at(number);
    layers_ = model::unpack_latents(state(number).result.latents, tasks.grid)
                  .narrow(0, tasks.frames.begin, tasks.frames.size());
  }

  // Rank 0 gives a stage the latents of the layers that it decodes.
  comm::Boundary deal(std::int64_t number, std::int64_t stage) const {
    if (state(number).failure) return skipped();
    const DecodeTasks& tasks = tasks_at(number);
    const common::Range wanted = layers_of(tasks, tasks.ranges[static_cast<std::size_t>(stage)]);
    return {.header = {}, .tensors = {{kLatents, layers_.narrow(0, wanted.begin, wanted.size())}}};
  }

  // This rank's rows, and the memory that it has used.
  comm::Boundary compute(std::int64_t number, const comm::Boundary& received) const {
    if (received.header.action == comm::Action::kSkip) return skipped();
    const DecodeTasks& tasks = tasks_at(number);
    const common::Range mine = tasks.ranges[run_.place()];
    const at::Tensor& latents = received.at(kLatents, run_.dtype, latent_sizes(tasks, mine));
    const at::Tensor rows =
        run_.traced("VAE strips", [&] { return decode_tasks(run_, tasks, mine, latents); });
    const auto peak = static_cast<std::int64_t>(memory_use(run_.device).peak);
    return {.header = {}, .tensors = {{kRows, rows}, {kPeakBytes, at::scalar_tensor(peak, at::kLong)}}};
  }

  // Rank 0 puts a stage's rows to their places.
  void collect(std::int64_t number, std::int64_t stage, const comm::Boundary& result) {
    if (result.header.action == comm::Action::kSkip) return;
    const DecodeTasks& tasks = tasks_at(number);
    const common::Range& range = tasks.ranges[static_cast<std::size_t>(stage)];
    const model::VaeConfig& config = run_.model.config().vae;
    const std::int64_t scale = config.spatial_compression_ratio();
    const std::int64_t width = scale * tasks.latents.width;
    if (!decoded_.defined()) {
      decoded_ = at::empty({tasks.frames.size(), config.input_channels, scale * tasks.latents.height, width},
                           at::TensorOptions().dtype(run_.dtype));
    }
    const at::Tensor& rows =
        result.at(kRows, run_.dtype, {1, config.input_channels, scale * tasks.rows(range), width});
    const int rank = run_.plan.stages[static_cast<std::size_t>(stage)].rank;
    run_.decode_peak_bytes[static_cast<std::size_t>(rank)] =
        static_cast<std::uint64_t>(result.at(kPeakBytes, at::kLong, {}).item<std::int64_t>());
    std::int64_t above = 0;
    for (std::int64_t task = range.begin; task < range.end; ++task) {
      const common::Range& strip = tasks.strip(task);
      decoded_.narrow(0, tasks.layer(task), 1)
          .narrow(2, scale * strip.begin, scale * strip.size())
          .copy_(rows.narrow(2, above, scale * strip.size()));
      above += scale * strip.size();
    }
  }

  void finish(std::int64_t number) {
    layers_.reset();
    RequestState& mine = state(number);
    if (!mine.failure) {
      mine.result.decoded = std::exchange(decoded_, {});
      mine.require_finite(mine.result.decoded,
                          "the layers of result " + std::to_string(run_.first_request + number));
    }
    told_(static_cast<std::size_t>(number));
  }

 private:
  static comm::Boundary skipped() { return {.header = {.action = comm::Action::kSkip}, .tensors = {}}; }
  RequestState& state(std::int64_t number) const { return run_.states[static_cast<std::size_t>(number)]; }
  const DecodeTasks& tasks_at(std::int64_t number) const { return tasks_[static_cast<std::size_t>(number)]; }

  RunContext& run_;
  const std::function<void()>& before_each_;
  const std::function<void(std::size_t request)>& told_;
  std::vector<DecodeTasks> tasks_;  // by request
  // These belong to the request at hand, on rank 0, in the host's memory:
  at::Tensor layers_;   // [layers, z_dim, h, w], latents
  at::Tensor decoded_;  // [layers, channels, height, width], from the first rows on
};

}  // namespace

void decode_layers(RunContext& run, const std::function<void()>& before_each,
                   const std::function<void(std::size_t request)>& decoded) {
  run.decode_peak_bytes.assign(run.plan.stages.size(), 0);
  Decoding decoding(run, before_each, decoded);
  execute(run, decoding.list(),
          {.begin = [&](std::int64_t number) { decoding.begin(number); },
           .deal = [&](std::int64_t number, std::int64_t stage) { return decoding.deal(number, stage); },
           .compute = [&](std::int64_t number,
                          const comm::Boundary& received) { return decoding.compute(number, received); },
           .collect = [&](std::int64_t number, std::int64_t stage,
                          const comm::Boundary& result) { decoding.collect(number, stage, result); },
           .finish = [&](std::int64_t number) { decoding.finish(number); }});
}

}  // namespace layerpipe::runtime
