#include "launch/options/plan_options.h"

#include <fmt/ranges.h>

#include <algorithm>

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
constexpr const char* kDeviceExample = "24GiB@165TFLOPS@25GB/s";

// What no bus and no disk comes near.
constexpr double kMostBytesPerSecond = 1e14;

// One that is known behind the size: "165TFLOPS", or "25GB/s". Each is given once.
void parse_speed_of(std::string_view text, partition::DeviceInfo& device) {
  const auto operations = common::parse_speed(text);
  const auto bytes = common::parse_rate(text);
  const double value = operations.value_or(bytes.value_or(0));
  if (value == 0) {
    throw common::InputError(fmt::format("--devices: \"{}\" is not a speed", text),
                             fmt::format("Give {}, or {}.", common::kSpeedForm, common::kRateForm));
  }
  if (value > (operations ? kMostOperations : kMostBytesPerSecond)) {
    throw common::InputError(
        operations
            ? fmt::format("--devices: {} is out of range: up to {:.0f}TFLOPS", text, kMostOperations / 1e12)
            : fmt::format("--devices: {} is out of range: up to {:.0f}GB/s", text, kMostBytesPerSecond / 1e9),
        operations ? "Give what each device does in a second."
                   : "Give what comes to each device in a second.");
  }
  double& known = operations ? device.operations_per_second : device.load_bytes_per_second;
  if (known > 0) {
    throw common::InputError(
        fmt::format("--devices: {} is the second speed of its kind for one device", text),
        fmt::format("Give one in TFLOPS and one in GB/s at most, such as {}.", kDeviceExample));
  }
  known = value;
}

partition::DeviceInfo parse_device(std::string_view entry, int rank) {
  const std::size_t end_of_size = std::min(entry.find('@'), entry.size());
  const std::string_view size = entry.substr(0, end_of_size);
  const auto bytes = common::parse_bytes(size);
  if (!bytes) {
    throw common::InputError(fmt::format("--devices: \"{}\" is not a size", size),
                             fmt::format("Give {}; behind an @ each, if they are known, {}, and {}.",
                                         common::kSizeForm, common::kSpeedForm, common::kRateForm));
  }
  if (*bytes > kMostBytes) {
    throw common::InputError(
        fmt::format("--devices: {} is out of range: 0GiB to {}GiB", size, kMostBytes >> 30),
        "Give what is free on each device.");
  }
  partition::DeviceInfo device{
      .rank = rank, .host = "localhost", .name = "imagined", .total_bytes = *bytes, .free_bytes = *bytes};
  for (std::size_t begin = end_of_size; begin < entry.size();) {
    const std::size_t end = std::min(entry.find('@', begin + 1), entry.size());
    parse_speed_of(entry.substr(begin + 1, end - begin - 1), device);
    begin = end;
  }
  return device;
}

// The ranks of some devices in words: "device 1", "devices 0, 2".
std::string name_devices(const std::vector<int>& ranks) {
  return fmt::format("device{} {}", ranks.size() == 1 ? "" : "s", fmt::join(ranks, ", "));
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
      "--devices gives no speed for {}, so the others' are not used, and times are not predicted",
      name_devices(without));
}

std::string missing_streaming_speeds(std::span<const partition::DeviceInfo> devices,
                                     const partition::Plan& plan) {
  std::vector<int> without;
  for (const partition::StagePlan& stage : plan.stages) {
    const auto device = std::ranges::find(devices, stage.rank, &partition::DeviceInfo::rank);
    const bool is_known = device->operations_per_second > 0 && device->load_bytes_per_second > 0;
    if (stage.streams() && !is_known) without.push_back(stage.rank);
  }
  if (without.empty() || !plan.fits) return {};
  std::ranges::sort(without);
  return fmt::format(
      "weights stream through {}, and how long that takes is not known: name how fast a device computes and "
      "how "
      "fast weights come to it behind its size, such as {}",
      name_devices(without), kDeviceExample);
}

void add_plan_options(CLI::App& command) {
  const OptionGroup needed(command, "Needed");
  add_model_option(needed);

  const OptionGroup machine(command, "Machine");
  machine.add(
      "--devices", "LIST",
      "Plan for devices with these bytes free, such as 24GiB,24GiB,12GiB, with their speed "
      "24GiB@165TFLOPS, and with that of the bus (or the disk) which weights come over where they stream "
      "24GiB@165TFLOPS@25GB/s [default: those of this machine]");
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
