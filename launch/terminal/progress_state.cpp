#include "launch/terminal/progress_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "common/units.h"

namespace layerpipe::launch {
namespace {

using partition::Phase;
using Status = PhaseState::Status;

constexpr int kBarWidth = 24;

std::string duration(double seconds) {
  return common::format_duration(std::chrono::duration<double>(seconds));
}

std::string bytes(std::int64_t count) {
  return common::format_bytes(static_cast<std::uint64_t>(std::max<std::int64_t>(count, 0)));
}

std::string bar(const PhaseState& state, Charset charset) {
  const double share =
      state.total > 0 ? static_cast<double>(state.done) / static_cast<double>(state.total) : 0;
  const int filled = static_cast<int>(std::lround(std::clamp(share, 0.0, 1.0) * kBarWidth));
  std::string text;
  for (int i = 0; i < kBarWidth; ++i) {
    text += charset == Charset::kUnicode ? (i < filled ? "█" : "░") : (i < filled ? "#" : ".");
  }
  return text;
}

std::string per_step(const PhaseState& state) {
  return fmt::format(", {:.2f} s a step", state.seconds_at_unit / static_cast<double>(state.done));
}

// What a phase counts.
enum class Units {
  kSteps,
  kAlike,
  kOfTwoKinds,  // encoding's: what prompts took says nothing about pictures
};

Units units_of(Phase phase) {
  return phase == Phase::kEncode    ? Units::kOfTwoKinds
         : phase == Phase::kDenoise ? Units::kSteps
                                    : Units::kAlike;
}

// What stands behind the name of a phase, or behind its bar.
std::string details(Units units, const PhaseState& state) {
  const bool steps = units == Units::kSteps;
  switch (state.status) {
    case Status::kWaiting:
      return "";
    case Status::kLoading:
      return fmt::format("loading the {}, {} of {}", to_string(state.network), bytes(state.done),
                         bytes(state.total));
    case Status::kPreparing:
      return fmt::format("making the modulation table, {} of {}", bytes(state.done), bytes(state.total));
    case Status::kDone:
      return "done in " + duration(state.phase_seconds) + (steps ? per_step(state) : "");
    case Status::kComputing:
      break;
  }
  std::string text = fmt::format("{}{} of {}", steps ? "step " : "", state.done, state.total);
  if (state.done == 0) return text;
  if (steps) text += per_step(state);
  if (units != Units::kOfTwoKinds && state.done < state.total)
    text += fmt::format(", {} left", duration(seconds_left(state)));
  return text;
}

}  // namespace

double seconds_left(const PhaseState& state) {
  if (state.done == 0) return -1;
  const double each = state.seconds_at_unit / static_cast<double>(state.done);
  const double since = state.seconds - state.seconds_at_unit;  // into the unit under way
  return std::max(0.0, each * static_cast<double>(state.total - state.done) - std::min(since, each));
}

std::string window_text(const WindowState& window) {
  const common::Range& results = window.results;
  std::string text = results.size() == 1
                         ? fmt::format("result {} of {}", results.begin + 1, window.count)
                         : fmt::format("results {}-{} of {}", results.begin + 1, results.end, window.count);
  if (window.seconds_each > 0) {
    const double left = window.seconds_each * static_cast<double>(window.count - results.begin);
    text += fmt::format(", about {} left", duration(left));
  }
  return text;
}

std::string phase_text(Phase phase, const PhaseState& state) {
  return fmt::format("{} {}", to_string(phase), details(units_of(phase), state));
}

std::string writing_text(const PhaseState& state) {
  return fmt::format("{} {}", runtime::kWritingPhase, details(Units::kAlike, state));
}

bool is_under_way(const PhaseState& state) {
  return state.status != Status::kWaiting && state.status != Status::kDone;
}

std::string memory_text(const runtime::MemoryUse& memory) {
  return fmt::format("{} in use, {} at most, of {}", common::format_bytes(memory.in_use),
                     common::format_bytes(memory.peak), common::format_bytes(memory.total));
}

std::vector<std::string> progress_block(const ProgressState& state, Charset charset) {
  std::vector<std::string> lines;
  if (state.window.count > 0) lines.push_back("  " + window_text(state.window));
  const auto add = [&](const char* name, Units units, const PhaseState& at) {
    const bool under_way = is_under_way(at);
    lines.push_back(fmt::format("  {:<8} {}{}{}", name, under_way ? bar(at, charset) : "",
                                under_way ? "  " : "", details(units, at)));
  };
  for (const Phase phase : partition::kPhases) add(to_string(phase), units_of(phase), state.phases[phase]);
  if (state.writing.status != Status::kWaiting) add(runtime::kWritingPhase, Units::kAlike, state.writing);
  lines.push_back("  memory   " + memory_text(state.memory));
  return lines;
}

std::string fit(const std::string& line, int columns) {
  int column = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const bool begins_character = (static_cast<unsigned char>(line[i]) & 0xC0) != 0x80;
    if (begins_character && ++column > columns) return line.substr(0, i);
  }
  return line;
}

}  // namespace layerpipe::launch
