#include "launch/terminal/plan_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <vector>

#include "common/units.h"
#include "common/visible.h"

namespace layerpipe::launch {
namespace {

using partition::Residency;
using partition::StagePlan;

constexpr std::size_t kWidestHost = 12;
constexpr std::size_t kWidestDevice = 14;
constexpr double kGiB = 1 << 30;

std::string gib(double bytes) {
  const double value = bytes / kGiB;
  if (std::abs(value) < 1000) return fmt::format("{:.2f}", value);
  // Somebody's test: what matters is that the columns hold it.
  return std::abs(value) < 1e5 ? fmt::format("{:.0f}", value) : fmt::format("{:.0e}", value);
}
std::string gib(std::uint64_t bytes) {
  return gib(static_cast<double>(bytes));
}

// "0-19", with the last one included as in the YAML; "-" for none.
std::string range_text(const common::Range& range) {
  if (range.size() == 0) return "-";
  return range.size() == 1 ? std::to_string(range.begin) : fmt::format("{}-{}", range.begin, range.end - 1);
}

std::string percent_text(double percent) {
  if (percent == 0) return "-";
  return percent < 1 ? "< 1 %" : fmt::format("{:.0f} %", percent);
}

// "RTX 4090" for "NVIDIA GeForce RTX 4090".
std::string short_device(std::string name) {
  for (const std::string_view maker : {"NVIDIA ", "GeForce "}) {
    if (name.starts_with(maker)) name.erase(0, maker.size());
  }
  return name;
}

// On one line, cut between two characters.
std::string shortened(const std::string& text, std::size_t width) {
  std::string shown = common::visible(text);
  if (shown.size() <= width) return shown;
  std::size_t end = width - 1;
  while (end > 0 && (static_cast<unsigned char>(shown[end]) & 0xC0) == 0x80) --end;
  return shown.substr(0, end) + "~";
}

const char* residency_word(const partition::PerComponent<Residency>& residency) {
  const bool is_uniform =
      residency.transformer == residency.text_encoder && residency.vae == residency.transformer;
  return is_uniform ? to_string(residency.transformer) : "mixed";
}

// What has to be known to read the table.
std::string heading(const partition::Plan& plan, const PlanSubject& subject) {
  const auto& residency = plan.residency;
  return fmt::format(
      "{}: {}\n{}; transformer {}, text encoder {}, VAE {}; {} {} in the pipeline at a time\n\n",
      common::visible(subject.model), subject.work, to_string(plan.strategy),
      to_string(residency.transformer), to_string(residency.text_encoder), to_string(residency.vae),
      plan.in_flight, plan.in_flight == 1 ? "picture" : "pictures");
}

struct Row {
  std::string rank, host, device, free, blocks, text, vae, residency, encode, denoise, decode, spare, busy{};
};

std::string line(const Row& row, std::size_t host, std::size_t device) {
  std::string text =
      fmt::format("{:>4}  {:<{}}  {:<{}} {:>7} {:>8} {:>7} {:>6}  {:<8} {:>6} {:>7} {:>6} {:>7} {:>6}",
                  row.rank, row.host, host, row.device, device, row.free, row.blocks, row.text, row.vae,
                  row.residency, row.encode, row.denoise, row.decode, row.spare, row.busy);
  text.erase(text.find_last_not_of(' ') + 1);
  return text + "\n";
}

Row row_of(const partition::Plan& plan, const StagePlan& stage) {
  const partition::PhaseBytes& peaks = stage.predicted_peak_bytes;
  return {.rank = std::to_string(stage.rank),
          .host = shortened(stage.host, kWidestHost),
          .device = shortened(short_device(stage.device), kWidestDevice),
          .free = gib(stage.free_bytes),
          .blocks = range_text(stage.blocks),
          .text = range_text(stage.text_layers),
          .vae = percent_text(stage.vae_percent),
          .residency = residency_word(plan.residency),
          .encode = gib(peaks.encode),
          .denoise = gib(peaks.denoise),
          .decode = gib(peaks.decode),
          .spare = gib(static_cast<double>(stage.budget_bytes) - static_cast<double>(peaks.most())),
          .busy = stage.predicted_busy_share ? percent_text(100 * *stage.predicted_busy_share) : ""};
}

Row totals(const partition::Plan& plan) {
  double free = 0;
  double spare = 0;
  std::int64_t blocks = 0;
  std::int64_t layers = 0;
  for (const StagePlan& stage : plan.stages) {
    free += static_cast<double>(stage.free_bytes);
    spare += static_cast<double>(stage.budget_bytes) - static_cast<double>(stage.predicted_peak_bytes.most());
    blocks += stage.blocks.size();
    layers += stage.text_layers.size();
  }
  return {.rank = "all",
          .free = gib(free),
          .blocks = std::to_string(blocks),
          .text = std::to_string(layers),
          .vae = "100 %",
          .spare = gib(spare)};
}

// "52 of 60 blocks, 4 of 28 text layers"
std::string passing_text(const StagePlan& stage) {
  std::string text;
  if (stage.streamed_blocks > 0)
    text = fmt::format("{} of {} blocks", stage.streamed_blocks, stage.blocks.size());
  if (stage.streamed_text_layers > 0) {
    text += fmt::format("{}{} of {} text layers", text.empty() ? "" : ", ", stage.streamed_text_layers,
                        stage.text_layers.size());
  }
  return text;
}

// What passes through the devices, by rank; empty where nothing does.
std::string stream_table(const partition::Plan& plan) {
  if (!plan.streams()) return {};
  constexpr double kGiga = 1e9;
  constexpr const char* kLine = "{:>4}  {:<38}  {:>10}  {:>11}  {:>8}\n";
  const auto number = [](const std::optional<double>& value) {
    return value ? fmt::format("{:.2f}", *value) : std::string("?");
  };
  std::string text = "\n";
  text += fmt::format(kLine, "rank", "streams", "GiB a step", "GB/s needed", "slowdown");
  for (const StagePlan& stage : plan.stages) {
    if (!stage.streams()) continue;
    const auto& needed = stage.bus_bytes_per_second_needed;
    text +=
        fmt::format(kLine, stage.rank, passing_text(stage), gib(stage.bytes_per_step),
                    number(needed ? std::optional(*needed / kGiga) : std::nullopt), number(stage.slowdown));
  }
  text +=
      "GB/s needed: so that weights come while it computes; slowdown: against weights that stay; ?: not "
      "known\n";
  return text;
}

// What a host has to hold in its own memory.
std::string host_lines(const partition::HostPlan& host) {
  const std::string of = host.host.empty() ? "" : " of " + common::visible(host.host);
  std::string text;
  if (host.predicted_bytes > 0) {
    text += fmt::format("host memory{}: {}", of, common::format_bytes(host.predicted_bytes));
    if (host.budget_bytes) text += fmt::format(" of {} free", common::format_bytes(*host.budget_bytes));
    text += '\n';
  }
  if (host.cache_bytes > 0) {
    text += fmt::format("page cache{}: {} beside it, so that no weight is read from the disk again\n", of,
                        common::format_bytes(host.cache_bytes));
  }
  return text;
}

std::string time_line(const partition::Plan& plan, const PlanSubject& subject) {
  if (!plan.predicted_step_seconds || !plan.predicted_seconds) return {};
  const auto duration = [](double seconds) {
    return common::format_duration(std::chrono::duration<double>(seconds));
  };
  const std::string each =
      subject.pictures > 1
          ? fmt::format("{} for each picture, ",
                        duration(*plan.predicted_seconds / static_cast<double>(subject.pictures)))
          : "";
  return fmt::format("a step of one picture takes {:.2f} s, {}all of it {}\n", *plan.predicted_step_seconds,
                     each, duration(*plan.predicted_seconds));
}

std::string notes_of_memory(std::span<const partition::DeviceInfo> devices) {
  constexpr std::uint64_t kUsual = std::uint64_t{1} << 30;
  std::string notes;
  for (const partition::DeviceInfo& device : devices) {
    if (device.total_bytes <= device.free_bytes + kUsual) continue;
    notes += fmt::format("rank {}: {} of the {} of its GPU are held by other programs\n", device.rank,
                         common::format_bytes(device.total_bytes - device.free_bytes),
                         common::format_bytes(device.total_bytes));
  }
  return notes;
}

// As --devices takes it.
std::string speed_text(double operations_per_second) {
  return fmt::format("{:.3g}TFLOPS", operations_per_second / 1e12);
}

std::string notes_of_speeds(std::span<const partition::DeviceInfo> devices) {
  double least = std::numeric_limits<double>::infinity();
  double most = 0;
  std::string unknown;
  for (const partition::DeviceInfo& device : devices) {
    if (device.operations_per_second > 0) {
      least = std::min(least, device.operations_per_second);
      most = std::max(most, device.operations_per_second);
    } else {
      unknown +=
          fmt::format("rank {}: too little memory is free to measure its speed, so times are not predicted\n",
                      device.rank);
    }
  }
  if (most == 0) return {};  // measured nowhere
  const std::string range = speed_text(least) == speed_text(most)
                                ? speed_text(most)
                                : speed_text(least) + " to " + speed_text(most);
  return "speed, measured with a block: " + range + "\n" + unknown;
}

// The slowest: devices of one host share its memory, and it decides where stages wait for each other.
std::string notes_of_loading(std::span<const partition::DeviceInfo> devices) {
  double least = std::numeric_limits<double>::infinity();
  for (const partition::DeviceInfo& device : devices) {
    if (device.load_bytes_per_second > 0) least = std::min(least, device.load_bytes_per_second);
  }
  if (std::isinf(least)) return {};  // measured nowhere
  return "loading, measured from memory: " + common::format_rate(least) + "\n";
}

}  // namespace

std::string device_notes(std::span<const partition::DeviceInfo> devices, const at::Device& kind) {
  return (kind.is_cpu() ? "" : notes_of_memory(devices)) + notes_of_speeds(devices) +
         notes_of_loading(devices);
}

std::string plan_table(const partition::Plan& plan, const PlanSubject& subject) {
  const Row header{"rank",
                   "host",
                   "device",
                   "free",
                   "blocks",
                   "text",
                   "VAE",
                   "weights",
                   "encode",
                   "denoise",
                   "decode",
                   "spare",
                   plan.predicted_seconds ? "busy" : ""};
  std::vector<Row> rows{header};
  for (const StagePlan& stage : plan.stages) rows.push_back(row_of(plan, stage));
  if (plan.stages.size() > 1) rows.push_back(totals(plan));
  std::size_t host = 0;
  std::size_t device = 0;
  for (const Row& row : rows) {
    host = std::max(host, row.host.size());
    device = std::max(device, row.device.size());
  }
  std::string text = heading(plan, subject);
  for (const Row& row : rows) text += line(row, host, device);
  text +=
      "\nGiB. encode, denoise, decode: the most that is taken in that phase; spare: what is left of what may "
      "be used\n";
  text += stream_table(plan);
  for (const partition::HostPlan& host : plan.hosts) text += host_lines(host);
  text += time_line(plan, subject);
  text += subject.notes;
  if (!plan.remarks.empty()) text += '\n';
  for (const std::string& remark : plan.remarks) text += common::visible(remark) + '\n';
  return text;
}

std::string work_text(const WorkWords& work) {
  std::string text = fmt::format("{} {} at {} px, {}, {}", work.layers, work.layers == 1 ? "layer" : "layers",
                                 work.resolution, work.branches > 1 ? "guidance" : "no guidance", work.dtype);
  if (work.pictures > 1) text += fmt::format(", {} pictures", work.pictures);
  return text;
}

}  // namespace layerpipe::launch
