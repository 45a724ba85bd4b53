#include "launch/options/plan_options.h"

#include <fmt/ranges.h>

#include "common/errors.h"
#include "common/units.h"
#include "launch/options/job_options.h"
#include "launch/options/option_values.h"
#include "launch/options/run_options.h"
#include "runtime/request/limits.h"

namespace layerpipe::launch {
namespace {

constexpr std::size_t kMostDevices = 10000;
// What no device comes near: a typing error.
constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 40;
constexpr double kMostOperations = 1e17;

partition::DeviceInfo parse_device(std::string_view entry, int rank) {
  const std::size_t at = entry.find('@');
  const std::string_view size = entry.substr(0, at);
  const auto bytes = common::parse_bytes(size);
  if (!bytes) {
    throw common::InputError(
        fmt::format("--devices: \"{}\" is not a size", size),
        fmt::format("Give {}; behind an @, if it is known, {}.", common::kSizeForm, common::kSpeedForm));
  }
  if (*bytes > kMostBytes) {
    throw common::InputError(
        fmt::format("--devices: {} is out of range: 0GiB to {}GiB", size, kMostBytes >> 30),
        "Give what is free on each device.");
  }
  partition::DeviceInfo device{
      .rank = rank, .host = "localhost", .name = "imagined", .total_bytes = *bytes, .free_bytes = *bytes};
  if (at == entry.npos) return device;
  const auto speed = common::parse_speed(entry.substr(at + 1));
  if (!speed || *speed == 0) {
    throw common::InputError(fmt::format("--devices: \"{}\" is not a speed", entry.substr(at + 1)),
                             fmt::format("Give {}.", common::kSpeedForm));
  }
  if (*speed > kMostOperations) {
    throw common::InputError(fmt::format("--devices: {} is out of range: up to {:.0f}TFLOPS",
                                         entry.substr(at + 1), kMostOperations / 1e12),
                             "Give what each device does in a second.");
  }
  device.operations_per_second = *speed;
  return device;
}

}  // namespace

std::vector<partition::DeviceInfo> parse_devices(std::string_view text) {
  std::vector<partition::DeviceInfo> devices;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    devices.push_back(parse_device(text.substr(begin, end - begin), static_cast<int>(devices.size())));
    if (devices.size() > kMostDevices) {
      throw common::InputError(fmt::format("--devices names more than {} devices", kMostDevices));
    }
    begin = end + 1;
  }
  return devices;
}

std::string missing_speeds(std::span<const partition::DeviceInfo> devices) {
  std::vector<int> without;
  for (const partition::DeviceInfo& device : devices) {
    if (device.operations_per_second == 0) without.push_back(device.rank);
  }
  if (without.empty() || without.size() == devices.size()) return {};
  return fmt::format(
      "--devices gives no speed for device{} {}, so the others' are not used, and times are not predicted",
      without.size() == 1 ? "" : "s", fmt::join(without, ", "));
}

void add_plan_options(CLI::App& command) {
  const OptionGroup needed(command, "Needed");
  add_model_option(needed);

  const OptionGroup machine(command, "Machine");
  machine.add("--devices", "LIST",
              "Plan for devices with these bytes free, such as 24GiB,24GiB,12GiB, or with their speed "
              "24GiB@165TFLOPS [default: those of this machine]");
  add_partition_options(machine);

  const OptionGroup work(command, "Work");
  for (const char* field : {"layers", "resolution", "any_resolution", "steps"}) add_job_option(work, field);
  add_job_option(work, "no_cfg", "No guidance: half the work");
  add_job_option(work, "num_images", fmt::format("Results at a time, 1 to {}", runtime::kMostImages));

  const OptionGroup output(command, "Output");
  output.add_flag("--json", "Print JSON instead of a table");
  add_variant_option(output);
  add_component_file_options(output);
  add_job_option(output, "random_weights", "The model folder needs no weight files");
  add_footer(
      command,
      "Exits with 3 when the model does not fit.\n"
      "Example:\n  layerpipe plan --model Qwen-Image-Layered --devices 24GiB,24GiB,12GiB --resolution 1024");
}

PlanOptions read_plan_options(const CLI::App& command) {
  const OptionValues values(command, "layerpipe plan");
  values.require({"--model"});
  PlanOptions options;
  options.model = read_model_options(values);
  if (values.given("--devices")) {
    std::string list;
    values.read_text("--devices", list);
    options.devices = parse_devices(list);
  }
  options.job = read_job(values);
  session::check_resolution(options.job);
  check_no_files_beside_random_weights(options.model, options.job.random_weights);
  if (values.given("--json")) options.format = PlanFormat::kJson;
  options.run_config = make_run_config(read_partition_options(values));
  return options;
}

}  // namespace layerpipe::launch
