#include "runtime/plan/plan_times.h"

#include <algorithm>
#include <map>
#include <vector>

#include "runtime/plan/stage_work.h"
#include "runtime/plan/streaming.h"
#include "runtime/plan/windows.h"
#include "runtime/schedule/exchange_schedule.h"
#include "runtime/schedule/shares.h"
#include "runtime/schedule/simulator.h"

namespace layerpipe::runtime {
namespace {

using partition::DeviceInfo;
using partition::StagePlan;

// The seconds of denoising alone.
std::vector<StageSeconds> stage_seconds(const partition::Plan& plan, const partition::ModelCost& cost,
                                        std::span<const DeviceInfo> devices,
                                        const std::vector<StreamSeconds>& streams) {
  std::vector<StageSeconds> seconds;
  for (std::size_t i = 0; i < plan.stages.size(); ++i) {
    const StagePlan& stage = plan.stages[i];
    const DeviceInfo& device = device_of(stage, devices);
    const double link = device.link_bytes_per_second;
    seconds.push_back({.forward = operations(cost.transformer, stage.blocks) / device.operations_per_second,
                       .stream = *streams[i].blocks,
                       .send = link > 0 ? static_cast<double>(cost.transformer.boundary_bytes) / link : 0});
  }
  return seconds;
}

Simulation simulate_requests(const std::vector<StageSeconds>& seconds, const partition::Workload& workload,
                             std::int64_t requests, std::int64_t in_flight, std::int64_t most_in_pass) {
  const RequestWork one{.steps = static_cast<std::int32_t>(workload.steps),
                        .branches = static_cast<std::int32_t>(workload.branches)};
  const DenoiseWork work{.stages = static_cast<std::int64_t>(seconds.size()),
                         .in_flight = in_flight,
                         .most_in_pass = most_in_pass,
                         .requests = std::vector<RequestWork>(static_cast<std::size_t>(requests), one)};
  return simulate(schedule_denoising(work), seconds, 1);
}

// What each stage computes for one item, in seconds, by stage.
struct ExchangeTimes {
  std::vector<double> prompt;
  std::vector<double> picture;  // its strips
  std::vector<double> layers;   // of a request: their strips, and the middle blocks of those that it decodes
  double finish_picture = 0;    // first stage

  // What the simulator asks for. Nothing of this goes over the links whose speeds are known, but through the
  // hosts' memory: its way is taken to last no time.
  double of(std::int64_t stage, const ExchangeInstruction& instruction) const {
    if (instruction.operation == ExchangeOperation::kFinish)
      return instruction.item == ExchangeItem::kPicture ? finish_picture : 0;
    if (instruction.operation != ExchangeOperation::kCompute) return 0;
    const auto index = static_cast<std::size_t>(stage);
    switch (instruction.item) {
      case ExchangeItem::kPrompt:
        return prompt[index];
      case ExchangeItem::kPicture:
        return picture[index];
      case ExchangeItem::kLayers:
        return layers[index];
    }
    return 0;
  }
};

// The VAE as it is dealt to the stages.
struct DealtVae {
  std::vector<common::Range> strips;  // of a picture, by stage
  std::vector<common::Range> tasks;   // of a request's layers, by stage
};

ExchangeTimes exchange_times(const partition::Plan& plan, const partition::ModelCost& cost,
                             std::span<const DeviceInfo> devices, const std::vector<StreamSeconds>& streams,
                             const DealtVae& dealt) {
  const partition::VaeCost& vae = cost.vae;
  const auto part = [](const common::Range& range, std::int64_t all) {
    return static_cast<double>(range.size()) / static_cast<double>(all);
  };
  ExchangeTimes times;
  for (std::size_t i = 0; i < plan.stages.size(); ++i) {
    const double speed = device_of(plan.stages[i], devices).operations_per_second;
    times.prompt.push_back(
        std::max(operations(cost.text_encoder, plan.stages[i].text_layers) / speed, *streams[i].text_layers));
    times.picture.push_back(vae.encode_operations * part(dealt.strips[i], vae.strips) / speed);
    double layers = 0;
    if (dealt.tasks[i].size() > 0) {
      layers = vae.decode_operations * part(dealt.tasks[i], vae.decode_tasks) +
               vae.decode_whole_operations *
                   part(wholes_of(dealt.tasks[i], vae.strips), vae.decode_tasks / vae.strips);
    }
    times.layers.push_back(layers / speed);
    if (i == 0) times.finish_picture = vae.encode_whole_operations / speed;
  }
  return times;
}

// All pictures have one prompt and one negative prompt, which the first window encodes for those behind it.
enum class Prompts { kEncoded, kKnown };

// Encoding and decoding of a window, each of whose requests has another picture.
double other_phases(const partition::Plan& plan, const partition::ModelCost& cost,
                    std::span<const DeviceInfo> devices, const std::vector<StreamSeconds>& streams,
                    const partition::Workload& workload, Prompts encoded) {
  const auto stages = static_cast<std::int64_t>(plan.stages.size());
  const DealtVae dealt{.strips = deal_strips(cost.vae.strips, plan),
                       .tasks = deal_strips(cost.vae.decode_tasks, plan)};
  PromptWork prompts{.stages = stages, .prompts = encoded == Prompts::kEncoded ? workload.branches : 0};
  for (std::int64_t place = 0; place < stages; ++place) {
    if (plan.stages[static_cast<std::size_t>(place)].text_layers.size() > 0) prompts.chain.push_back(place);
  }
  std::vector<DealtItem> pictures;
  std::vector<DealtItem> requests;
  for (std::int64_t request = 0; request < workload.requests; ++request) {
    pictures.push_back({request, dealt.strips});
    requests.push_back({request, dealt.tasks});
  }
  // Nobody waits between prompts and pictures.
  std::vector<ExchangeList> encoding = schedule_prompts(prompts);
  const std::vector<ExchangeList> behind = schedule_pictures(stages, pictures);
  for (std::size_t i = 0; i < encoding.size(); ++i)
    encoding[i].insert(encoding[i].end(), behind[i].begin(), behind[i].end());
  const ExchangeTimes times = exchange_times(plan, cost, devices, streams, dealt);
  const auto seconds = [&](std::int64_t stage, const ExchangeInstruction& instruction) {
    return times.of(stage, instruction);
  };
  const std::int64_t depth = stages + 1;  // of a host exchange's channels
  return simulate(encoding, seconds, depth).seconds +
         simulate(schedule_decoding(stages, requests), seconds, depth).seconds;
}

}  // namespace

void predict_times(partition::Plan& plan, const partition::ModelCost& cost,
                   std::span<const DeviceInfo> devices, const partition::Workload& workload) {
  const std::vector<StreamSeconds> streams = predict_streaming(plan, cost, devices, workload);
  for (std::size_t i = 0; i < plan.stages.size(); ++i) {
    if (device_of(plan.stages[i], devices).operations_per_second <= 0) return;
    if (!streams[i].blocks || !streams[i].text_layers) return;
  }
  const std::vector<StageSeconds> seconds = stage_seconds(plan, cost, devices, streams);
  const double alone = simulate_requests(seconds, workload, 1, 1, plan.most_in_pass).seconds;
  plan.predicted_step_seconds = alone / static_cast<double>(workload.steps);
  double denoising = 0;
  double others = 0;
  std::vector<double> busy(plan.stages.size());
  // Windows are of two sizes at most.
  std::map<std::int64_t, std::int64_t> count_of_size;
  const std::vector<common::Range> all_windows = windows_of(plan, workload.requests);
  for (const common::Range& window : all_windows) ++count_of_size[window.size()];
  for (const auto& [size, windows] : count_of_size) {
    partition::Workload one = workload;
    one.requests = size;
    const auto times = static_cast<double>(windows);
    const Simulation window = simulate_requests(seconds, one, size, plan.in_flight, plan.most_in_pass);
    denoising += times * window.seconds;
    others += times * other_phases(plan, cost, devices, streams, one, Prompts::kKnown);
    if (size == all_windows.front().size()) {
      others += other_phases(plan, cost, devices, streams, one, Prompts::kEncoded) -
                other_phases(plan, cost, devices, streams, one, Prompts::kKnown);
    }
    for (std::size_t i = 0; i < busy.size(); ++i) busy[i] += times * window.busy_seconds[i];
  }
  plan.predicted_seconds = denoising + others;
  for (std::size_t i = 0; i < plan.stages.size(); ++i)
    plan.stages[i].predicted_busy_share = denoising > 0 ? busy[i] / denoising : 0;
}

}  // namespace layerpipe::runtime
