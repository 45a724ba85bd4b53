#include <algorithm>

#include "partition/apportion.h"
#include "partition/strategies.h"

namespace layerpipe::partition {
namespace {

constexpr std::int64_t kUnreachable = -1;

// What is known after some places: the text layers placed so far, and whether the VAE is. The more of the
// group's blocks are placed, the better: whatever the following stages can hold of many, they can hold of
// fewer.
struct State {
  std::int64_t blocks = kUnreachable;
  std::int64_t text_layers_before = 0;  // where it came from
  bool has_vae_before = false;
};

class Filling {
 public:
  Filling(const Problem& problem, const Predictor& predictor) : problem_(problem), predictor_(predictor) {}

  std::optional<Split> run() {
    if (problem_.blocks() < problem_.stages()) return std::nullopt;
    after_.assign(1, std::vector<State>(width()));
    after_[0][index(0, false)].blocks = 0;
    for (std::int64_t place = 0; place < problem_.ranks(); ++place) {
      after_.emplace_back(width());
      bool reaches = false;
      for (std::int64_t layers = 0; layers <= problem_.text_layers(); ++layers) {
        for (const bool has_vae : {false, true}) reaches |= extend(place, layers, has_vae);
      }
      if (!reaches) return std::nullopt;
    }
    const State& end = after_.back()[index(problem_.text_layers(), true)];
    if (end.blocks != problem_.blocks()) return std::nullopt;
    return spread_vae(read_back());
  }

 private:
  std::size_t width() const { return 2 * static_cast<std::size_t>(problem_.text_layers() + 1); }
  static std::size_t index(std::int64_t layers, bool has_vae) {
    return 2 * static_cast<std::size_t>(layers) + (has_vae ? 1 : 0);
  }

  // How many of a group's blocks are placed before a place: none before a group's first one.
  std::int64_t blocks_before(std::int64_t place, const State& before) const {
    return place == problem_.group_around(place).begin ? 0 : before.blocks;
  }

  // Gives `place` every number of text layers, and the VAE or not, from a state before it.
  bool extend(std::int64_t place, std::int64_t layers, bool has_vae) {
    const State before = after_[static_cast<std::size_t>(place)][index(layers, has_vae)];
    if (before.blocks == kUnreachable) return false;
    bool reaches = false;
    for (const bool takes_vae : {false, true}) {
      if (takes_vae && has_vae) continue;
      for (std::int64_t end = layers; end <= problem_.text_layers(); ++end) {
        const std::int64_t blocks = most_blocks({.place = place,
                                                 .blocks = {blocks_before(place, before), 0},
                                                 .text_layers = {layers, end},
                                                 .has_strips = takes_vae,
                                                 .sees_whole = place == 0});
        if (blocks == kUnreachable) {
          // More layers do not fit either; only all of them may, since nothing is handed on then.
          end = std::max(end, problem_.text_layers() - 1);
          continue;
        }
        reaches = true;
        State& after = after_.back()[index(end, has_vae || takes_vae)];
        if (blocks > after.blocks) after = {blocks, layers, has_vae};
      }
    }
    return reaches;
  }

  // The largest end of `share.blocks` with which the stage fits.
  std::int64_t most_blocks(Share share) const {
    const std::uint64_t budget = problem_.places[static_cast<std::size_t>(share.place)].budget_bytes;
    const std::int64_t stages_after = problem_.group_around(share.place).end - 1 - share.place;
    if (stages_after == 0) {
      share.blocks.end = problem_.blocks();
      return predictor_.fits(share, budget) ? share.blocks.end : kUnreachable;
    }
    // One block is left for each stage after.
    const std::int64_t end = predictor_.most_blocks_end(share, budget, problem_.blocks() - stages_after);
    return end == share.blocks.begin ? kUnreachable : end;
  }

  Split read_back() const {
    const std::size_t ranks = problem_.places.size();
    Split split{std::vector<std::int64_t>(ranks), std::vector<std::int64_t>(ranks),
                std::vector<double>(ranks)};
    std::int64_t layers = problem_.text_layers();
    bool has_vae = true;
    for (std::size_t place = ranks; place-- > 0;) {
      const State& after = after_[place + 1][index(layers, has_vae)];
      const State& before = after_[place][index(after.text_layers_before, after.has_vae_before)];
      split.blocks[place] = after.blocks - blocks_before(static_cast<std::int64_t>(place), before);
      split.text_layers[place] = layers - after.text_layers_before;
      if (has_vae != after.has_vae_before) split.vae_percent[place] = 100;
      layers = after.text_layers_before;
      has_vae = after.has_vae_before;
    }
    return split;
  }

  // One stage can hold the VAE; all that can take a part.
  Split spread_vae(Split split) const {
    std::vector<Claim> claims;
    for (Share share : shares_of(split, problem_.stages())) {
      const Place& place = problem_.places[static_cast<std::size_t>(share.place)];
      share.has_strips = true;
      const bool takes = predictor_.fits(share, place.budget_bytes);
      claims.push_back({takes ? std::max<std::uint64_t>(place.usable_bytes, 1) : 0, place.device.rank});
    }
    const std::int64_t tasks = std::max<std::int64_t>(problem_.cost.vae.decode_tasks, 1);
    const std::vector<std::int64_t> parts = apportion(tasks, claims);
    for (std::size_t i = 0; i < parts.size(); ++i) {
      split.vae_percent[i] = 100.0 * static_cast<double>(parts[i]) / static_cast<double>(tasks);
    }
    return split;
  }

  const Problem& problem_;
  const Predictor& predictor_;
  std::vector<std::vector<State>> after_;  // after as many stages
};

}  // namespace

std::optional<Split> filled_split(const Problem& problem, const Predictor& predictor) {
  return Filling(problem, predictor).run();
}

}  // namespace layerpipe::partition
