#include "launch/report_page/charts.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/units.h"
#include "launch/report_page/chart_parts.h"
#include "launch/report_page/number_texts.h"

namespace layerpipe::launch {
namespace {

using results::kRecordedPhases;
using results::RecordedRank;
using results::RunRecord;

std::string rank_name(const RecordedRank& rank) {
  return fmt::format("Rank {}", rank.rank);
}

struct RankTimes {
  std::string name;
  std::string detail;
  results::ByPhase<double> seconds;
  results::ByPhase<double> load;
  double write;  // on rank 0

  double all() const { return sum(seconds) + write; }
};

// The times of every rank, or of rank 0 alone where the file has no others.
std::vector<RankTimes> times_of(const RunRecord& record) {
  std::vector<RankTimes> times;
  for (const RecordedRank& rank : record.ranks) {
    const double write = rank.rank == 0 ? record.write_seconds.value_or(0) : 0;
    if (rank.seconds && rank.load_seconds) {
      times.push_back({rank_name(rank), rank.host, *rank.seconds, *rank.load_seconds, write});
    } else if (rank.rank == 0) {
      times.push_back({rank_name(rank), rank.host, record.seconds, record.load_seconds, write});
    }
  }
  return times;
}

// A phase's loading, then its work.
void add_phase(std::vector<Bar>& bars, const RankTimes& rank, std::size_t phase, double& clock,
               double longest) {
  const double load = std::min(rank.load[phase], rank.seconds[phase]);
  const double work = rank.seconds[phase] - load;
  const std::string name(kRecordedPhases[phase]);
  bars.push_back({.begin = clock / longest,
                  .end = (clock + load) / longest,
                  .colour = "load",
                  .title = fmt::format("{}, loading for {}: {}", rank.name, name, seconds_text(load))});
  bars.push_back({.begin = (clock + load) / longest,
                  .end = (clock + load + work) / longest,
                  .colour = name,
                  .title = fmt::format("{}, {}: {}", rank.name, name, seconds_text(work))});
  clock += load + work;
}

void write_times_table(Markup& page, const std::vector<RankTimes>& times) {
  page.open("div", {{"class", "wide"}}).open("table").open("thead").open("tr");
  page.element("th", "Rank");
  for (const char* head : {"Load", "Encode", "Denoise", "Decode", "Write", "In all"})
    page.element("th", {{"class", "number"}}, head);
  page.close().close().open("tbody");
  for (const RankTimes& rank : times) {
    page.open("tr").element("td", rank.name);
    page.element("td", {{"class", "number"}}, seconds_text(sum(rank.load)));
    for (std::size_t i = 0; i < kRecordedPhases.size(); ++i) {
      const double work = std::max(0.0, rank.seconds[i] - rank.load[i]);
      page.element("td", {{"class", "number"}}, rank.seconds[i] > 0 ? seconds_text(work) : "–");
    }
    page.element("td", {{"class", "number"}}, rank.write > 0 ? seconds_text(rank.write) : "–");
    page.element("td", {{"class", "number"}}, seconds_text(rank.all())).close();
  }
  page.close().close().close();
}

}  // namespace

void draw_timeline(Markup& page, const RunRecord& record) {
  const std::vector<RankTimes> times = times_of(record);
  double longest = 1e-9;
  for (const RankTimes& rank : times) longest = std::max(longest, rank.all());
  draw_legend(page, {{"load", "Load weights"},
                     {"encode", "Encode"},
                     {"denoise", "Denoise"},
                     {"decode", "Decode"},
                     {"write", "Write"}});
  page.open("div", {{"class", "chart"}});
  for (const RankTimes& rank : times) {
    ChartRow row{.name = rank.name, .detail = rank.detail, .figure = seconds_text(rank.all())};
    double clock = 0;
    for (std::size_t i = 0; i < kRecordedPhases.size(); ++i) add_phase(row.bars, rank, i, clock, longest);
    row.bars.push_back({.begin = clock / longest,
                        .end = (clock + rank.write) / longest,
                        .colour = "write",
                        .title = fmt::format("{}, write: {}", rank.name, seconds_text(rank.write))});
    draw(page, row);
  }
  draw_time_axis(page, longest);
  page.close();
  if (times.size() < record.ranks.size()) {
    page.element("p", {{"class", "note"}}, "This run.json holds the times of rank 0 alone.");
  }
  write_times_table(page, times);
  const bool decoding =
      std::any_of(times.begin(), times.end(), [](const RankTimes& rank) { return rank.seconds[2] <= 0; });
  if (decoding) {
    page.element("p", {{"class", "note"}},
                 "Decoding is timed on rank 0, which writes run.json while the others may still be at it.");
  }
}

void draw_shares(Markup& page, const RunRecord& record) {
  draw_legend(page, {{"busy", "Busy"}, {"wait", "Waiting for others"}, {"idle", "Idle"}});
  page.open("div", {{"class", "chart"}});
  for (std::size_t i = 0; i < record.ranks.size(); ++i) {
    const RecordedRank& rank = record.ranks[i];
    const double whole = std::max(rank.denoise_seconds, 1e-9);
    ChartRow row{
        .name = fmt::format("Stage {}", record.stages[i].stage),
        .detail = fmt::format(
            "rank {}, {}", rank.rank,
            count_text(record.stages[i].blocks.second - record.stages[i].blocks.first, "block", "blocks"))};
    double at = 0;
    for (const auto& [name, seconds] :
         {std::pair{"busy", rank.busy_seconds}, {"wait", rank.wait_seconds}, {"idle", rank.idle_seconds}}) {
      const std::string said = fmt::format("{} {}", percent_text(seconds, whole), name);
      row.bars.push_back({.begin = at,
                          .end = at + seconds / whole,
                          .colour = name,
                          .title = fmt::format("Rank {}: {}, {}", rank.rank, said, seconds_text(seconds))});
      at += seconds / whole;
      row.figure += (row.figure.empty() ? "" : " · ") + said;
    }
    draw(page, row);
  }
  page.close();
}

void draw_memory(Markup& page, const RunRecord& record) {
  std::uint64_t most = 1;
  for (const RecordedRank& rank : record.ranks) {
    for (std::size_t i = 0; i < kRecordedPhases.size(); ++i)
      most = std::max({most, rank.peak_bytes[i], rank.predicted_peak_bytes[i]});
  }
  const auto share = [&](std::uint64_t bytes) {
    return static_cast<double>(bytes) / static_cast<double>(most);
  };
  draw_legend(page, {{"predicted", "Predicted"},
                     {"measured", record.on_cpu() ? "Measured, whole process" : "Measured"}});
  page.open("div", {{"class", "chart memory"}});
  for (const RecordedRank& rank : record.ranks) {
    for (std::size_t i = 0; i < kRecordedPhases.size(); ++i) {
      const std::string predicted = common::format_bytes(rank.predicted_peak_bytes[i]);
      const std::string measured =
          rank.peak_bytes[i] == 0 ? "not measured" : common::format_bytes(rank.peak_bytes[i]);
      const auto of = ratio(rank.peak_bytes[i], rank.predicted_peak_bytes[i]);
      draw(page, ChartRow{.name = i == 0 ? rank_name(rank) : std::string(),
                          .detail = std::string(kRecordedPhases[i]),
                          .bars = {{.end = share(rank.predicted_peak_bytes[i]),
                                    .colour = "predicted",
                                    .title = "Predicted: " + predicted,
                                    .height = 10},
                                   {.end = share(rank.peak_bytes[i]),
                                    .colour = "measured",
                                    .title = "Measured: " + measured,
                                    .top = 12,
                                    .height = 10}},
                          .height = 22,
                          .figure = fmt::format("{} → {}{}", predicted, measured,
                                                of ? " · " + ratio_text(*of) : std::string())});
    }
  }
  page.close();
}

void draw_steps(Markup& page, const RunRecord& record) {
  if (record.step_seconds.empty()) {
    page.element("p", {{"class", "note"}}, "This run.json holds no steps.");
    return;
  }
  constexpr double kHeight = 120;
  // The prediction is that of a result alone.
  const double predicted = results_of(record) == 1 ? record.predicted_step_seconds.value_or(0) : 0;
  double most = std::max(predicted, 1e-9);
  for (const double seconds : record.step_seconds) most = std::max(most, seconds);
  most *= 1.05;
  draw_legend(page, predicted > 0
                        ? std::vector<std::pair<std::string, std::string>>{{"denoise", "Step"},
                                                                           {"predicted", "Predicted"}}
                        : std::vector<std::pair<std::string, std::string>>{{"denoise", "Step"}});
  const auto count = static_cast<double>(record.step_seconds.size());
  page.open("div", {{"class", "columns"}});
  begin_drawing(page, kHeight, fmt::format("Seconds of {} steps", record.step_seconds.size()));
  for (std::size_t i = 0; i < record.step_seconds.size(); ++i) {
    const double height = std::max(1.0, kHeight * record.step_seconds[i] / most);
    const double width = std::min(1 / count, 0.08);  // few steps need not fill the page
    const auto at = static_cast<double>(i);
    draw(page, {.begin = (at + 0.08) * width,
                .end = (at + 0.92) * width,
                .colour = "denoise",
                .title = fmt::format("Step {}: {}", i + 1, seconds_text(record.step_seconds[i])),
                .top = kHeight - height,
                .height = height});
  }
  if (predicted > 0) {
    const std::string y = fmt::format("{:.1f}", kHeight * (1 - predicted / most));
    page.open("line", {{"class", "predicted-line"}, {"x1", "0"}, {"x2", "100%"}, {"y1", y}, {"y2", y}});
    page.element("title", "Predicted: " + seconds_text(predicted)).close();
  }
  end_drawing(page);
  page.close();
  const auto [least, longest] = std::minmax_element(record.step_seconds.begin(), record.step_seconds.end());
  page.element(
      "p", {{"class", "note"}},
      fmt::format("{} steps: {} at least, {} in the median, {} at most{}.", record.step_seconds.size(),
                  seconds_text(*least), seconds_text(median(record.step_seconds)), seconds_text(*longest),
                  predicted > 0 ? "; " + seconds_text(predicted) + " predicted" : std::string()));
}

}  // namespace layerpipe::launch
