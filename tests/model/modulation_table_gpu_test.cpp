// The modulation table on a GPU, at the width of the published model: the bits of single rows, and no weights
// that stay.
#include <ATen/Context.h>
#include <ATen/DeviceAccelerator.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <gtest/gtest.h>

#include "model/transformer/modulation_table.h"
#include "model/transformer/timestep_embedder.h"
#include "tests/support/modulation.h"
#include "tests/support/parity_case.h"

namespace layerpipe::model {
namespace {

using layerpipe::testing::is_equal;

std::int64_t allocated_bytes(const at::Device& device) {
  constexpr std::size_t kAllSizes = 0;  // of LibTorch's statistics
  return at::accelerator::getDeviceStats(device.index()).allocated_bytes[kAllSizes].current;
}

TEST(ModulationTableOnGpu, HasTheBitsOfSingleRowsAndKeepsNoWeights) {
  if (!at::globalContext().hasCUDA()) GTEST_SKIP() << "there is no GPU";
  const TransformerConfig config{.num_layers = 2, .use_additional_t_cond = true};
  const common::Range blocks{1, 2};
  const at::Device device(at::kCUDA, 0);
  const WeightStore store(std::make_shared<RandomTensorSource>("transformer", at::kBFloat16), device,
                          at::kBFloat16);
  std::vector<float> timesteps;
  for (int step = 0; step < 50; ++step) timesteps.push_back(1000.0F - 20.0F * static_cast<float>(step));
  const auto in_a_forward = [&](float timestep) {
    return layerpipe::testing::modulation_from(store, config, blocks,
                                               TimestepEmbedder(store, config).forward(timestep));
  };
  in_a_forward(500);  // libraries take their workspaces
  ModulationTable table(config, blocks, 50, device, at::kBFloat16);
  const std::int64_t before = allocated_bytes(device);
  ASSERT_TRUE(table.make(store, timesteps, {}));
  EXPECT_EQ(allocated_bytes(device), before);
  for (const std::size_t step : {0U, 1U, 17U, 49U}) {
    const ModulationRow row = table.row(timesteps[step]);
    const ModulationRow expected = in_a_forward(timesteps[step]);
    EXPECT_TRUE(is_equal(row.block(1).image.attention.shift, expected.block(1).image.attention.shift))
        << step;
    EXPECT_TRUE(is_equal(row.block(1).image.mlp.gate, expected.block(1).image.mlp.gate)) << step;
    EXPECT_TRUE(is_equal(row.block(1).text.attention.scale, expected.block(1).text.attention.scale)) << step;
    EXPECT_TRUE(is_equal(row.block(1).text.mlp.gate, expected.block(1).text.mlp.gate)) << step;
    EXPECT_TRUE(is_equal(row.head().scale, expected.head().scale)) << step;
    EXPECT_TRUE(is_equal(row.head().shift, expected.head().shift)) << step;
  }
}

}  // namespace
}  // namespace layerpipe::model
