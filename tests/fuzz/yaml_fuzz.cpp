// Any text as the YAML file of a run's settings.
#include "runtime/config/run_config.h"
#include "tests/fuzz/fuzz_target.h"

namespace common = layerpipe::common;
namespace runtime = layerpipe::runtime;

namespace {

// What the reader promises of a config that it accepts.
void check_ranges(const runtime::RunConfig& config) {
  double percent = 0;
  std::int64_t next_block = 0;
  for (const auto& stage : config.partition.stages) {
    common::ensure(stage.blocks.begin == next_block && stage.blocks.size() > 0, "blocks with a gap");
    next_block = stage.blocks.end;
    percent += stage.vae_percent;
  }
  const bool is_explicit = config.partition.strategy == layerpipe::partition::Strategy::kExplicit;
  common::ensure(is_explicit == !config.partition.stages.empty(), "stages of another strategy");
  common::ensure(!is_explicit || (percent > 99.99 && percent < 100.01), "shares that are no whole");
  common::ensure(!config.file_settings.empty(), "a file that gives nothing");
  common::ensure(config.comm.timeout >= runtime::kShortestTimeout, "no timeout");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  layerpipe::testing::accept_or_refuse([&] {
    check_ranges(
        runtime::parse_run_config(layerpipe::testing::text_of(data, size), layerpipe::testing::kInputName));
  });
  return 0;
}
