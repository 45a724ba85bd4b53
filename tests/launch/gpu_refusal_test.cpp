// GPUs that cannot be used, seen through a driver that stands in for the real one.
#include "common/files.h"
#include "tests/launch/program.h"

namespace layerpipe::launch {
namespace {

using layerpipe::testing::decompose_arguments;
using layerpipe::testing::Outcome;
using layerpipe::testing::run_program;

class GpuRefusal : public ::testing::Test {
 protected:
  void SetUp() override { ::setenv("LD_LIBRARY_PATH", LAYERPIPE_FAKE_DRIVER, 1); }
  void TearDown() override {
    for (const char* name :
         {"LD_LIBRARY_PATH", "FAKE_CUDA_INIT", "FAKE_CUDA_VERSION", "FAKE_CUDA_GPUS", "FAKE_CUDA_CAPABILITY"})
      ::unsetenv(name);
  }
  static void driver(const char* version, const char* gpus = "1", const char* capability = "80") {
    ::setenv("FAKE_CUDA_VERSION", version, 1);
    ::setenv("FAKE_CUDA_GPUS", gpus, 1);
    ::setenv("FAKE_CUDA_CAPABILITY", capability, 1);
  }
  // decompose_arguments with another --device.
  std::vector<std::string> arguments(const std::string& device) const {
    auto arguments = decompose_arguments(out_);
    *(std::find(arguments.begin(), arguments.end(), "--device") + 1) = device;
    return arguments;
  }

  layerpipe::testing::TemporaryFolder folder_;
  std::filesystem::path out_ = folder_.path() / "out";
};

TEST_F(GpuRefusal, AutoSaysWhyItTakesTheCpu) {
  driver("13000", "1", "75");
  const Outcome outcome = run_program(arguments("auto"));
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(outcome.err, ::testing::StartsWith("--device auto takes the CPU: GPU 0 (Fake GPU) has compute "
                                                 "capability 7.5; layerpipe needs 8.0 or more\ncpu ("));
}

}  // namespace
}  // namespace layerpipe::launch
