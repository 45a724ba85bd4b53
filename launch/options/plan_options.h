// The options of `layerpipe plan`.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "launch/options/model_options.h"
#include "partition/device_info.h"
#include "partition/plan.h"
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

// "24GiB,24GiB@165TFLOPS@25GB/s,12GiB": ranks 0, 1, 2 of one host; free bytes, and behind an @ each, in
// either order, what is known of its speed of computing and of how fast weights come to it. Throws InputError
// naming the entry.
std::vector<partition::DeviceInfo> parse_devices(std::string_view text);

// A sentence about imagined devices of which some have a speed and others do not; empty for any others.
std::string missing_speeds(std::span<const partition::DeviceInfo> devices);

// A sentence about those of imagined devices that weights stream through at an unknown speed, with how to
// give it; empty where there are none, or the plan does not fit.
std::string missing_streaming_speeds(std::span<const partition::DeviceInfo> devices,
                                     const partition::Plan& plan);

}  // namespace layerpipe::launch
