#include "launch/keeper/mpirun_output.h"

#include <algorithm>
#include <array>

namespace layerpipe::launch {
namespace {

bool is_rule(std::string_view line) {
  constexpr std::size_t kRuleWidth = 60;
  return line.size() >= kRuleWidth && line.find_first_not_of("-\r\n") == std::string_view::npos;
}

// Whether a box tells only that a rank has ended.
bool tells_of_an_end(std::string_view box) {
  constexpr std::array<std::string_view, 3> kWords{"Primary job  terminated normally, but",
                                                   "detected that one or more processes exited with non-zero",
                                                   "noticed that process rank"};
  return std::any_of(kWords.begin(), kWords.end(),
                     [&](std::string_view words) { return box.find(words) != std::string_view::npos; });
}

bool tells_of_a_signal(std::string_view line) {
  return line.find("run: Forwarding signal ") != std::string_view::npos;
}

}  // namespace

std::string MpirunOutput::take(std::string_view bytes) {
  std::string shown;
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    line_ += bytes.substr(0, end == std::string_view::npos ? bytes.size() : end + 1);
    if (end == std::string_view::npos) break;
    bytes.remove_prefix(end + 1);
    shown += take_line(std::move(line_));
    line_.clear();
  }
  return shown;
}

std::string MpirunOutput::take_line(std::string line) {
  // Ranks write between the lines of a box.
  if (line.starts_with("layerpipe: ")) {
    has_message_ = true;
    return line;
  }
  if (box_.empty() && !is_rule(line)) {
    if (!tells_of_a_signal(line)) return line;
    held_back_ += line;
    return {};
  }
  const bool is_end = !box_.empty() && is_rule(line);
  box_ += line;
  if (!is_end) return {};
  std::string box;
  box.swap(box_);
  if (!tells_of_an_end(box)) return box;
  held_back_ += box;
  return {};
}

std::string MpirunOutput::flush() {
  std::string box;
  box.swap(box_);
  std::string line;
  line.swap(line_);
  if (!tells_of_an_end(box)) return box + line;
  held_back_ += box;
  return line;
}

}  // namespace layerpipe::launch
