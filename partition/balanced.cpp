#include <algorithm>
#include <vector>

#include "partition/apportion.h"
#include "partition/strategies.h"

namespace layerpipe::partition {
namespace {

enum class Moved { kTextLayer, kBlock, kStrips };

std::uint64_t excess(std::uint64_t bytes, std::uint64_t budget) {
  return bytes > budget ? bytes - budget : 0;
}

// A split on its way to fitting. A move changes only the stages from the one that gives to the one that
// takes, so that only these are looked at again.
class Balancing {
 public:
  Balancing(const Problem& problem, const Predictor& predictor, Split split)
      : problem_(problem),
        predictor_(predictor),
        split_(std::move(split)),
        shares_(shares_of(split_, problem.stages())) {
    for (std::size_t i = 0; i < shares_.size(); ++i) peaks_.push_back(predictor_.peaks(shares_[i]));
  }

  // True when nothing is over its budget; else `worst` is the device that is most over its budget, the lower
  // rank among equals.
  bool fits(std::size_t& worst) const {
    worst = 0;
    for (std::size_t i = 1; i < shares_.size(); ++i) {
      if (over(i) > over(worst) || (over(i) == over(worst) && rank(i) < rank(worst))) worst = i;
    }
    return over(worst) == 0;
  }

  // Moves one unit off a stage: text layers first, then blocks, then the VAE. False when no move helps.
  bool relieve(std::size_t from) {
    const common::Range group = problem_.group_around(static_cast<std::int64_t>(from));
    const std::vector<std::size_t> roomiest = roomiest_beside(from, {0, problem_.ranks()});
    const std::vector<std::size_t> of_group =
        group.size() == problem_.ranks() ? roomiest : roomiest_beside(from, group);
    for (const Moved what : {Moved::kTextLayer, Moved::kBlock, Moved::kStrips}) {
      for (const std::size_t to : what == Moved::kBlock ? of_group : roomiest) {
        if (!can_give(what, from)) break;
        if (try_move(what, from, to)) return true;
      }
    }
    return false;
  }

  Split take_split() { return std::move(split_); }

 private:
  std::uint64_t budget(std::size_t i) const { return problem_.places[i].budget_bytes; }
  int rank(std::size_t i) const { return problem_.places[i].device.rank; }
  std::uint64_t over(std::size_t i) const { return excess(peaks_[i].most(), budget(i)); }

  // Gives these places without `from`, the roomiest first.
  std::vector<std::size_t> roomiest_beside(std::size_t from, const common::Range& places) const {
    constexpr std::size_t kMostTried = 4;  // the roomiest one nearly always takes it
    std::vector<std::size_t> stages;
    for (auto i = static_cast<std::size_t>(places.begin); i < static_cast<std::size_t>(places.end); ++i) {
      if (i != from && peaks_[i].most() < budget(i)) stages.push_back(i);
    }
    const auto room = [&](std::size_t i) { return budget(i) - peaks_[i].most(); };
    const std::size_t tried = std::min(stages.size(), kMostTried);
    std::partial_sort(stages.begin(), stages.begin() + static_cast<std::ptrdiff_t>(tried), stages.end(),
                      [&](std::size_t a, std::size_t b) {
                        return room(a) != room(b) ? room(a) > room(b) : rank(a) < rank(b);
                      });
    stages.resize(tried);
    return stages;
  }

  bool can_give(Moved what, std::size_t from) const {
    return what == Moved::kTextLayer ? split_.text_layers[from] > 0
           : what == Moved::kBlock   ? split_.blocks[from] > 1
                                     : split_.vae_percent[from] > 0;
  }

  // Keeps the move if the taker has room for it and all phases of all stages together are less over budget.
  // All phases count, so that a move that mends one of two peaks of the same height is seen to help.
  bool try_move(Moved what, std::size_t from, std::size_t to) {
    const std::vector<Share> before = shares_between(from, to);
    const double percent = split_.vae_percent[from];
    shift(what, from, to, percent);
    const std::size_t first = std::min(from, to);
    std::vector<PhaseBytes> after;
    double old_excess = 0;
    double new_excess = 0;
    for (std::size_t i = first; i <= std::max(from, to); ++i) {
      after.push_back(predictor_.peaks(shares_[i]));
      old_excess += total_excess(peaks_[i], budget(i));
      new_excess += total_excess(after.back(), budget(i));
    }
    if (after[to - first].most() > budget(to) || new_excess >= old_excess) {
      shift(what, to, from, percent);
      std::copy(before.begin(), before.end(), shares_.begin() + static_cast<std::ptrdiff_t>(first));
      return false;
    }
    std::copy(after.begin(), after.end(), peaks_.begin() + static_cast<std::ptrdiff_t>(first));
    return true;
  }

  std::vector<Share> shares_between(std::size_t a, std::size_t b) const {
    const auto begin = shares_.begin();
    return {begin + static_cast<std::ptrdiff_t>(std::min(a, b)),
            begin + static_cast<std::ptrdiff_t>(std::max(a, b)) + 1};
  }

  void shift(Moved what, std::size_t from, std::size_t to, double percent) {
    if (what == Moved::kStrips) {
      split_.vae_percent[from] -= percent;
      split_.vae_percent[to] += percent;
      shares_[from].has_strips = split_.vae_percent[from] > 0;
      shares_[to].has_strips = split_.vae_percent[to] > 0;
      return;
    }
    std::vector<std::int64_t>& counts = what == Moved::kBlock ? split_.blocks : split_.text_layers;
    --counts[from];
    ++counts[to];
    common::Range Share::*range = what == Moved::kBlock ? &Share::blocks : &Share::text_layers;
    // Every border between the two moves by one unit, towards the giver.
    const std::int64_t step = from < to ? -1 : 1;
    for (std::size_t i = std::min(from, to); i < std::max(from, to); ++i) {
      (shares_[i].*range).end += step;
      (shares_[i + 1].*range).begin += step;
    }
  }

  // The sum is in floating point, since budgets may be missed by exabytes.
  static double total_excess(const PhaseBytes& peaks, std::uint64_t budget) {
    return static_cast<double>(excess(peaks.encode, budget)) +
           static_cast<double>(excess(peaks.denoise, budget)) +
           static_cast<double>(excess(peaks.decode, budget));
  }

  const Problem& problem_;
  const Predictor& predictor_;
  Split split_;
  std::vector<Share> shares_;
  std::vector<PhaseBytes> peaks_;
};

}  // namespace

bool fits(const Problem& problem, const Predictor& predictor, const Split& split) {
  const std::vector<Share> shares = shares_of(split, problem.stages());
  return std::all_of(shares.begin(), shares.end(), [&](const Share& share) {
    return predictor.fits(share, problem.places[static_cast<std::size_t>(share.place)].budget_bytes);
  });
}

Split proportional_split(const Problem& problem) {
  std::vector<Claim> claims;
  for (const Place& place : problem.places) claims.push_back({place.usable_bytes, place.device.rank});
  Split split{
      .blocks = apportion_by_group(problem.blocks(), claims, problem.stages(), apportion_at_least_one),
      .text_layers = apportion(problem.text_layers(), claims),
      .vae_percent = {}};
  const std::int64_t tasks = std::max<std::int64_t>(problem.cost.vae.decode_tasks, 1);
  for (const std::int64_t part : apportion(tasks, claims)) {
    split.vae_percent.push_back(100.0 * static_cast<double>(part) / static_cast<double>(tasks));
  }
  return split;
}

Split fit_to_budgets(const Problem& problem, const Predictor& predictor, Split split) {
  Balancing balancing(problem, predictor, std::move(split));
  std::size_t worst = 0;
  while (!balancing.fits(worst)) {
    if (balancing.relieve(worst)) continue;
    if (std::optional<Split> filled = filled_split(problem, predictor)) return *std::move(filled);
    break;
  }
  return balancing.take_split();
}

}  // namespace layerpipe::partition
