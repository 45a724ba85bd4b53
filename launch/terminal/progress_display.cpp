#include "launch/terminal/progress_display.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <string_view>
#include <utility>

#include "launch/terminal/terminal.h"

namespace layerpipe::launch {
namespace {

using partition::Phase;
using runtime::Progress;
using Status = PhaseState::Status;

constexpr std::chrono::seconds kLineInterval{10};
constexpr std::int64_t kWorthALine = 256 << 20;  // bytes to load
constexpr std::chrono::milliseconds kLeastRedrawInterval{50};
constexpr std::chrono::milliseconds kRedrawInterval{500};
constexpr int kDefaultColumns = 80;

int columns_of_stderr() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : kDefaultColumns;
}

// The first that is set decides, in the order of locale(7).
Charset charset_of_environment() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* value = std::getenv(name);
    if (value == nullptr || *value == '\0') continue;
    const std::string_view text(value);
    const bool unicode = text.find("UTF-8") != text.npos || text.find("utf8") != text.npos;
    return unicode ? Charset::kUnicode : Charset::kAscii;
  }
  return Charset::kAscii;
}

std::string date_and_time() {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  ::localtime_r(&now, &local);
  return fmt::format("{:%Y-%m-%d %H:%M:%S}", local);
}

Status status_of(Progress::Work work) {
  switch (work) {
    case Progress::Work::kLoad:
      return Status::kLoading;
    case Progress::Work::kPrepare:
      return Status::kPreparing;
    case Progress::Work::kCompute:
      break;
  }
  return Status::kComputing;
}

}  // namespace

ProgressStyle progress_style_for_stderr() {
  const char* terminal = std::getenv("TERM");
  const bool moves_its_cursor =
      terminal != nullptr && *terminal != '\0' && std::string_view(terminal) != "dumb";
  return ::isatty(STDERR_FILENO) != 0 && moves_its_cursor ? ProgressStyle::kLive : ProgressStyle::kLines;
}

ProgressDisplay::ProgressDisplay(ProgressStyle style, std::function<runtime::MemoryUse()> read_memory,
                                 const std::atomic<bool>& stop_requested)
    : style_(style),
      charset_(charset_of_environment()),
      read_memory_(std::move(read_memory)),
      stop_requested_(stop_requested) {
  if (style_ == ProgressStyle::kLive) redrawing_ = std::thread([this] { redraw_until_the_end(); });
}

ProgressDisplay::~ProgressDisplay() {
  if (!redrawing_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  ends_.notify_one();
  redrawing_.join();
}

void ProgressDisplay::begin_window(const common::Range& results, std::int64_t count) {
  if (style_ == ProgressStyle::kQuiet || results.size() == count) return;
  const std::lock_guard lock(mutex_);
  const auto now = Clock::now();
  if (results.begin == 0) first_window_start_ = now;
  const double seconds = std::chrono::duration<double>(now - first_window_start_).count();
  phase_ = nullptr;
  state_.phases = {};
  state_.writing = {};
  state_.window = {.results = results,
                   .count = count,
                   .seconds_each = results.begin == 0 ? 0 : seconds / static_cast<double>(results.begin)};
  if (style_ == ProgressStyle::kLines)
    say(fmt::format("{}  {}\n", date_and_time(), window_text(state_.window)));
}

void ProgressDisplay::show(const Progress& progress) {
  show(state_.phases[progress.phase], {.status = status_of(progress.work),
                                       .network = progress.network,
                                       .done = progress.done,
                                       .total = progress.total});
}

void ProgressDisplay::show(const results::WritingProgress& progress) {
  show(state_.writing,
       {.status = Status::kComputing, .network = {}, .done = progress.done, .total = progress.total});
}

void ProgressDisplay::show(PhaseState& phase, const Step& step) {
  if (style_ == ProgressStyle::kQuiet) return;
  const std::lock_guard lock(mutex_);
  const bool is_news = update(phase, step);
  if (style_ == ProgressStyle::kLive) {
    if (is_news || Clock::now() - last_drawn_ >= kLeastRedrawInterval) draw_block();
  } else if (is_news || Clock::now() - last_drawn_ >= kLineInterval) {
    write_line();
  }
}

// Whether the line that this makes is worth a line in a log: a beginning or an end. A phase may come back to
// its work after another one, as decoding does after writing.
bool ProgressDisplay::update(PhaseState& phase, const Step& step) {
  count_seconds();
  const bool begins = phase.status != step.status || phase.network != step.network;
  // Loading in the middle of a phase's work (the VAE encoder, behind the text encoder) takes up what was
  // done.
  if (begins) phase.seconds = 0;
  if (begins || phase.done != step.done) phase.seconds_at_unit = phase.seconds;
  phase_ = &phase;
  phase.status = step.status;
  phase.network = step.network;
  phase.done = step.done;
  phase.total = step.total;
  const bool ends = step.status == Status::kComputing && step.done == step.total;
  if (ends) phase.status = Status::kDone;
  const bool is_short = step.status != Status::kComputing && step.total < kWorthALine;
  return (begins && step.done == 0 && !is_short) || ends;
}

// Of the phase at work, until now.
void ProgressDisplay::count_seconds() {
  const auto now = Clock::now();
  const double passed = std::chrono::duration<double>(now - counted_until_).count();
  counted_until_ = now;
  if (phase_ == nullptr) return;
  if (!is_under_way(*phase_)) return;
  phase_->seconds += passed;
  phase_->phase_seconds += passed;
}

// Draws over the block before and leaves the cursor below it, where an error message may follow.
void ProgressDisplay::draw_block() {
  read_memory();
  const int columns = columns_of_stderr();
  // The terminal may have shown a key at the cursor, so the column is set as well.
  std::string text = drawn_lines_ > 0 ? fmt::format("\r\033[{}A", drawn_lines_) : "";
  drawn_lines_ = 0;
  std::vector<std::string> lines = progress_block(state_, charset_);
  if (stop_requested_.load()) lines.emplace_back("  stopping after this step; once more stops at once");
  for (const std::string& line : lines) {
    text += "\033[2K" + fit(line, columns - 1) + "\n";
    ++drawn_lines_;
  }
  draw(text);
  last_drawn_ = Clock::now();
}

void ProgressDisplay::write_line() {
  read_memory();
  std::string text = writing_text(state_.writing);
  for (const Phase phase : partition::kPhases) {
    if (phase_ == &state_.phases[phase]) text = phase_text(phase, *phase_);
  }
  say(fmt::format("{}  {}; memory {}\n", date_and_time(), text, memory_text(state_.memory)));
  last_drawn_ = Clock::now();
}

// The device's peak begins anew with every phase; what is shown is that of the run.
void ProgressDisplay::read_memory() {
  const std::uint64_t peak = state_.memory.peak;
  state_.memory = read_memory_();
  state_.memory.peak = std::max(peak, state_.memory.peak);
}

void ProgressDisplay::redraw_until_the_end() {
  std::unique_lock lock(mutex_);
  while (!ends_.wait_for(lock, kRedrawInterval, [this] { return ending_; })) {
    if (drawn_lines_ == 0) continue;  // nothing has begun
    try {
      count_seconds();
      draw_block();
    } catch (const std::exception&) {
      return;  // the device failed; the thread that works will say how
    }
  }
}

}  // namespace layerpipe::launch
