// The options of `layerpipe plan`.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "launch/options/model_options.h"
#include "partition/device_info.h"
#include "runtime/config/run_config.h"
#include "session/job.h"

namespace CLI {
class App;
}

namespace layerpipe::launch {

enum class PlanFormat { kTable, kJson };

struct PlanOptions {
  ModelOptions model;
  std::vector<partition::DeviceInfo> devices;  // imagined; empty: those of this machine
  session::Job job;                            // how much is to be made; there are no pictures and no prompt
  runtime::RunConfig run_config;
  PlanFormat format = PlanFormat::kTable;
};

void add_plan_options(CLI::App& command);

// Reads the options of a parsed command, and the file of --partition. Throws InputError naming the option.
PlanOptions read_plan_options(const CLI::App& command);

// "24GiB,24GiB@165TFLOPS,12GiB": ranks 0, 1, 2 of one host. Throws InputError naming the entry.
std::vector<partition::DeviceInfo> parse_devices(std::string_view text);

// A sentence about imagined devices of which some have a speed and others do not; empty for any others.
std::string missing_speeds(std::span<const partition::DeviceInfo> devices);

}  // namespace layerpipe::launch
