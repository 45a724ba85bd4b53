// GPUs that cannot be used, seen through a driver that stands in for the real one.
#include <algorithm>

#include "tests/launch/program.h"

namespace layerpipe::launch {
namespace {

using layerpipe::testing::decompose_arguments;
using layerpipe::testing::Outcome;
using layerpipe::testing::run_program;

TEST(GpuRefusal, AutoSaysWhyItTakesTheCpu) {
  const layerpipe::testing::TemporaryFolder folder;
  auto arguments = decompose_arguments(folder.path() / "out");
  *(std::find(arguments.begin(), arguments.end(), "--device") + 1) = "auto";
  const Outcome outcome =
      run_program(arguments, {"LD_LIBRARY_PATH=" LAYERPIPE_FAKE_DRIVER, "FAKE_CUDA_VERSION=13000",
                              "FAKE_CUDA_GPUS=1", "FAKE_CUDA_CAPABILITY=75"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(outcome.err, ::testing::StartsWith("--device auto takes the CPU: GPU 0 (Fake GPU) has compute "
                                                 "capability 7.5; layerpipe needs 8.0 or more\n"));
}

}  // namespace
}  // namespace layerpipe::launch
