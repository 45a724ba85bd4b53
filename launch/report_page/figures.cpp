#include "launch/report_page/figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <numeric>
#include <vector>

#include "common/units.h"

namespace layerpipe::launch {
namespace {

double number_in(const std::string& text, double otherwise) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? number : otherwise;
}

}  // namespace

std::string seconds_text(double seconds) {
  if (seconds < 0.00005) return "0 s";
  if (seconds < 0.01) return fmt::format("{:.1f} ms", seconds * 1e3);
  if (seconds < 1) return fmt::format("{:.0f} ms", seconds * 1e3);
  if (seconds < 10) return fmt::format("{:.2f} s", seconds);
  if (seconds < 60) return fmt::format("{:.1f} s", seconds);
  return common::format_duration(std::chrono::duration<double>(seconds));
}

std::string percent_text(double part, double whole) {
  const double percent = whole > 0 ? std::min(999.0, 100 * part / whole) : 0;
  return percent > 0 && percent < 0.5 ? "< 1 %" : fmt::format("{:.0f} %", percent);
}

std::string range_text(const std::pair<std::int64_t, std::int64_t>& range) {
  if (range.first == range.second) return "none";
  if (range.second - range.first == 1) return std::to_string(range.first);
  return fmt::format("{}–{}", range.first, range.second - 1);
}

std::string count_text(std::int64_t count, const std::string& one, const std::string& several) {
  return fmt::format("{} {}", count, count == 1 ? one : several);
}

double sum(const results::ByPhase<double>& seconds) {
  return std::accumulate(seconds.begin(), seconds.end(), 0.0);
}

double median(std::span<const double> values) {
  if (values.empty()) return 0;
  std::vector<double> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end());
  const std::size_t middle = sorted.size() / 2;
  return sorted.size() % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

std::optional<double> ratio(std::uint64_t measured, std::uint64_t predicted) {
  if (predicted == 0) return std::nullopt;
  return static_cast<double>(measured) / static_cast<double>(predicted);
}

std::string ratio_text(double ratio) {
  return ratio >= 10 ? fmt::format("{:.0f} ×", ratio) : fmt::format("{:.2f} ×", ratio);
}

std::int64_t results_of(const results::RunRecord& record) {
  const auto* images = record.option("image");
  const double pictures = images == nullptr ? 1 : static_cast<double>(images->values.size());
  const double each = number_in(option_text(record, "num-images"), 1);
  return static_cast<std::int64_t>(std::clamp(pictures * each, 1.0, 1e9));
}

int branches_of(const results::RunRecord& record) {
  const bool guided =
      option_text(record, "no-cfg") != "true" && number_in(option_text(record, "cfg-scale"), 4) > 1;
  return guided ? 2 : 1;
}

std::string option_text(const results::RunRecord& record, std::string_view name) {
  const auto* option = record.option(name);
  if (option == nullptr) return {};
  std::string text;
  for (const std::string& value : option->values) text += (text.empty() ? "" : "\n") + value;
  return text;
}

std::string file_name(const std::string& path) {
  return std::filesystem::path(path).filename().string();
}

}  // namespace layerpipe::launch
