#include <cmath>
#include <cstdio>
#include <set>

#include "common/errors.h"
#include "partition/strategies.h"

namespace layerpipe::partition {
namespace {

using common::InputError;

// How a chain is named in messages.
struct ChainWords {
  const char* unit;   // "block"
  const char* chain;  // "the transformer"
};

// "block 5", "blocks 5 to 9"; as the file counts, with the last one included.
std::string name_units(const ChainWords& words, std::int64_t begin, std::int64_t end) {
  if (end - begin == 1) return std::string(words.unit) + " " + std::to_string(begin);
  return std::string(words.unit) + "s " + std::to_string(begin) + " to " + std::to_string(end - 1);
}

std::string of_rank(const ExplicitStage& stage) {
  return "rank " + std::to_string(stage.rank);
}

std::vector<std::int64_t> check_chain(const ChainWords& words, std::int64_t units,
                                      const std::vector<ExplicitStage>& stages,
                                      common::Range ExplicitStage::*range_of) {
  std::vector<std::int64_t> counts;
  std::int64_t next = 0;
  const ExplicitStage* before = nullptr;
  for (const ExplicitStage& stage : stages) {
    const common::Range range = stage.*range_of;
    counts.push_back(range.size());
    if (range.size() == 0) continue;
    if (range.begin < 0 || range.size() < 0 || range.end > units) {
      throw InputError(of_rank(stage) + " is given " + name_units(words, range.begin, range.end) + "; " +
                       words.chain + " has " +
                       (units == 0 ? std::string("none") : name_units(words, 0, units)));
    }
    if (range.begin < next) {
      throw InputError(of_rank(stage) + " is given " + name_units(words, range.begin, range.end) + " after " +
                           of_rank(*before) + " had " +
                           name_units(words, (before->*range_of).begin, (before->*range_of).end),
                       "Stages take their units in order, each unit once.");
    }
    if (range.begin > next) {
      throw InputError("no stage is given " + name_units(words, next, range.begin),
                       "Stages take their units in order, each unit once.");
    }
    next = range.end;
    before = &stage;
  }
  if (next < units) {
    throw InputError("no stage is given " + name_units(words, next, units),
                     "Stages take their units in order, each unit once.");
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
      throw InputError(of_rank(stage) + " is given " + percent_text(stage.vae_percent) + " of the VAE",
                       "Shares are from 0 to 100 %.");
    }
    total += stage.vae_percent;
  }
  constexpr double kRounding = 0.05;  // three times 33.33 is meant to be 100
  if (std::abs(total - 100) > kRounding) {
    throw InputError("the stages' shares of the VAE add up to " + percent_text(total),
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
      throw InputError(
          "the partition has a stage for " + of_rank(stage) + ", but there " +
              (places.size() == 1 ? "is 1 rank" : "are " + std::to_string(places.size()) + " ranks"),
          "Start as many ranks as the partition has stages, numbered from 0.");
    }
    if (!used.insert(stage.rank).second) {
      throw InputError("the partition has two stages for " + of_rank(stage), "Give each rank one stage.");
    }
    ordered.push_back(*found);
  }
  if (stages[0].rank != 0) {
    throw InputError("the first stage is given to " + of_rank(stages[0]),
                     "It belongs to rank 0, which reads the pictures and gathers the layers.");
  }
  for (const Place& place : places) {
    if (!used.contains(place.device.rank)) {
      throw InputError("the partition has no stage for rank " + std::to_string(place.device.rank),
                       "Give each rank one stage, or start fewer ranks.");
    }
  }
  return ordered;
}

}  // namespace

Split explicit_split(Problem& problem, const std::vector<ExplicitStage>& stages) {
  if (stages.empty()) throw InputError("an explicit partition needs stages, and there are none");
  problem.places = places_of(problem.places, stages);
  for (const ExplicitStage& stage : stages) {
    if (stage.blocks.size() == 0) {
      throw InputError(of_rank(stage) + " is given no block", "Every stage needs at least one.");
    }
  }
  Split split{
      .blocks = check_chain({"block", "the transformer"}, problem.blocks(), stages, &ExplicitStage::blocks),
      .text_layers = check_chain({"text layer", "the text encoder"}, problem.text_layers(), stages,
                                 &ExplicitStage::text_layers),
      .vae_percent = {}};
  check_vae(stages);
  for (const ExplicitStage& stage : stages) split.vae_percent.push_back(stage.vae_percent);
  return split;
}

}  // namespace layerpipe::partition
