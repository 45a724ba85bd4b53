// The chart of a trace.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <set>

#include "launch/report_page/chart_parts.h"
#include "launch/report_page/charts.h"
#include "launch/report_page/number_texts.h"

namespace layerpipe::launch {
namespace {

using results::RecordedTrace;
using results::RecordedWork;
using Row = RecordedWork::Row;

constexpr std::int64_t kSteps = 3;
constexpr std::size_t kMostBars = 6000;  // of a window: more cannot be seen, and make the page slow
constexpr int kColours = 8;

struct Window {
  double begin = std::numeric_limits<double>::infinity();
  double end = 0;
  std::int64_t first_step = 0;
  std::int64_t last_step = 0;
};

// The last step of all requests.
std::int64_t last_step_of(const RecordedTrace& trace) {
  std::int64_t last = -1;
  for (const auto& rank : trace.ranks) {
    for (const RecordedWork& work : rank.work) last = std::max(last, work.step);
  }
  return last;
}

// The window reaches from the first to the last computation of these steps of `request`.
Window window_of(const RecordedTrace& trace, std::int64_t request, std::int64_t first, std::int64_t last) {
  Window window{.first_step = first, .last_step = last};
  for (const auto& rank : trace.ranks) {
    for (const RecordedWork& work : rank.work) {
      if (work.row != Row::kCompute || work.request != request || work.step < first || work.step > last)
        continue;
      window.begin = std::min(window.begin, work.begin);
      window.end = std::max(window.end, work.end);
    }
  }
  return window;
}

std::int64_t first_request_of(const RecordedTrace& trace) {
  std::int64_t first = std::numeric_limits<std::int64_t>::max();
  for (const auto& rank : trace.ranks) {
    for (const RecordedWork& work : rank.work) first = std::min(first, work.request);
  }
  return first;
}

std::string colour_of(const RecordedWork& work) {
  return fmt::format("m{}", (2 * (work.request % kColours) + work.branch % 2) % kColours);
}

std::string name_of(const RecordedWork& work, int branches) {
  std::string name = fmt::format("request {}, step {}", work.request, work.step + 1);
  if (branches > 1) name += work.branch == 0 ? ", with the prompt" : ", with the negative prompt";
  return name;
}

struct Lane {
  Row row;
  const char* name;
};
constexpr Lane kLanes[] = {
    {Row::kCompute, "compute"}, {Row::kReceive, "wait and receive"}, {Row::kSend, "send"}};

void draw_lane(Markup& page, const RecordedTrace::Rank& rank, const Lane& lane, const Window& window,
               int branches) {
  const double length = window.end - window.begin;
  ChartRow row{.name = lane.row == Row::kCompute ? fmt::format("Rank {}", rank.rank) : std::string(),
               .detail = lane.name,
               .height = 14};
  double taken = 0;  // by one or more at a time
  double until = window.begin;
  for (const RecordedWork& work : rank.work) {
    if (work.row != lane.row || work.end <= window.begin || work.begin >= window.end) continue;
    const double begin = std::max(work.begin, window.begin);
    const double end = std::min(work.end, window.end);
    taken += std::max(0.0, end - std::max(begin, until));
    until = std::max(until, end);
    if (row.bars.size() >= kMostBars) continue;
    row.bars.push_back({.begin = (begin - window.begin) / length,
                        .end = (end - window.begin) / length,
                        .colour = colour_of(work) + (lane.row == Row::kCompute ? "" : " thin"),
                        .title = fmt::format("{}: {}, {}", work.name, name_of(work, branches),
                                             seconds_text(work.end - work.begin)),
                        .top = lane.row == Row::kCompute ? 0.0 : 4.0,
                        .height = lane.row == Row::kCompute ? 14.0 : 6.0});
  }
  row.figure = percent_text(taken, length);
  draw(page, row);
}

void draw_colours(Markup& page, const RecordedTrace& trace, const Window& window, int branches) {
  std::set<std::pair<std::int64_t, std::int64_t>> seen;
  for (const auto& rank : trace.ranks) {
    for (const RecordedWork& work : rank.work) {
      if (work.end > window.begin && work.begin < window.end && work.branch < 2)
        seen.insert({work.request, work.branch});
    }
  }
  std::vector<std::pair<std::string, std::string>> colours;
  for (const auto& [request, branch] : seen) {
    if (colours.size() >= kColours) break;
    const RecordedWork work{.request = request, .branch = branch};
    colours.emplace_back(
        colour_of(work),
        branches == 1 ? fmt::format("Request {}", request)
                      : fmt::format("Request {}, {}", request, branch == 0 ? "prompt" : "negative prompt"));
  }
  draw_legend(page, colours);
}

}  // namespace

void draw_pipeline(Markup& page, const results::RunRecord& record, const RecordedTrace& trace) {
  const std::int64_t last = last_step_of(trace);
  if (last < 0) {
    page.element("p", {{"class", "note"}}, "The trace holds no denoising.");
    return;
  }
  // Away from both ends, where the pipe fills and empties.
  const std::int64_t first = std::max<std::int64_t>(0, last / 2 - kSteps / 2);
  const Window window = window_of(trace, first_request_of(trace), first, std::min(last, first + kSteps - 1));
  if (window.end <= window.begin) {
    page.element("p", {{"class", "note"}}, "The trace holds no whole step.");
    return;
  }
  const int branches = branches_of(record);
  page.element(
      "p", fmt::format("Steps {} to {} of {}, {} long. Each bar is one forward pass, or one transfer, of "
                       "one request and branch; a receive lasts from when the rank asks until the data is "
                       "there, so it is mostly waiting.",
                       window.first_step + 1, window.last_step + 1, last + 1,
                       seconds_text(window.end - window.begin)));
  draw_colours(page, trace, window, branches);
  page.open("div", {{"class", "chart pipeline"}});
  for (const auto& rank : trace.ranks) {
    for (const Lane& lane : kLanes) {
      if (trace.ranks.size() == 1 && lane.row != Row::kCompute) continue;  // it has nobody to send to
      draw_lane(page, rank, lane, window, branches);
    }
  }
  draw_time_axis(page, window.end - window.begin);
  page.close();
}

}  // namespace layerpipe::launch
