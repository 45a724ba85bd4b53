// Single Euler steps against diffusers, bit for bit (tools/parity/scalars.py).
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <gtest/gtest.h>

#include "model/pipeline/pipeline.h"
#include "model/scheduler.h"
#include "model/weights/safetensors.h"
#include "tests/support/parity_case.h"

namespace layerpipe::model {
namespace {

class EulerParity : public ::testing::TestWithParam<std::string> {};

TEST_P(EulerParity, StepsEqualThoseOfDiffusers) {
  const SafetensorsFile file(layerpipe::testing::test_data() / "parity" / "euler.safetensors");
  const auto tensor = [&](const std::string& name) { return file.read(GetParam() + "." + name); };
  SchedulerConfig config;
  config.use_dynamic_shifting = true;
  config.shift_terminal = 0.02;
  constexpr std::int64_t kSteps = 3;
  const Schedule schedule = pipeline_of(PipelineClass::kLayered).schedule(config, kSteps, 1600);
  for (std::int64_t step = 0; step < kSteps; ++step) {
    const at::Tensor result = euler_step(schedule, step, tensor("sample"), tensor("prediction"));
    EXPECT_TRUE(layerpipe::testing::is_equal(result, tensor(std::to_string(step)))) << "step " << step;
  }
}

INSTANTIATE_TEST_SUITE_P(Dtypes, EulerParity, ::testing::Values("fp32", "bf16"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace layerpipe::model
