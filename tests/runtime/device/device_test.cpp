// Which GPUs are refused, in which words: for machines that are not at hand.
#include "runtime/device/device.h"

#include <gmock/gmock.h>

namespace layerpipe::runtime {
namespace {

constexpr GpuNeeds kNoKernels{.cuda_runtime = 13000};

CudaDriver driver_with(std::vector<GpuFacts> gpus) {
  return {.version = 13000, .gpus = std::move(gpus)};
}

void expect_refusal(const GpuRefusal& refusal, const std::string& reason, const std::string& cure) {
  EXPECT_EQ(refusal.reason, reason);
  EXPECT_EQ(refusal.cure, cure);
}

const GpuFacts kTuring{.name = "Tesla T4", .capability = 75, .total_bytes = 16ULL << 30};
const GpuFacts kAmpere{.name = "NVIDIA A100", .capability = 80, .total_bytes = 80ULL << 30};

TEST(JudgeGpu, AcceptsWhatFits) {
  EXPECT_EQ(judge_gpu(driver_with({kTuring, kAmpere}), kNoKernels, 1).reason, "");
  // A newer driver serves an older runtime, of the same major version also the other way round.
  EXPECT_EQ(judge_gpu(CudaDriver{.version = 14010, .gpus = {kAmpere}}, kNoKernels, 0).reason, "");
  EXPECT_EQ(judge_gpu(driver_with({kAmpere}), {.cuda_runtime = 13020}, 0).reason, "");
  EXPECT_EQ(judge_gpu(driver_with({kAmpere}), {.cuda_runtime = 13000, .compiled_for = {80, 90}}, 0).reason,
            "");
}

TEST(JudgeGpu, NoDriver) {
  expect_refusal(judge_gpu(std::nullopt, kNoKernels, 0),
                 "this machine has no NVIDIA driver: its library libcuda.so.1 was not found",
                 "Install an NVIDIA driver for CUDA 13.0 or newer, or take --device cpu.");
}

TEST(JudgeGpu, ADriverThatIsTooOld) {
  expect_refusal(
      judge_gpu(CudaDriver{.version = 12040, .gpus = {kAmpere}}, kNoKernels, 0),
      "the NVIDIA driver is too old: it is for CUDA 12.4, and this layerpipe needs one for CUDA 13.0",
      "Install an NVIDIA driver for CUDA 13.0 or newer, or take --device cpu.");
}

TEST(JudgeGpu, ADriverThatDoesNotStart) {
  expect_refusal(
      judge_gpu(CudaDriver{.version = 13000, .failure = "system not yet initialized (error 802)"}, kNoKernels,
                0),
      "the NVIDIA driver does not start: system not yet initialized (error 802)",
      "Check with nvidia-smi; often the machine has to be started again after an update of the driver.");
}

TEST(JudgeGpu, ALibraryThatIsNoDriver) {
  EXPECT_EQ(
      judge_gpu(CudaDriver{.failure = "its library lacks functions that CUDA 12 has"}, kNoKernels, 0).reason,
      "the NVIDIA driver does not start: its library lacks functions that CUDA 12 has");
}

TEST(JudgeGpu, NoGpu) {
  expect_refusal(
      judge_gpu(driver_with({}), kNoKernels, 0), "the NVIDIA driver shows no GPU",
      "Check with nvidia-smi, and the environment variable CUDA_VISIBLE_DEVICES, or take --device cpu.");
}

TEST(JudgeGpu, ACapabilityThatIsTooLow) {
  expect_refusal(judge_gpu(driver_with({kAmpere, kTuring}), kNoKernels, 1),
                 "GPU 1 (Tesla T4) has compute capability 7.5; layerpipe needs 8.0 or more",
                 "Choose another GPU with CUDA_VISIBLE_DEVICES, or take --device cpu.");
}

TEST(JudgeGpu, KernelsThatWereCompiledForNewerGpus) {
  expect_refusal(
      judge_gpu(driver_with({kAmpere}), {.cuda_runtime = 13000, .compiled_for = {90, 120}}, 0),
      "GPU 0 (NVIDIA A100) has compute capability 8.0; this layerpipe was compiled for 9.0 or more",
      "Build it with -DLAYERPIPE_CUDA_ARCHITECTURES=80, or take --device cpu.");
}

TEST(JudgeGpu, ALibTorchWithoutCuda) {
  expect_refusal(judge_gpu(driver_with({kAmpere}), {}, 0),
                 "this layerpipe was built with a LibTorch for CPUs only",
                 "Build it with the torch package for CUDA, or take --device cpu.");
}

TEST(ChooseDevice, TheCpuHasANameAndNoCapability) {
  const DeviceFacts facts = choose_device(DeviceChoice::kCpu);
  EXPECT_TRUE(facts.device.is_cpu());
  EXPECT_FALSE(facts.name.empty());
  EXPECT_EQ(facts.capability, 0);
  EXPECT_EQ(facts.remark, "");
}

}  // namespace
}  // namespace layerpipe::runtime
