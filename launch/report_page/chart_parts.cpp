#include "launch/report_page/chart_parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "launch/report_page/number_texts.h"

namespace layerpipe::launch {
namespace {

// 1, 2 or 5 times a power of ten: four to eight of them make `whole`.
double tick_step(double whole) {
  const double rough = whole / 5;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (rough <= factor * power) return factor * power;
  }
  return 10 * power;
}

}  // namespace

std::string percent(double share) {
  return fmt::format("{:.3f}%", 100 * std::clamp(share, 0.0, 1.0));
}

void begin_drawing(Markup& page, double height, const std::string& description) {
  page.open("svg", {{"width", "100%"},
                    {"height", fmt::format("{:.0f}", height)},
                    {"role", "img"},
                    {"aria-label", description}});
}

void draw(Markup& page, const Bar& bar) {
  page.open("rect", {{"class", bar.colour},
                     {"x", percent(bar.begin)},
                     {"y", fmt::format("{:.0f}", bar.top)},
                     {"width", percent(bar.end - bar.begin)},
                     {"height", fmt::format("{:.0f}", bar.height)}});
  page.element("title", bar.title);
  page.close();
}

void end_drawing(Markup& page) {
  page.close();
}

void draw(Markup& page, const ChartRow& row) {
  page.open("div", {{"class", "row"}});
  page.open("div", {{"class", "name"}});
  if (!row.name.empty()) page.element("b", row.name);
  if (!row.detail.empty()) page.element("span", row.detail);
  page.close();
  page.open("div", {{"class", "bars"}});
  begin_drawing(page, row.height, row.name + ": " + row.figure);
  page.single("rect",
              {{"class", "ground"}, {"width", "100%"}, {"height", fmt::format("{:.0f}", row.height)}});
  for (const Bar& bar : row.bars) draw(page, bar);
  end_drawing(page);
  page.close();
  page.element("div", {{"class", "figure"}}, row.figure);
  page.close();
}

void draw_time_axis(Markup& page, double seconds) {
  if (seconds <= 0) return;
  page.open("div", {{"class", "row axis"}}).element("div", {{"class", "name"}}, "");
  page.open("div", {{"class", "bars"}});
  begin_drawing(page, 20, "Time from 0 to " + seconds_text(seconds));
  const double step = tick_step(seconds);
  for (int i = 0; i * step <= seconds; ++i) {
    const double place = i * step / seconds;
    page.single("line", {{"x1", percent(place)}, {"x2", percent(place)}, {"y1", "0"}, {"y2", "4"}});
    if (place > 0.96) continue;  // its text would leave the drawing
    page.element("text", {{"x", percent(place)}, {"y", "16"}, {"class", i == 0 ? "first" : "tick"}},
                 i == 0 ? "0" : seconds_text(i * step));
  }
  end_drawing(page);
  page.close().element("div", {{"class", "figure"}}, "").close();
}

void draw_legend(Markup& page, const std::vector<std::pair<std::string, std::string>>& colours) {
  page.open("p", {{"class", "legend"}});
  for (const auto& [colour, meaning] : colours) {
    page.open("span").open("svg", {{"width", "12"}, {"height", "12"}, {"aria-hidden", "true"}});
    page.single("rect", {{"class", colour}, {"width", "12"}, {"height", "12"}, {"rx", "3"}});
    page.close().text(meaning).close();
  }
  page.close();
}

}  // namespace layerpipe::launch
