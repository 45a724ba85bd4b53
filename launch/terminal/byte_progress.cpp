#include "launch/terminal/byte_progress.h"

#include <fmt/format.h>

#include <utility>

#include "common/units.h"
#include "launch/terminal/terminal.h"

namespace layerpipe::launch {
namespace {

constexpr std::chrono::seconds kLineInterval{10};
constexpr std::chrono::milliseconds kDrawInterval{500};

}  // namespace

std::string byte_progress_text(const std::string& what, std::uint64_t done, std::uint64_t total,
                               double seconds) {
  std::string text =
      fmt::format("{}: {} of {}", what, common::format_bytes(done), common::format_bytes(total));
  if (done > 0 && done < total) {
    const double left = seconds * static_cast<double>(total - done) / static_cast<double>(done);
    text += fmt::format(", {} left", common::format_duration(std::chrono::duration<double>(left)));
  }
  return text;
}

ByteProgress::ByteProgress(ProgressStyle style, std::string what) : style_(style), what_(std::move(what)) {}

ByteProgress::~ByteProgress() {
  if (is_drawn_) draw("\r\033[2K");
}

void ByteProgress::show(std::uint64_t done, std::uint64_t total) {
  const auto now = Clock::now();
  const bool is_live = style_ == ProgressStyle::kLive;
  if (style_ == ProgressStyle::kQuiet || now - last_shown_ < (is_live ? kDrawInterval : kLineInterval))
    return;
  last_shown_ = now;
  const std::string text =
      byte_progress_text(what_, done, total, std::chrono::duration<double>(now - began_).count());
  if (is_live) {
    draw("\r\033[2K" + text);
    is_drawn_ = true;
  } else {
    say(text);
  }
}

}  // namespace layerpipe::launch
