// The options of `layerpipe plan`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "launch/options/work_options.h"
#include "partition/device_info.h"
#include "runtime/config/run_config.h"

namespace CLI {
class App;
}

namespace layerpipe::launch {

enum class PlanFormat { kTable, kJson };

struct PlanOptions {
  std::filesystem::path model;
  std::vector<partition::DeviceInfo> devices;  // imagined; empty: those of this machine
  session::WorkOptions work;
  bool no_cfg = false;
  std::int64_t num_images = 1;
  runtime::RunConfig run_config;
  bool random_weights = false;
  PlanFormat format = PlanFormat::kTable;
};

void add_plan_options(CLI::App& command);

// Reads the options of a parsed command, and the file of --partition. Throws InputError naming the option.
PlanOptions read_plan_options(const CLI::App& command);

// "24GiB,24GiB@165TFLOPS,12GiB": ranks 0, 1, 2 of one host. Throws InputError naming the entry.
std::vector<partition::DeviceInfo> parse_devices(std::string_view text);

}  // namespace layerpipe::launch
