#include "launch/report_page/page.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/units.h"
#include "launch/report_page/charts.h"
#include "launch/report_page/findings.h"
#include "launch/report_page/number_texts.h"
#include "launch/report_page/style.h"
#include "media/html_text.h"

namespace layerpipe::launch {
namespace {

using results::RecordedRank;
using results::RunRecord;

std::string size_text(const common::Size& size) {
  return fmt::format("{} × {}", size.width, size.height);
}

void begin_page(Markup& page, const std::string& title) {
  page.as_it_is("<!DOCTYPE html>\n").open("html", {{"lang", "en"}}).open("head");
  page.single("meta", {{"charset", "utf-8"}});
  page.single("meta",
              {{"http-equiv", "Content-Security-Policy"},
               {"content", "default-src 'none'; style-src " + media::policy_source(kReportStyleSha256) +
                               "; base-uri 'none'; form-action 'none'"}});
  page.single("meta", {{"name", "viewport"}, {"content", "width=device-width, initial-scale=1"}});
  page.single("meta", {{"name", "color-scheme"}, {"content", "light dark"}});
  page.single("meta", {{"name", "generator"}, {"content", "layerpipe " LAYERPIPE_VERSION}});
  page.element("title", title).open("style").as_it_is(kReportStyle).close().close().open("body");
}

void write_head(Markup& page, const RunRecord& record) {
  page.open("header");
  page.element("p", {{"class", "kind"}}, "layerpipe " + record.command + " · report of a run");
  page.element("h1", file_name(record.picture));
  const std::string prompt = option_text(record, "prompt");
  if (!prompt.empty()) page.element("p", {{"class", "prompt"}}, prompt);
  page.open("p", {{"class", "facts"}});
  const auto fact = [&](const std::string& text) { page.element("span", text); };
  fact(count_text(static_cast<std::int64_t>(record.ranks.size()), "rank", "ranks"));
  fact(record.device_name + (record.on_cpu() ? " (CPU)" : ""));
  fact(record.dtype);
  if (const auto layers = option_text(record, "layers"); !layers.empty()) fact(layers + " layers");
  fact(count_text(static_cast<std::int64_t>(record.step_seconds.size()), "step", "steps"));
  fact(size_text(record.working_size) + " pixels");
  fact("seed " + std::to_string(record.seed));
  page.close().close();
}

void write_tiles(Markup& page, const RunRecord& record) {
  const auto tile = [&](const std::string& name, const std::string& figure, const std::string& detail) {
    page.open("div").element("span", name).element("b", figure).element("span", detail).close();
  };
  std::uint64_t peak = 0;
  std::string peak_at;
  std::uint64_t bytes = 0;
  double busy = 0;
  double whole = 0;
  for (const RecordedRank& rank : record.ranks) {
    for (std::size_t i = 0; i < results::kRecordedPhases.size(); ++i) {
      if (rank.peak_bytes[i] <= peak) continue;
      peak = rank.peak_bytes[i];
      peak_at = fmt::format("rank {}, {}", rank.rank, results::kRecordedPhases[i]);
    }
    if (rank.edge) bytes += rank.edge->bytes;
    busy += rank.busy_seconds;
    whole += rank.denoise_seconds;
  }
  const std::string predicted = record.predicted_seconds
                                    ? seconds_text(*record.predicted_seconds) + " predicted, without loading"
                                    : "not predicted";
  page.open("section", {{"class", "tiles"}, {"aria-label", "Figures at a glance"}});
  tile("In all", seconds_text(sum(record.seconds) + record.write_seconds.value_or(0)), predicted);
  tile("A step", seconds_text(median(record.step_seconds)), "in the median");
  tile("At work", percent_text(busy, whole),
       record.ranks.size() == 1 ? "of the denoising" : "of all stages' denoising");
  tile("Most memory", common::format_bytes(peak), peak_at);
  if (record.ranks.size() > 1) tile("Between ranks", common::format_bytes(bytes), "over all edges");
  page.close();
}

void write_findings(Markup& page, const RunRecord& record) {
  page.open("section").element("h2", "In short").open("ul", {{"class", "findings"}});
  for (const std::string& sentence : findings(record)) page.element("li", sentence);
  page.close().close();
}

void write_edges(Markup& page, const RunRecord& record) {
  page.element("h3", "Edges").open("div", {{"class", "wide"}}).open("table").open("thead").open("tr");
  page.element("th", "Edge");
  for (const char* head : {"Messages", "Bytes", "A message", "Sender waited"})
    page.element("th", {{"class", "number"}}, head);
  page.close().close().open("tbody");
  for (const RecordedRank& rank : record.ranks) {
    if (!rank.edge) continue;
    const auto number = [&](const std::string& text) { page.element("td", {{"class", "number"}}, text); };
    const std::uint64_t messages = std::max<std::int64_t>(1, rank.edge->messages);
    page.open("tr").element("td", fmt::format("rank {} → rank {}", rank.rank, rank.edge->to_rank));
    number(std::to_string(rank.edge->messages));
    number(common::format_bytes(rank.edge->bytes));
    number(common::format_bytes(rank.edge->bytes / messages));
    number(seconds_text(rank.edge->wait_seconds));
    page.close();
  }
  page.close().close().close();
  page.element(
      "p", {{"class", "note"}},
      "The last stage's edge carries the new latents back to the first, the others the two streams of a "
      "block. A sender waits when the edge is full.");
}

void write_plan(Markup& page, const RunRecord& record) {
  page.open("section").element("h2", "Plan");
  page.element(
      "p",
      fmt::format("Strategy {}. Predicted: {} a step of a result alone, {} in all without loading.",
                  record.strategy,
                  record.predicted_step_seconds ? seconds_text(*record.predicted_step_seconds) : "nothing",
                  record.predicted_seconds ? seconds_text(*record.predicted_seconds) : "nothing"));
  page.open("div", {{"class", "wide"}}).open("table").open("thead").open("tr");
  for (const char* head : {"Rank", "Host", "Device", "Blocks", "Text layers", "VAE", "Residency"})
    page.element("th", head);
  page.close().close().open("tbody");
  for (std::size_t i = 0; i < record.stages.size(); ++i) {
    const results::RecordedStage& stage = record.stages[i];
    page.open("tr").element("td", std::to_string(stage.rank)).element("td", stage.host);
    page.element("td", record.ranks[i].device).element("td", range_text(stage.blocks));
    page.element("td", range_text(stage.text_layers))
        .element("td", fmt::format("{:.0f} %", stage.vae_percent));
    page.element("td", stage.residency).close();
  }
  page.close().close().close().close();
}

void write_facts(Markup& page, const RunRecord& record) {
  page.element("h3", "What made it").open("dl", {{"class", "facts-list"}});
  const auto fact = [&](const std::string& name, const std::string& value) {
    page.open("div").element("dt", name).element("dd", value).close();
  };
  fact("Picture", fmt::format("{}, {} pixels", record.picture, size_text(record.picture_size)));
  fact("Layers", size_text(record.layer_size) + " pixels, made at " + size_text(record.working_size));
  fact("Model", record.model_folder);
  fact("Pipeline", record.pipeline);
  fact("Fingerprint", record.fingerprint);
  fact("Device", fmt::format("{} ({})", record.device_name, record.device_id));
  fact("Precision", record.dtype);
  fact("Seed", std::to_string(record.seed));
  for (const auto& [name, version] : record.versions) fact("Version of " + name, version);
  page.close();
}

void write_options(Markup& page, const RunRecord& record) {
  page.element("h3", "Options").open("div", {{"class", "wide"}}).open("table", {{"class", "options"}});
  page.open("thead").open("tr");
  for (const char* head : {"Option", "Value", "From"}) page.element("th", head);
  page.close().close().open("tbody");
  const auto write = [&](bool defaults) {
    for (const results::RecordedOption& option : record.options) {
      if ((option.source == "default") != defaults) continue;
      const std::string value = option_text(record, option.name);
      page.open("tr", {{"class", defaults ? "default" : "given"}}).element("td", option.name);
      const bool is_blank = value.find_first_not_of(" \t\n") == std::string::npos;
      if (is_blank) {
        page.open("td").element("i", value.empty() ? "none" : "blank").close();
      } else {
        page.element("td", value);
      }
      page.element("td", option.source).close();
    }
  };
  write(false);  // what was asked for, then the rest
  write(true);
  page.close().close().close();
}

void write_pipeline(Markup& page, const ReportSource& source) {
  page.element("h3", "The pipeline, step by step");
  if (source.trace) {
    draw_pipeline(page, source.record, *source.trace);
  } else {
    page.element("p", {{"class", "note"}}, source.trace_note);
  }
}

}  // namespace

std::string report_page(const ReportSource& source) {
  const RunRecord& record = source.record;
  Markup page;
  begin_page(page, file_name(record.picture) + " · layerpipe report");
  write_head(page, record);
  page.open("main");
  write_tiles(page, record);
  write_findings(page, record);
  page.open("section").element("h2", "Where the time went");
  draw_timeline(page, record);
  write_pipeline(page, source);
  page.close();
  page.open("section").element("h2", "Work and waiting while denoising");
  draw_shares(page, record);
  page.element(
      "p", {{"class", "note"}},
      "Busy: computing or sending. Waiting: for what another rank sends, or for room on an edge. Idle: "
      "neither.");
  page.close();
  page.open("section").element("h2", "Peak memory, predicted and measured");
  page.element("p", peak_meaning(record));
  draw_memory(page, record);
  page.close();
  page.open("section").element("h2", "Steps");
  draw_steps(page, record);
  if (record.ranks.size() > 1) write_edges(page, record);
  page.close();
  write_plan(page, record);
  page.open("section").element("h2", "Parameters");
  write_facts(page, record);
  write_options(page, record);
  page.close().close();
  page.element("footer", "Made by layerpipe " LAYERPIPE_VERSION " from run.json.");
  return page.take();
}

}  // namespace layerpipe::launch
