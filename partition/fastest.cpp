#include <algorithm>
#include <limits>
#include <span>

#include "partition/strategies.h"

namespace layerpipe::partition {
namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();

// The time of a group's stage with a range of blocks. A transfer runs beside the computing, so that the
// longer of the two decides. Without any speed all devices count as equally fast, and transfers, which cannot
// be compared with that, as nothing; one without a speed among others counts as the slowest of them.
class StageTimes {
 public:
  StageTimes(const Problem& problem, std::span<const Place> group) : problem_(problem), sums_{0} {
    for (const UnitCost& unit : problem.cost.transformer.units)
      sums_.push_back(sums_.back() + unit.operations);
    double slowest = 0;
    for (const Place& place : problem.places) {
      const double speed = place.device.operations_per_second;
      if (speed > 0 && (slowest == 0 || speed < slowest)) slowest = speed;
    }
    const auto boundary = static_cast<double>(problem.cost.transformer.boundary_bytes);
    for (const Place& place : group) {
      const double speed = place.device.operations_per_second;
      const double link = place.device.link_bytes_per_second;
      speeds_.push_back(speed > 0 ? speed : slowest > 0 ? slowest : 1.0);
      transfers_.push_back(slowest > 0 && link > 0 ? boundary / link : 0.0);
    }
    transfers_.back() = 0;  // new latents, not a boundary
  }

  double operator()(std::int64_t stage, std::int64_t begin, std::int64_t end) const {
    const ChainCost& cost = problem_.cost.transformer;
    const auto i = static_cast<std::size_t>(stage);
    const double operations = sums_[static_cast<std::size_t>(end)] - sums_[static_cast<std::size_t>(begin)] +
                              (begin == 0 ? cost.first.operations : 0) +
                              (end == problem_.blocks() ? cost.last.operations : 0);
    return std::max(operations / speeds_[i], transfers_[i]);
  }

 private:
  const Problem& problem_;
  std::vector<double> sums_;
  std::vector<double> speeds_;
  std::vector<double> transfers_;
};

// A value for each stage and each block that it may begin with: every other stage needs a block too, so that
// these are blocks − stages + 1 for each.
class Table {
 public:
  Table(std::int64_t stages, std::int64_t blocks)
      : slack_(blocks - stages), values_(static_cast<std::size_t>((stages + 1) * (slack_ + 1)), kNever) {}
  double& at(std::int64_t stage, std::int64_t begin) {
    return values_[static_cast<std::size_t>(stage * (slack_ + 1) + begin - stage)];
  }

 private:
  std::int64_t slack_;
  std::vector<double> values_;
};

// Deals the blocks out to the stages of one group: `places` and `shares` are its own.
class Search {
 public:
  Search(const Problem& problem, const Predictor& predictor, std::span<const Place> places,
         std::span<const Share> shares)
      : problem_(problem), predictor_(predictor), places_(places), shares_(shares), times_(problem, places) {}

  // The number of blocks of each stage; empty when nothing fits.
  std::vector<std::int64_t> run() {
    // First the time of the slowest stage; then, with no stage slower than that, the shortest sum: a
    // beginning that is best for the one need not be for the other.
    Table slowest(stages(), blocks());
    for_each_range(kNever, slowest, [](double stage, double rest) { return std::max(stage, rest); });
    const double limit = slowest.at(0, 0);
    if (limit == kNever) return {};
    Table total(stages(), blocks());
    const auto add = [](double stage, double rest) { return stage + rest; };
    for_each_range(limit, total, add);
    std::vector<std::int64_t> counts;
    std::int64_t begin = 0;
    for (std::int64_t stage = 0; stage < stages(); ++stage) {
      std::int64_t best = begin;
      each_end(stage, begin, limit, [&](std::int64_t end, double seconds) {
        if (add(seconds, rest_of(total, stage, end)) == total.at(stage, begin)) best = end;
        return true;
      });
      counts.push_back(best - begin);
      begin = best;
    }
    return counts;
  }

 private:
  std::int64_t stages() const { return static_cast<std::int64_t>(places_.size()); }
  std::int64_t blocks() const { return problem_.blocks(); }

  double rest_of(Table& table, std::int64_t stage, std::int64_t end) const {
    return stage + 1 == stages() ? 0.0 : table.at(stage + 1, end);
  }

  // Calls visit(end, seconds) for the ends with which a stage fits and is no slower than `limit`, until it
  // says false. Both grow with the end.
  template <typename Visit>
  void each_end(std::int64_t stage, std::int64_t begin, double limit, const Visit& visit) const {
    const std::uint64_t budget = places_[static_cast<std::size_t>(stage)].budget_bytes;
    Share share = shares_[static_cast<std::size_t>(stage)];
    if (stage + 1 == stages()) {
      share.blocks = {begin, blocks()};
      const double seconds = times_(stage, begin, blocks());
      if (seconds <= limit && predictor_.fits(share, budget)) visit(blocks(), seconds);
      return;
    }
    share.blocks = {begin, begin};
    const std::int64_t last = predictor_.most_blocks_end(share, budget, blocks() - (stages() - 1 - stage));
    for (std::int64_t end = begin + 1; end <= last; ++end) {
      const double seconds = times_(stage, begin, end);
      if (seconds > limit || !visit(end, seconds)) return;
    }
  }

  // Fills a table from the last stage to the first with the best of join(stage's time, rest's value).
  template <typename Join>
  void for_each_range(double limit, Table& table, const Join& join) {
    for (std::int64_t stage = stages(); stage-- > 0;) {
      for (std::int64_t begin = stage; begin <= stage + blocks() - stages(); ++begin) {
        double& best = table.at(stage, begin);
        each_end(stage, begin, limit, [&](std::int64_t end, double seconds) {
          if (seconds > best) return false;  // longer ranges are slower still
          best = std::min(best, join(seconds, rest_of(table, stage, end)));
          return true;
        });
        if (stage == 0) break;  // which begins with block 0
      }
    }
  }

  const Problem& problem_;
  const Predictor& predictor_;
  std::span<const Place> places_;
  std::span<const Share> shares_;
  StageTimes times_;
};

}  // namespace

Split fastest_split(const Problem& problem, const Predictor& predictor, Split split) {
  const std::vector<Share> shares = shares_of(split, problem.stages());
  const auto stages = static_cast<std::size_t>(problem.stages());
  std::vector<std::int64_t> blocks;
  for (std::size_t first = 0; first < shares.size(); first += stages) {
    const std::vector<std::int64_t> group =
        Search(problem, predictor, std::span(problem.places).subspan(first, stages),
               std::span(shares).subspan(first, stages))
            .run();
    if (group.empty()) return split;
    blocks.insert(blocks.end(), group.begin(), group.end());
  }
  split.blocks = std::move(blocks);
  return split;
}

}  // namespace layerpipe::partition
