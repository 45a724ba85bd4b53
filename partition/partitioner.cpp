#include "partition/partitioner.h"

#include <algorithm>
#include <functional>
#include <map>
#include <ranges>
#include <set>

#include "common/errors.h"
#include "partition/remarks.h"
#include "partition/strategies.h"
#include "partition/window_size.h"

namespace layerpipe::partition {
namespace {

void check_groups(const Problem& problem, std::int64_t branches) {
  const std::int64_t groups = problem.groups;
  common::ensure(groups >= 1, "a plan needs a group of ranks");
  if (problem.ranks() % groups != 0) {
    throw common::InputError(std::to_string(problem.ranks()) +
                                 (problem.ranks() == 1 ? " rank does" : " ranks do") + " not fall into " +
                                 std::to_string(groups) + " groups of as many stages each",
                             "Start a multiple of " + std::to_string(groups) + " ranks.");
  }
  if (groups > branches) {
    throw common::InputError(
        "a request has " + std::to_string(branches) + (branches == 1 ? " branch" : " branches") + " for " +
            std::to_string(groups) + " groups of ranks: groups share the branches of the guidance",
        "Use at most " + std::to_string(branches) + (branches == 1 ? " group." : " groups."));
  }
}

void check_counts(const Problem& problem) {
  const std::int64_t blocks = problem.blocks();
  if (blocks >= problem.stages()) return;
  const int empty = problem.places[static_cast<std::size_t>(blocks)].device.rank;
  const std::int64_t most = blocks * problem.groups;
  throw common::InputError(
      "the transformer has " + std::to_string(blocks) + (blocks == 1 ? " block" : " blocks") + " for " +
          std::to_string(problem.stages()) + (problem.groups == 1 ? " ranks" : " ranks of each group") +
          ": rank " + std::to_string(empty) + " would have none",
      "Start at most " + std::to_string(most) + (most == 1 ? " rank." : " ranks."));
}

// A group works on its own branches alone.
std::int64_t branches_of_group(const Workload& workload, std::int64_t groups) {
  return (workload.branches + groups - 1) / groups;
}

// Units that pass through devices of a host.
struct PassingUnits {
  std::set<std::int64_t> blocks;
  std::set<std::int64_t> text_layers;

  void add(const StagePlan& stage) {
    for (const std::int64_t block : passing_of(stage.blocks, stage.streamed_blocks)) blocks.insert(block);
    for (const std::int64_t layer : passing_of(stage.text_layers, stage.streamed_text_layers))
      text_layers.insert(layer);
  }
};

// What copies of their files take.
std::uint64_t cache_bytes_of(const PassingUnits& passing, const ModelCost& cost) {
  std::uint64_t bytes = 0;
  const auto add = [&](const ChainCost& chain, const std::set<std::int64_t>& units) {
    for (const std::int64_t unit : units) bytes += chain.units[static_cast<std::size_t>(unit)].file_bytes;
  };
  add(cost.transformer, passing.blocks);
  add(cost.text_encoder, passing.text_layers);
  return bytes;
}

// What the hosts of these stages, which have the order of the places, have to hold in their own memory.
std::vector<HostPlan> hosts_of(const Problem& problem, const std::vector<StagePlan>& stages) {
  std::vector<HostPlan> hosts;
  std::vector<PassingUnits> passing;
  std::map<std::string, std::size_t> index;
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const StagePlan& stage = stages[i];
    const DeviceInfo& device = problem.places[i].device;
    const auto [found, is_new] = index.try_emplace(stage.host, hosts.size());
    if (is_new) {
      hosts.push_back({.host = stage.host, .ranks = {}});
      passing.emplace_back();
    }
    HostPlan& host = hosts[found->second];
    host.ranks.push_back(stage.rank);
    host.predicted_bytes += (stage.streams() ? 2 : 1) * problem.cost.overhead.host_bytes;
    if (device.is_cpu) host.predicted_bytes += stage.predicted_peak_bytes.most();
    const bool is_least = device.host_free_bytes < host.budget_bytes.value_or(device.host_free_bytes + 1);
    if (device.host_free_bytes > 0 && is_least) {
      host.budget_bytes = device.host_free_bytes;
      host.memory_limit = device.host_memory_limit;
    }
    passing[found->second].add(stage);
  }
  for (std::size_t i = 0; i < hosts.size(); ++i)
    hosts[i].cache_bytes = cache_bytes_of(passing[i], problem.cost);
  return hosts;
}

// A split for a residency, a number of requests in flight and rows of the modulation table.
struct Answer {
  Held held;
  Split split;
  bool fits = false;
};

class Partitioner {
 public:
  // What there is to do, and the rows of the modulation table that are there already.
  struct Wanted {
    const Workload& workload;
    std::int64_t kept_rows;
  };

  Partitioner(Problem problem, const PartitionConfig& config, const Wanted& wanted, std::int64_t saturating)
      : problem_(std::move(problem)), config_(config), wanted_(wanted), saturating_(saturating) {
    if (config.strategy == Strategy::kExplicit) {
      given_ = explicit_split(problem_, config.stages);
    } else {
      check_counts(problem_);
      given_ = proportional_split(problem_);
    }
  }

  Plan run() const {
    Answer answer = choose();
    if (config_.strategy == Strategy::kFastest && answer.fits) {
      answer.split = fastest_split(problem_, predictor(answer.held), std::move(answer.split));
    }
    // Where blocks stream, one more that stays is worth more.
    if (answer.fits && answer.held.residency.transformer != Residency::kStreamed)
      answer.held.modulation_rows = most_rows(answer);
    Plan plan = plan_of(answer);
    if (config_.strategy != Strategy::kExplicit) plan.remarks = remarks_on_split(plan, given_, problem_);
    for (auto& remark : remarks_on_choices(plan, config_, saturating_))
      plan.remarks.push_back(std::move(remark));
    for (auto& remark : remarks_on_modulation(plan, wanted_.workload))
      plan.remarks.push_back(std::move(remark));
    for (auto& remark : remarks_on_limits(plan)) plan.remarks.push_back(std::move(remark));
    for (auto& remark : remarks_on_missing(plan, config_)) plan.remarks.push_back(std::move(remark));
    return plan;
  }

 private:
  // Residency first: reading weights anew costs less than stages that stand idle.
  Answer choose() const {
    const std::vector<PerComponent<Residency>> tries = residencies_to_try(config_);
    // No more than there are, whatever was asked for.
    std::int64_t in_flight = std::clamp<std::int64_t>(config_.in_flight.value_or(saturating_), 1, requests());
    Answer answer = first_that_fits(tries, in_flight);
    if (answer.fits || config_.in_flight || in_flight == 1) return answer;
    Answer least = solve(tries.back(), 1);
    if (!least.fits) return least;
    std::int64_t low = 1;  // fits; in_flight does not
    while (low + 1 < in_flight) {
      const std::int64_t middle = low + (in_flight - low) / 2;
      (solve(tries.back(), middle).fits ? low : in_flight) = middle;
    }
    return first_that_fits(tries, low);
  }

  Answer first_that_fits(const std::vector<PerComponent<Residency>>& tries, std::int64_t in_flight) const {
    Answer answer;
    for (const PerComponent<Residency>& residency : tries) {
      answer = solve(residency, in_flight);
      if (answer.fits) break;
    }
    return answer;
  }

  Answer solve(const PerComponent<Residency>& residency, std::int64_t in_flight) const {
    Answer answer{
        {residency, in_flight, window_rows(residency, in_flight), most_in_pass(residency, in_flight)},
        given_,
        false};
    const Predictor predicted = predictor(answer.held);
    if (config_.strategy != Strategy::kExplicit)
      answer.split = fit_to_budgets(problem_, predicted, std::move(answer.split));
    answer.fits = fits(problem_, predicted, answer.split);
    return answer;
  }

  Predictor predictor(const Held& held) const { return {problem_.cost, problem_.ranks(), held}; }

  // Where blocks stream, so many microbatches share them that each stage has a pass of its own to work on.
  std::int64_t most_in_pass(const PerComponent<Residency>& residency, std::int64_t in_flight) const {
    if (residency.transformer != Residency::kStreamed) return 1;
    const std::int64_t branches = branches_of_group(wanted_.workload, problem_.groups);
    return std::max<std::int64_t>(branches * in_flight / problem_.stages(), 1);
  }

  std::int64_t requests() const { return std::max<std::int64_t>(wanted_.workload.requests, 1); }

  // `share`, which fits, with as many of its units staying as still fit, where they stream.
  Share keeping_most(const Held& held, Share share, std::uint64_t budget_bytes) const {
    const Predictor predicted = predictor(held);
    const auto keep_most = [&](std::int64_t Share::*kept, std::int64_t count) {
      const auto counts = std::views::iota(std::int64_t{1}, count + 1);
      const auto fit = [&](std::int64_t tried) {
        Share other = share;
        other.*kept = tried;
        return predicted.fits(other, budget_bytes);
      };
      share.*kept = std::ranges::partition_point(counts, fit) - counts.begin();
    };
    if (held.residency.transformer == Residency::kStreamed)
      keep_most(&Share::kept_blocks, share.blocks.size());
    if (held.residency.text_encoder == Residency::kStreamed)
      keep_most(&Share::kept_text_layers, share.text_layers.size());
    return share;
  }

  // The most different timesteps that a window can have.
  std::int64_t window_rows(const PerComponent<Residency>& residency, std::int64_t in_flight) const {
    const Workload& workload = wanted_.workload;
    const std::int64_t rows =
        workload.steps * std::min(workload.schedules, window_size(residency, in_flight, problem_.ranks()));
    return workload.timesteps > 0 ? std::min(rows, workload.timesteps) : rows;
  }

  // Rows for all timesteps of the work and those that are there, or as many as fit with the split of an
  // answer that fits.
  std::int64_t most_rows(const Answer& answer) const {
    const std::int64_t least = answer.held.modulation_rows;
    const std::int64_t most = std::max({least, wanted_.workload.timesteps, wanted_.kept_rows});
    const auto counts = std::views::iota(least + 1, most + 1);
    const auto fit = [&](std::int64_t rows) {
      Held held = answer.held;
      held.modulation_rows = rows;
      return fits(problem_, predictor(held), answer.split);
    };
    return least + (std::ranges::partition_point(counts, fit) - counts.begin());
  }

  Plan plan_of(const Answer& answer) const {
    Plan plan{.fits = answer.fits,
              .strategy = config_.strategy,
              .residency = answer.held.residency,
              .in_flight = answer.held.in_flight,
              .most_in_pass = answer.held.most_in_pass,
              .modulation_rows = answer.held.modulation_rows,
              .stages = {},
              .hosts = {},
              .remarks = {},
              .predicted_step_seconds = {},
              .predicted_seconds = {}};
    const Predictor predicted = predictor(answer.held);
    const Topology::Shape shape{.groups = static_cast<int>(problem_.groups),
                                .stages = static_cast<int>(problem_.stages())};
    const auto streamed = [&](Residency residency, const common::Range& units, std::int64_t kept) {
      return residency == Residency::kStreamed ? passing_units(units.size(), kept) : 0;
    };
    for (const Share& minimal : shares_of(answer.split, problem_.stages())) {
      const auto i = static_cast<std::size_t>(minimal.place);
      const Share share = keeping_most(answer.held, minimal, problem_.places[i].budget_bytes);
      const Topology::Place position = shape.place_at(static_cast<int>(share.place));
      const Place& place = problem_.places[i];
      const PhaseBytes peaks = predicted.peaks(share);
      plan.stages.push_back(
          {.group = position.group,
           .stage = position.stage,
           .rank = place.device.rank,
           .host = place.device.host,
           .device = place.device.name,
           .blocks = share.blocks,
           .text_layers = share.text_layers,
           .vae_percent = answer.split.vae_percent[i],
           .streamed_blocks = streamed(answer.held.residency.transformer, share.blocks, share.kept_blocks),
           .streamed_text_layers =
               streamed(answer.held.residency.text_encoder, share.text_layers, share.kept_text_layers),
           .free_bytes = place.device.free_bytes,
           .memory_limit = place.device.memory_limit,
           .budget_bytes = place.budget_bytes,
           .predicted_peak_bytes = peaks,
           .missing_bytes = peaks.most() - std::min(peaks.most(), place.budget_bytes)});
    }
    plan.hosts = hosts_of(problem_, plan.stages);
    return plan;
  }

  Problem problem_;
  const PartitionConfig& config_;
  Wanted wanted_;
  std::int64_t saturating_;
  Split given_;  // proportional, or as written
};

// `kept_rows` of the modulation table are there already.
Plan plan_keeping(std::int64_t kept_rows, const ModelCost& cost, std::span<const DeviceInfo> devices,
                  const Workload& workload, const PartitionConfig& config) {
  Problem problem{.cost = cost, .places = places_by_host(devices, config), .groups = config.groups};
  check_groups(problem, std::max<std::int64_t>(workload.branches, 1));
  const std::int64_t branches = branches_of_group(workload, problem.groups);
  const std::int64_t saturating = saturating_requests(problem.stages(), branches, workload.requests);
  return Partitioner(std::move(problem), config, {workload, kept_rows},
                     places_for(saturating, workload.requests))
      .run();
}

// The least number of bytes up to `most` with which something fits.
std::optional<std::uint64_t> least_that_fits(std::uint64_t most,
                                             const std::function<bool(std::uint64_t bytes)>& fits_with) {
  constexpr std::uint64_t kFirst = std::uint64_t{1} << 20;
  std::uint64_t low = 0;  // does not suffice
  std::uint64_t high = std::min(kFirst, most);
  while (!fits_with(high)) {
    if (high == most) return std::nullopt;
    low = high;
    high = std::min(2 * high, most);
  }
  while (low + 1 < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    (fits_with(middle) ? high : low) = middle;
  }
  return high;
}

}  // namespace

std::int64_t saturating_requests(std::int64_t stages, std::int64_t branches, std::int64_t requests) {
  branches = std::max<std::int64_t>(branches, 1);
  const std::int64_t enough = (stages + 2 * branches - 2) / branches;  // rounded up
  return std::max<std::int64_t>(std::min(enough, requests), 1);
}

std::int64_t places_for(std::int64_t least, std::int64_t requests) {
  for (std::int64_t places = least; places <= 2 * least; ++places) {
    const std::int64_t last_round = requests % places;
    if (last_round == 0 || last_round >= least) return places;
  }
  return least;
}

Plan make_plan(const ModelCost& cost, std::span<const DeviceInfo> devices, const Workload& workload,
               const PartitionConfig& config) {
  return plan_keeping(0, cost, devices, workload, config);
}

Plan make_next_plan(const Plan& present, const ModelCost& cost, std::span<const DeviceInfo> devices,
                    const Workload& workload, const PartitionConfig& config) {
  const std::int64_t rows = present.modulation_rows;  // what is made stays
  Plan plan = plan_keeping(rows, cost, devices, workload, config);
  if (!plan.fits || plan.residency != present.residency || same_layout(plan, present)) return plan;
  PartitionConfig keeping = config;
  keeping.strategy = Strategy::kExplicit;
  for (const Component component : kComponents) keeping.residency[component] = present.residency[component];
  keeping.stages.clear();
  for (const StagePlan& stage : present.stages) {
    keeping.stages.push_back({.rank = stage.rank,
                              .blocks = stage.blocks,
                              .text_layers = stage.text_layers,
                              .vae_percent = stage.vae_percent});
  }
  Plan kept = plan_keeping(rows, cost, devices, workload, keeping);
  if (!kept.fits || kept.in_flight < plan.in_flight) return plan;
  kept.strategy = plan.strategy;
  if (!same_layout(kept, present)) return kept;  // other units of them stream
  kept.remarks.emplace_back("The stages are those of the work before, so that nothing is loaded again.");
  return kept;
}

std::optional<std::uint64_t> free_bytes_that_fit(const ModelCost& cost, std::span<const DeviceInfo> devices,
                                                 const Workload& workload, PartitionConfig config) {
  config.memory_limit_bytes.reset();
  std::vector<DeviceInfo> equal(devices.begin(), devices.end());
  constexpr std::uint64_t kMost = std::uint64_t{1} << 54;
  return least_that_fits(kMost, [&](std::uint64_t bytes) {
    for (DeviceInfo& device : equal) device.free_bytes = bytes;
    return make_plan(cost, equal, workload, config).fits;
  });
}

std::optional<std::uint64_t> limit_that_fits(const ModelCost& cost, std::span<const DeviceInfo> devices,
                                             const Workload& workload, PartitionConfig config) {
  std::uint64_t most = 0;
  for (const DeviceInfo& device : devices) most = std::max(most, device.free_bytes);
  return least_that_fits(most, [&](std::uint64_t bytes) {
    config.memory_limit_bytes = bytes;
    return make_plan(cost, devices, workload, config).fits;
  });
}

}  // namespace layerpipe::partition
