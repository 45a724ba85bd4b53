// Figures as people read them, and what several parts of the page compute from a run's record.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "results/run_record.h"

namespace layerpipe::launch {

// "0.4 ms", "12.3 ms", "1.23 s", "12.3 s", "3 min 05 s".
std::string seconds_text(double seconds);
// "43 %"; of nothing, "0 %". `part` and `whole` are not negative.
std::string percent_text(double part, double whole);
// "3 blocks: 0–2", "none"; a half-open range.
std::string range_text(const std::pair<std::int64_t, std::int64_t>& range);
// "1 block", "2 blocks".
std::string count_text(std::int64_t count, const std::string& one, const std::string& several);

double sum(const results::ByPhase<double>& seconds);
double median(std::span<const double> values);  // 0 of none

// Measured against predicted; nothing where nothing was predicted.
std::optional<double> ratio(std::uint64_t measured, std::uint64_t predicted);
// "0.96 ×"
std::string ratio_text(double ratio);

// The number of results that were made together: pictures times results of each.
std::int64_t results_of(const results::RunRecord& record);
// 2 with guidance, 1 without.
int branches_of(const results::RunRecord& record);
// The option's text, or "" when there is none.
std::string option_text(const results::RunRecord& record, std::string_view name);
// The name without its folders.
std::string file_name(const std::string& path);

}  // namespace layerpipe::launch
