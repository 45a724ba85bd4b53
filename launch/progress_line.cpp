#include "launch/progress_line.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "common/units.h"

namespace layerpipe::launch {
namespace {

constexpr std::chrono::seconds kLogInterval{10};

}  // namespace

ProgressStyle progress_style_for_stderr() {
  return ::isatty(STDERR_FILENO) != 0 ? ProgressStyle::kLive : ProgressStyle::kLines;
}

std::string progress_text(const runtime::Progress& progress, std::chrono::duration<double> elapsed) {
  std::string text = fmt::format("{:<8}{:>4}/{}", to_string(progress.phase), progress.done, progress.total);
  if (progress.done == 0) return text;
  const double per_unit = elapsed.count() / static_cast<double>(progress.done);
  if (progress.phase == runtime::Phase::kDenoise) text += fmt::format("  {:.2f} s a step", per_unit);
  if (progress.done < progress.total) {
    const std::chrono::duration<double> left(per_unit * static_cast<double>(progress.total - progress.done));
    text += fmt::format(", {} left", common::format_duration(left));
  }
  return text;
}

ProgressLine::~ProgressLine() {
  if (line_is_open_) std::fputc('\n', stderr);
}

void ProgressLine::show(const runtime::Progress& progress) {
  if (style_ == ProgressStyle::kQuiet) return;
  const auto now = Clock::now();
  if (progress.done == 0) phase_start_ = now;
  const bool ends = progress.done == progress.total;
  const std::string text = progress_text(progress, now - phase_start_);
  if (style_ == ProgressStyle::kLive) {
    fmt::print(stderr, "\r\033[K{}{}", text, ends ? "\n" : "");
    line_is_open_ = !ends;
  } else if (progress.done == 0 || ends || now - last_shown_ >= kLogInterval) {
    fmt::print(stderr, "{}\n", text);
    last_shown_ = now;
  }
  std::fflush(stderr);
}

}  // namespace layerpipe::launch
