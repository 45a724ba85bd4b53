#include "launch/report_page/findings.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "common/units.h"
#include "launch/report_page/number_texts.h"

namespace layerpipe::launch {
namespace {

using results::RecordedRank;
using results::RunRecord;

double share(double part, double whole) {
  return whole > 0 ? part / whole : 0;
}

std::int64_t blocks(const RunRecord& record, std::size_t i) {
  return record.stages[i].blocks.second - record.stages[i].blocks.first;
}

std::string where_the_time_went(const RunRecord& record) {
  const double all = sum(record.seconds) + record.write_seconds.value_or(0);
  std::string text = fmt::format("It took {}: {} for encoding, {} for denoising", seconds_text(all),
                                 seconds_text(record.seconds[0]), seconds_text(record.seconds[1]));
  if (record.write_seconds) {
    text += fmt::format(", {} for decoding and {} for writing.", seconds_text(record.seconds[2]),
                        seconds_text(*record.write_seconds));
  } else {
    text += fmt::format(" and {} for decoding.", seconds_text(record.seconds[2]));
  }
  const double load = sum(record.load_seconds);
  if (share(load, all) >= 0.05) {
    text += fmt::format(" Of this, {} ({}) went into loading weights.", seconds_text(load),
                        percent_text(load, all));
  }
  const std::int64_t results = results_of(record);
  if (results > 1)
    text += fmt::format(" These are figures of all {} results of the run so far, not of this one alone.",
                        results);
  return text;
}

std::string cut_prompts(const RunRecord& record) {
  std::string text;
  for (const results::RecordedCut& cut : record.cut_prompts) {
    text += fmt::format("{}Of the {} tokens of --{} the model read the first {}; the rest had no effect.",
                        text.empty() ? "" : " ", cut.tokens, cut.option, cut.read_tokens);
  }
  return text;
}

std::string steps(const RunRecord& record) {
  const double typical = median(record.step_seconds);
  if (typical <= 0) return {};
  std::string text = fmt::format("A step took {} in the median", seconds_text(typical));
  if (record.predicted_step_seconds && *record.predicted_step_seconds > 0) {
    const std::string predicted = seconds_text(*record.predicted_step_seconds);
    text += results_of(record) == 1
                ? fmt::format("; the plan predicted {}", predicted)
                : fmt::format(", beside those of other results; the plan predicted {} for a result alone",
                              predicted);
  }
  text += '.';
  const auto slowest = std::max_element(record.step_seconds.begin(), record.step_seconds.end());
  if (*slowest >= 1.5 * typical && record.step_seconds.size() > 2) {
    text += fmt::format(" Step {} of {} was the slowest, with {}.",
                        std::distance(record.step_seconds.begin(), slowest) + 1, record.step_seconds.size(),
                        seconds_text(*slowest));
  }
  return text;
}

// The stage that the others wait for.
std::size_t busiest(const RunRecord& record) {
  const auto most =
      std::max_element(record.ranks.begin(), record.ranks.end(), [](const auto& a, const auto& b) {
        return share(a.busy_seconds, a.denoise_seconds) < share(b.busy_seconds, b.denoise_seconds);
      });
  return static_cast<std::size_t>(most - record.ranks.begin());
}

std::string waiting(const RunRecord& record) {
  const auto most =
      std::max_element(record.ranks.begin(), record.ranks.end(), [](const auto& a, const auto& b) {
        return share(a.wait_seconds, a.denoise_seconds) < share(b.wait_seconds, b.denoise_seconds);
      });
  const auto place = static_cast<std::size_t>(most - record.ranks.begin());
  const std::size_t busy = busiest(record);
  if (share(most->wait_seconds, most->denoise_seconds) < 0.05)
    return "Nobody waited for long: each rank waited for less than 5 % of the denoising.";
  std::string text = fmt::format("Rank {} waited for {} of the denoising", most->rank,
                                 percent_text(most->wait_seconds, most->denoise_seconds));
  if (place != busy && blocks(record, place) < blocks(record, busy)) {
    text += fmt::format(": it has {}, and rank {}, which worked for {} of it, has {}",
                        count_text(blocks(record, place), "block", "blocks"), record.ranks[busy].rank,
                        percent_text(record.ranks[busy].busy_seconds, record.ranks[busy].denoise_seconds),
                        blocks(record, busy));
  }
  return text + ".";
}

// What one picture can make of several stages, and what several pictures could.
std::string room_in_the_pipe(const RunRecord& record) {
  const auto stages = static_cast<double>(record.stages.size());
  if (results_of(record) != 1) return {};
  const double bound = branches_of(record) == 2 ? 2 / (stages + 1) : 1 / stages;
  return fmt::format(
      "One picture {} keeps {} equal stages at work for {} of the time at most, for a step begins only when "
      "the last one has gone all the way round. More pictures in one run would fill the rest.",
      branches_of(record) == 2 ? "with guidance" : "without guidance", record.stages.size(),
      percent_text(bound, 1));
}

std::string memory(const RunRecord& record) {
  double worst = 0;
  std::string where;
  for (const RecordedRank& rank : record.ranks) {
    for (std::size_t i = 0; i < results::kRecordedPhases.size(); ++i) {
      const auto of = ratio(rank.peak_bytes[i], rank.predicted_peak_bytes[i]);
      if (!of || *of <= worst) continue;
      worst = *of;
      where = fmt::format("rank {} ({}): {} predicted, {} measured", rank.rank, results::kRecordedPhases[i],
                          common::format_bytes(rank.predicted_peak_bytes[i]),
                          common::format_bytes(rank.peak_bytes[i]));
    }
  }
  if (record.on_cpu() || where.empty()) return {};
  return worst > 1 ? fmt::format("The prediction was too low by {} on {}.", percent_text(worst - 1, 1), where)
                   : fmt::format("No device used more memory than predicted. The closest was {}.", where);
}

std::string traffic(const RunRecord& record) {
  std::uint64_t bytes = 0;
  std::int64_t messages = 0;
  double wait = 0;
  for (const RecordedRank& rank : record.ranks) {
    if (!rank.edge) continue;
    bytes += rank.edge->bytes;
    messages += rank.edge->messages;
    wait += rank.edge->wait_seconds;
  }
  return fmt::format("{} went over the edges, in {}; senders waited {} in all for room on them.",
                     common::format_bytes(bytes), count_text(messages, "message", "messages"),
                     seconds_text(wait));
}

}  // namespace

std::vector<std::string> findings(const RunRecord& record) {
  std::vector<std::string> all{cut_prompts(record), where_the_time_went(record), steps(record)};
  if (record.ranks.size() > 1) {
    all.push_back(waiting(record));
    all.push_back(room_in_the_pipe(record));
    all.push_back(traffic(record));
  }
  all.push_back(memory(record));
  std::erase(all, "");
  return all;
}

std::string peak_meaning(const RunRecord& record) {
  if (record.on_cpu()) {
    return "On a CPU, what is measured is the memory of the whole process: the program, its libraries and "
           "what earlier phases left. The plan predicts the model's share alone, so the measured bar is "
           "longer, and with a small model much longer. It says nothing against the plan.";
  }
  return "Measured is the memory of the device that was in use at the peak, with the driver's context and "
         "the buffers of transfers, which the plan predicts too.";
}

}  // namespace layerpipe::launch
