// What the charts share.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "launch/report_page/markup.h"

namespace layerpipe::launch {

// "12.345%"
std::string percent(double share);

// A bar from `begin` to `end`, shares of the width, with a text for those who ask (a title).
struct Bar {
  double begin = 0;
  double end = 0;
  std::string colour;  // a class
  std::string title;
  double top = 0;
  double height = 18;
};

void begin_drawing(Markup& page, double height, const std::string& description);
void draw(Markup& page, const Bar& bar);
void end_drawing(Markup& page);

// A line of a chart: its name, the bars beside it, and behind them the figure.
struct ChartRow {
  std::string name;
  std::string detail;  // below the name, softer; may be empty
  std::vector<Bar> bars;
  double height = 18;
  std::string figure;
};
void draw(Markup& page, const ChartRow& row);

// Times from 0 to `seconds` below the bars of a chart of rows.
void draw_time_axis(Markup& page, double seconds);

// Colours and their meanings.
void draw_legend(Markup& page, const std::vector<std::pair<std::string, std::string>>& colours);

}  // namespace layerpipe::launch
