#include "runtime/config/stages.h"

#include <fmt/format.h>

#include <charconv>
#include <map>

#include "common/units.h"

namespace layerpipe::runtime {
namespace {

constexpr std::int64_t kLastRank = 65535;
constexpr std::int64_t kLastUnit = 99999;
constexpr std::uint64_t kWholePercent = 100'000'000;  // 100 %, in common::parse_percent's millionths
constexpr const char* kStageForm =
    "Write a list of stages, such as - {rank: 0, transformer: 0-59, text_encoder: 0-27, vae: 100%}.";

// What a stage holds of a component that is split into ranges.
struct Chain {
  std::string_view key;
  const char* unit;      // "block"
  std::string expected;  // what a range looks like
  common::Range partition::ExplicitStage::*range;
};

const Chain kBlocks{"transformer", "block",
                    "Give the first and the last block, such as 0-19, or a single one, such as 5.",
                    &partition::ExplicitStage::blocks};
const Chain kTextLayers{
    "text_encoder", "text layer",
    "Give the first and the last text layer, such as 0-9, a single one, such as 5, or none.",
    &partition::ExplicitStage::text_layers};

std::optional<std::int64_t> parse_unit(std::string_view digits) {
  if (!is_whole_number(digits)) return std::nullopt;
  std::int64_t unit = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), unit);
  return error == std::errc() ? unit : kLastUnit + 1;
}

// "0-19", both ends included, or "5".
common::Range read_range(const Field& field, const std::string& expected) {
  const std::string_view text = field.text(expected);
  const std::size_t dash = text.find('-');
  const auto first = parse_unit(text.substr(0, dash));
  const auto last = dash == text.npos ? first : parse_unit(text.substr(dash + 1));
  if (!first || !last) field.refuse("is not a range", expected);
  if (*first > kLastUnit || *last > kLastUnit) {
    field.refuse(fmt::format("is out of range: 0 to {}", kLastUnit), expected);
  }
  if (*first > *last) field.refuse("ends before it begins", expected);
  return {*first, *last + 1};
}

// The share is in millionths of a percent.
std::uint64_t read_share(const Field& field) {
  const std::string expected = "Give a number and %, such as 33% or 12.5%.";
  const auto share = common::parse_percent(field.text(expected));
  if (!share) field.refuse("is not a share", expected);
  if (*share > kWholePercent) field.refuse("is out of range: 0% to 100%", expected);
  return *share;
}

std::string range_text(const common::Range& range) {
  if (range.size() <= 0) return "none";
  if (range.size() == 1) return std::to_string(range.begin);
  return fmt::format("{}-{}", range.begin, range.end - 1);
}

// Reads one stage after another, and compares each with those before it.
class StageReader {
 public:
  explicit StageReader(const std::string& file) : file_(file) {}

  void read(const YamlNode& node) {
    const Mapping mapping(file_, "a stage", node, kStageKeys);
    partition::ExplicitStage stage;
    const std::string whole = place_text(node.place);
    stage.places = {.rank = whole, .blocks = whole, .text_layers = whole, .vae = whole};
    read_rank(mapping, stage);
    const Field blocks = mapping.need(kBlocks.key);
    stage.blocks = read_range(blocks, kBlocks.expected);
    stage.places.blocks = place_text(blocks.value().place);
    check_follows(kBlocks, blocks, stage);
    const auto text_layers = mapping.find(kTextLayers.key);
    if (text_layers && text_layers->text(kTextLayers.expected) != "none") {
      stage.text_layers = read_range(*text_layers, kTextLayers.expected);
      stage.places.text_layers = place_text(text_layers->value().place);
      check_follows(kTextLayers, *text_layers, stage);
    }
    if (const auto vae = mapping.find("vae")) {
      const std::uint64_t share = read_share(*vae);
      stage.vae_percent = static_cast<double>(share) / 1e6;
      stage.places.vae = place_text(vae->value().place);
      shares_ += share;
    }
    stages_.push_back(stage);
  }

  std::vector<partition::ExplicitStage> finish(const Field& list) {
    if (end_of(kTextLayers) == 0) {
      list.refuse_whole("no stage has text layers",
                        "Give at least one of them a range, such as text_encoder: 0-27.");
    }
    if (shares_ != kWholePercent) {
      list.refuse_whole(fmt::format("the vae shares of the stages add up to {}%, not 100%",
                                    static_cast<double>(shares_) / 1e6),
                        "Change one of them; a stage without vae has 0%.");
    }
    return std::move(stages_);
  }

 private:
  std::string place_text(const YamlPlace& place) const {
    return fmt::format("{}:{}:{}", file_, place.line, place.column);
  }

  void read_rank(const Mapping& mapping, partition::ExplicitStage& stage) {
    const Field rank = mapping.need("rank");
    stage.rank = static_cast<int>(rank.whole_number(0, kLastRank));
    stage.places.rank = place_text(rank.value().place);
    const auto [first, is_new] = lines_.emplace(stage.rank, rank.value().place.line);
    if (is_new) return;
    rank.refuse(fmt::format("has a stage already, in line {}", first->second), "Give every rank one stage.");
  }

  // Where the next range has to begin: so far the ranges follow one another from 0 on.
  std::int64_t end_of(const Chain& chain) const {
    std::int64_t end = 0;
    for (const auto& stage : stages_) end = std::max(end, (stage.*chain.range).end);
    return end;
  }

  void check_follows(const Chain& chain, const Field& field, const partition::ExplicitStage& stage) const {
    const common::Range& range = stage.*chain.range;
    const std::int64_t next = end_of(chain);
    if (range.begin == next) return;
    const std::string expected = fmt::format(
        "Begin with {}: the ranges follow one another from 0 on, in the order of the stages.", next);
    if (range.begin > next) {
      const common::Range gap{next, range.begin};
      field.refuse(fmt::format("leaves out {}{} {}", chain.unit, gap.size() > 1 ? "s" : "", range_text(gap)),
                   expected);
    }
    for (const auto& before : stages_) {
      const common::Range& other = before.*chain.range;
      if (range.begin < other.begin || range.begin >= other.end) continue;
      field.refuse(fmt::format("overlaps {} of rank {}", range_text(other), before.rank), expected);
    }
  }

  const std::string& file_;
  std::vector<partition::ExplicitStage> stages_;
  std::map<int, std::size_t> lines_;  // of the ranks
  std::uint64_t shares_ = 0;
};

}  // namespace

std::vector<partition::ExplicitStage> read_stages(const std::string& file, const Field& stages) {
  StageReader reader(file);
  for (const YamlNode& node : stages.list(kStageForm)) reader.read(node);
  return reader.finish(stages);
}

std::string stage_text(const partition::ExplicitStage& stage) {
  return fmt::format("{{rank: {}, transformer: {}, text_encoder: {}, vae: {}%}}", stage.rank,
                     range_text(stage.blocks), range_text(stage.text_layers), stage.vae_percent);
}

}  // namespace layerpipe::runtime
