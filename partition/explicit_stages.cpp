#include <cmath>
#include <cstdio>
#include <set>
#include <span>

#include "common/errors.h"
#include "partition/strategies.h"

namespace layerpipe::partition {
namespace {

using common::InputError;

// A chain, and how it is named in messages.
struct Chain {
  const char* unit;  // "block"
  const char* name;  // "the transformer"
  common::Range ExplicitStage::*range;
  std::string StagePlaces::*place;
};

constexpr Chain kBlocks{"block", "the transformer", &ExplicitStage::blocks, &StagePlaces::blocks};
constexpr Chain kTextLayers{"text layer", "the text encoder", &ExplicitStage::text_layers,
                            &StagePlaces::text_layers};
constexpr const char* kInOrder = "Stages take their units in order, each unit once.";

// `what` at a place in the file, where there is one.
InputError refusal(const std::string& place, const std::string& what, const std::string& remedy) {
  return InputError(place.empty() ? what : place + ": " + what, remedy);
}

// "block 5", "blocks 5 to 9"; as the file counts, with the last one included.
std::string name_units(const Chain& chain, std::int64_t begin, std::int64_t end) {
  if (end - begin == 1) return std::string(chain.unit) + " " + std::to_string(begin);
  return std::string(chain.unit) + "s " + std::to_string(begin) + " to " + std::to_string(end - 1);
}

std::string of_rank(const ExplicitStage& stage) {
  return "rank " + std::to_string(stage.rank);
}

std::vector<std::int64_t> check_chain(const Chain& chain, std::int64_t units,
                                      std::span<const ExplicitStage> stages) {
  std::vector<std::int64_t> counts;
  std::int64_t next = 0;
  const ExplicitStage* before = nullptr;
  for (const ExplicitStage& stage : stages) {
    const common::Range range = stage.*chain.range;
    const std::string& place = stage.places.*chain.place;
    counts.push_back(range.size());
    if (range.size() == 0) continue;
    if (range.begin < 0 || range.size() < 0 || range.end > units) {
      throw refusal(
          place,
          of_rank(stage) + " is given " + name_units(chain, range.begin, range.end) + "; " + chain.name +
              " has " + (units == 0 ? std::string("none") : name_units(chain, 0, units)),
          units == 0 ? "Give no range." : "Take a range within 0-" + std::to_string(units - 1) + ".");
    }
    if (range.begin < next) {
      throw refusal(place,
                    of_rank(stage) + " is given " + name_units(chain, range.begin, range.end) + " after " +
                        of_rank(*before) + " had " +
                        name_units(chain, (before->*chain.range).begin, (before->*chain.range).end),
                    kInOrder);
    }
    if (range.begin > next) {
      throw refusal(place, "no stage is given " + name_units(chain, next, range.begin), kInOrder);
    }
    next = range.end;
    before = &stage;
  }
  if (next < units) {
    throw refusal((before == nullptr ? stages.back() : *before).places.*chain.place,
                  "no stage is given " + name_units(chain, next, units) + "; " + chain.name + " has " +
                      name_units(chain, 0, units),
                  "Let the last range end with " + std::to_string(units - 1) + ".");
  }
  return counts;
}

std::string percent_text(double percent) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.6g %%", percent);
  return buffer;
}

void check_vae(const std::vector<ExplicitStage>& stages) {
  double total = 0;
  for (const ExplicitStage& stage : stages) {
    if (!(stage.vae_percent >= 0 && stage.vae_percent <= 100)) {
      throw refusal(stage.places.vae,
                    of_rank(stage) + " is given " + percent_text(stage.vae_percent) + " of the VAE",
                    "Shares are from 0 to 100 %.");
    }
    total += stage.vae_percent;
  }
  constexpr double kRounding = 0.05;  // three times 33.33 is meant to be 100
  if (std::abs(total - 100) > kRounding) {
    throw refusal(stages.front().places.vae, "the stages' shares of the VAE add up to " + percent_text(total),
                  "Let them add up to 100 %.");
  }
}

// Each stage with the place of its rank, in the order of the stages.
std::vector<Place> places_of(const std::vector<Place>& places, const std::vector<ExplicitStage>& stages) {
  std::vector<Place> ordered;
  std::set<int> used;
  for (const ExplicitStage& stage : stages) {
    const Place* found = nullptr;
    for (const Place& place : places) {
      if (place.device.rank == stage.rank) found = &place;
    }
    if (!found) {
      throw refusal(
          stage.places.rank,
          "the partition has a stage for " + of_rank(stage) + ", but there " +
              (places.size() == 1 ? "is 1 rank" : "are " + std::to_string(places.size()) + " ranks"),
          "Start as many ranks as the partition has stages, numbered from 0.");
    }
    if (!used.insert(stage.rank).second) {
      throw refusal(stage.places.rank, "the partition has two stages for " + of_rank(stage),
                    "Give each rank one stage.");
    }
    ordered.push_back(*found);
  }
  if (stages[0].rank != 0) {
    throw refusal(stages[0].places.rank, "the first stage is given to " + of_rank(stages[0]),
                  "It belongs to rank 0, which reads the pictures and gathers the layers.");
  }
  for (const Place& place : places) {
    if (!used.contains(place.device.rank)) {
      throw refusal(stages.back().places.rank,
                    "the partition has no stage for rank " + std::to_string(place.device.rank),
                    "Give each rank one stage, or start fewer ranks.");
    }
  }
  return ordered;
}

}  // namespace

Split explicit_split(Problem& problem, const std::vector<ExplicitStage>& stages) {
  if (stages.empty()) {
    throw InputError("an explicit partition needs stages, and there are none",
                     "Give them in a file of --partition; configs/ has examples.");
  }
  problem.places = places_of(problem.places, stages);
  for (const ExplicitStage& stage : stages) {
    if (stage.blocks.size() == 0) {
      throw refusal(stage.places.blocks, of_rank(stage) + " is given no block",
                    "Every stage needs at least one.");
    }
  }
  std::vector<std::int64_t> blocks;
  const auto size = static_cast<std::size_t>(problem.stages());
  for (std::span<const ExplicitStage> rest(stages); !rest.empty(); rest = rest.subspan(size)) {
    const std::vector<std::int64_t> group = check_chain(kBlocks, problem.blocks(), rest.first(size));
    blocks.insert(blocks.end(), group.begin(), group.end());
  }
  Split split{.blocks = std::move(blocks),
              .text_layers = check_chain(kTextLayers, problem.text_layers(), stages),
              .vae_percent = {}};
  check_vae(stages);
  for (const ExplicitStage& stage : stages) split.vae_percent.push_back(stage.vae_percent);
  return split;
}

}  // namespace layerpipe::partition
