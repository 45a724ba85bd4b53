#include "runtime/plan/cost.h"

#include <gtest/gtest.h>

#include "model/text_encoder/text_encoder.h"
#include "model/transformer/transformer.h"
#include "model/vae/vae_cost.h"
#include "model/vae/vae_strips.h"
#include "runtime/device/overhead.h"
#include "tests/support/model_copy.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/test_data.h"

namespace layerpipe::runtime {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

ModelFolder small_model(WeightOrigin origin = WeightOrigin::kFiles) {
  return {layerpipe::testing::test_data() / "parity" / "plain" / "model", origin};
}

std::uint64_t weights_of(const partition::ChainCost& chain) {
  std::uint64_t sum = chain.first.weight_bytes + chain.last.weight_bytes;
  for (const partition::UnitCost& unit : chain.units) sum += unit.weight_bytes;
  return sum;
}

TEST(Cost, WeighsWhatTheNetworksLoad) {
  const ModelFolder model = small_model();
  const partition::ModelCost cost =
      model_cost(model, {.picture = {64, 64}, .device = at::kCPU, .dtype = at::kFloat});
  const auto whole = [&](partition::Network network, const auto& build) {
    std::uint64_t sum = 0;
    build(model::WeightStore::dry_run(model.source(network), at::kCPU, at::kFloat,
                                      [&](std::uint64_t bytes) { sum += bytes; }));
    return sum;
  };
  const model::ModelConfig& config = model.config();
  EXPECT_EQ(weights_of(cost.transformer),
            whole(partition::Network::kTransformer,
                  [&](const model::WeightStore& store) { model::Transformer(store, config.transformer); }));
  EXPECT_EQ(weights_of(cost.text_encoder),
            whole(partition::Network::kTextEncoder,
                  [&](const model::WeightStore& store) { model::TextEncoder(store, config.text_encoder); }));
  EXPECT_EQ(static_cast<std::int64_t>(cost.transformer.units.size()), config.transformer.num_layers);
  EXPECT_LT(cost.transformer.units.back().weight_bytes, cost.transformer.units.front().weight_bytes);
  EXPECT_LT(cost.transformer.units.back().operations, cost.transformer.units.front().operations);
}

// Weights are read, never used where their files lie, so every dtype takes what it is wide.
TEST(Cost, CountsWeightsInEveryDtype) {
  const auto cost_in = [](at::ScalarType dtype) {
    return model_cost(small_model(), {.picture = {64, 64}, .device = at::kCPU, .dtype = dtype});
  };
  const partition::ModelCost bf16 = cost_in(at::kBFloat16);  // as the files have them
  const partition::ModelCost fp32 = cost_in(at::kFloat);
  EXPECT_GT(weights_of(bf16.transformer), 0u);
  EXPECT_EQ(2 * weights_of(bf16.transformer), weights_of(fp32.transformer));
  EXPECT_EQ(2 * weights_of(bf16.text_encoder), weights_of(fp32.text_encoder));
}

// The published sizes: a card with 16 GB holds what is chosen, once a table stands for the modulation.
TEST(Cost, CountsWeightsInFp8AsTheyAreStored) {
  const layerpipe::testing::TemporaryFolder folder;
  const ModelFolder model(layerpipe::testing::make_full_size_model(folder.path() / "model"),
                          WeightOrigin::kRandom);
  const auto cost_in = [&](Linears linears) {
    return model_cost(model, {.picture = {640, 640}, .dtype = at::kBFloat16, .linears = linears}).transformer;
  };
  const partition::ChainCost bf16 = cost_in(Linears::kAsStored);
  const partition::ChainCost fp8 = cost_in(Linears::kFp8);
  const std::size_t last = bf16.units.size() - 1;
  EXPECT_EQ(fp8.units[0].weight_bytes, bf16.units[0].weight_bytes);
  EXPECT_EQ(fp8.units[last].weight_bytes, bf16.units[last].weight_bytes);
  // Eight matrices of the attention and three of the MLPs, less a scale for each of their rows.
  const auto dim = static_cast<std::uint64_t>(model.config().transformer.inner_dim());
  for (std::size_t i = 1; i < last; ++i)
    EXPECT_EQ(bf16.units[i].weight_bytes - fp8.units[i].weight_bytes, 20 * dim * dim - 17 * dim * 4);
  const double gib = static_cast<double>(weights_of(fp8)) / static_cast<double>(1024 * kMiB);
  constexpr double kTable = 0.21;
  EXPECT_LE(gib + kTable, 15.5);
  EXPECT_GE(gib, 14.5);
  EXPECT_GT(fp8.workspace_bytes, bf16.workspace_bytes);
}

TEST(Cost, CountsTheModulationTableByItsRowsAndTheWeightsThatPassOneAtATime) {
  const ModelFolder model = small_model();
  const model::TransformerConfig& config = model.config().transformer;
  const auto dim = static_cast<std::uint64_t>(config.inner_dim());
  const auto table_in = [&](at::ScalarType dtype, at::Device device) {
    return model_cost(model, {.picture = {64, 64}, .device = device, .dtype = dtype}).transformer.table;
  };
  const partition::TableCost fp32 = table_in(at::kFloat, at::kCPU);
  EXPECT_EQ(fp32.unit_row_bytes, 4 * 12 * dim);
  EXPECT_EQ(fp32.last_row_bytes, 4 * 2 * dim);
  EXPECT_EQ(fp32.rounding_bytes, 0u);
  const std::uint64_t modulation = 4 * (6 * dim * dim + 6 * dim);
  const std::uint64_t embedder =
      4 * (256 * dim + dim + dim * dim + dim + (config.use_additional_t_cond ? 2 * dim : 0));
  const std::uint64_t row = row_making_bytes(config, {at::kCPU, at::kFloat, 1});
  EXPECT_EQ(fp32.making_bytes, std::max(modulation, embedder) + row);
  EXPECT_EQ(fp32.making_row_bytes, 4 * dim);
  const partition::TableCost bf16 = table_in(at::kBFloat16, at::Device(at::kCUDA, 0));
  EXPECT_EQ(2 * bf16.unit_row_bytes, fp32.unit_row_bytes);
  EXPECT_EQ(bf16.rounding_bytes, 2 * kMiB);
}

// Weights are in bf16; a GPU that computes in fp32 has a matrix in both for a moment.
TEST(Cost, CountsAMatrixOfTheModulationAsItIsStoredToo) {
  const layerpipe::testing::TemporaryFolder folder;
  const ModelFolder model(layerpipe::testing::make_full_size_model(folder.path() / "model"),
                          WeightOrigin::kRandom);
  const std::int64_t dim = model.config().transformer.inner_dim();
  const auto values = static_cast<double>(6 * dim * dim);
  const auto making = [&](at::ScalarType dtype, at::Device device) {
    const CostWorkload workload{.picture = {640, 640}, .device = device, .dtype = dtype};
    return static_cast<double>(model_cost(model, workload).transformer.table.making_bytes) / values;
  };
  const at::Device gpu(at::kCUDA, 0);
  EXPECT_NEAR(making(at::kBFloat16, gpu), 2, 0.05);
  EXPECT_NEAR(making(at::kFloat, gpu), 4 + 2, 0.05);
  EXPECT_NEAR(making(at::kFloat, at::kCPU), 4, 0.05);
}

// It stays quantised, and a piece of it is dequantised where it is multiplied.
TEST(Cost, CountsAPieceOfAQuantisedMatrixOfTheModulation) {
  const auto folder = layerpipe::testing::test_data();
  const ModelFolder model(folder / "parity" / "plain" / "model", WeightOrigin::kFiles, {},
                          {{"transformer", folder / "quantised" / "scale_for_rows.safetensors"}});
  const model::TransformerConfig& config = model.config().transformer;
  const auto dim = static_cast<std::uint64_t>(config.inner_dim());
  const at::Device gpu(at::kCUDA, 0);
  for (const Linears linears : {Linears::kAsStored, Linears::kFp8}) {
    const CostWorkload workload{
        .picture = {64, 64}, .device = gpu, .dtype = at::kBFloat16, .linears = linears};
    const std::uint64_t held = reserved_bytes(6 * dim * dim, gpu) + reserved_bytes(6 * dim * 4, gpu) +
                               reserved_bytes(6 * dim * 2, gpu);  // codes, scales, bias
    const std::uint64_t piece = (6 * dim * dim + dim) * 2;        // and what it is multiplied with
    EXPECT_EQ(model_cost(model, workload).transformer.table.making_bytes,
              held + piece + row_making_bytes(config, {gpu, at::kBFloat16, 1}));
  }
}

// What streams: a matrix comes over the bus as it is stored, and is converted there; quantised ones come as
// codes, but their files hold bf16.
TEST(Cost, CountsWhatComesForABlockAndWhatItIsConvertedFrom) {
  const layerpipe::testing::TemporaryFolder folder;
  const ModelFolder model(layerpipe::testing::make_full_size_model(folder.path() / "model"),
                          WeightOrigin::kRandom);
  const auto dim = static_cast<std::uint64_t>(model.config().transformer.inner_dim());
  const auto cost_in = [&](at::ScalarType dtype, at::Device device, Linears linears = Linears::kAsStored) {
    const CostWorkload workload{
        .picture = {640, 640}, .device = device, .dtype = dtype, .linears = linears, .threads = 2};
    return model_cost(model, workload);
  };
  const at::Device gpu(at::kCUDA, 0);
  const partition::ModelCost bf16 = cost_in(at::kBFloat16, gpu);
  const partition::UnitCost& stored = bf16.transformer.units[1];
  EXPECT_EQ(stored.moved_bytes, stored.file_bytes);
  EXPECT_LE(stored.moved_bytes, stored.weight_bytes);  // which are rounded up
  EXPECT_GT(stored.moved_bytes, stored.weight_bytes * 99 / 100);
  EXPECT_EQ(bf16.transformer.conversion_bytes, 0u);
  EXPECT_EQ(bf16.text_encoder.conversion_bytes, 0u);
  const partition::ModelCost fp32 = cost_in(at::kFloat, gpu);
  EXPECT_EQ(fp32.transformer.units[1].moved_bytes, stored.moved_bytes);
  EXPECT_GT(fp32.transformer.units[1].weight_bytes, 2 * stored.moved_bytes - 1);
  EXPECT_EQ(fp32.transformer.conversion_bytes, 2 * (2 * 4 * dim * dim));  // the largest, twice
  EXPECT_EQ(fp32.text_encoder.conversion_bytes,
            2 * reserved_bytes(2 * static_cast<std::uint64_t>(model.config().text_encoder.intermediate_size *
                                                              model.config().text_encoder.hidden_size),
                               gpu));
  const partition::ModelCost on_cpu = cost_in(at::kFloat, at::kCPU);
  EXPECT_EQ(on_cpu.transformer.conversion_bytes, 2 * kMiB / 2);  // a part for each thread
  const partition::ModelCost fp8 = cost_in(at::kBFloat16, gpu, Linears::kFp8);
  EXPECT_EQ(fp8.transformer.conversion_bytes, 2 * (2 * 4 * dim * dim));  // it is quantised where it stays
  EXPECT_EQ(fp8.transformer.units[1].file_bytes - stored.file_bytes, 17 * dim * 4);  // counts the scales
  EXPECT_EQ(fp8.transformer.units[1].moved_bytes, fp8.transformer.units[1].file_bytes);
  EXPECT_EQ(cost_in(at::kBFloat16, at::kCPU, Linears::kFp8).transformer.conversion_bytes,
            2 * (kMiB / 4) * (2 + 4));
}

TEST(Cost, GpusHaveAContextAndBuffersAndCpusHaveNot) {
  const ModelFolder model = small_model(WeightOrigin::kRandom);
  CostWorkload workload{.picture = {64, 64}};
  EXPECT_EQ(model_cost(model, workload).overhead.context_bytes, 0u);
  EXPECT_EQ(model_cost(model, workload).overhead.channel_bytes, 0u);
  workload.device = at::Device(at::kCUDA, 0);  // need not be there
  workload.dtype = at::kBFloat16;
  const partition::OverheadCost overhead = model_cost(model, workload).overhead;
  EXPECT_GE(overhead.context_bytes, 512 * kMiB);
  EXPECT_GT(overhead.channel_bytes, 0u);
  EXPECT_GE(overhead.host_bytes, 64 * kMiB);
  workload.over_nccl = false;
  EXPECT_EQ(model_cost(model, workload).overhead.channel_bytes, 0u);
}

TEST(Cost, GrowsWithTheWork) {
  const ModelFolder model = small_model();
  const CostWorkload base{.picture = {64, 64}};
  const partition::ModelCost cost = model_cost(model, base);
  CostWorkload larger = base;
  larger.picture = {128, 128};
  EXPECT_GT(model_cost(model, larger).transformer.workspace_bytes, cost.transformer.workspace_bytes);
  EXPECT_GT(model_cost(model, larger).vae.decode_bytes, cost.vae.decode_bytes);
  larger = base;
  larger.layers = 8;
  EXPECT_GT(model_cost(model, larger).transformer.boundary_bytes, cost.transformer.boundary_bytes);
  EXPECT_EQ(model_cost(model, larger).vae.decode_tasks, 2 * cost.vae.decode_tasks);
  EXPECT_EQ(model_cost(model, larger).vae.encode_bytes, cost.vae.encode_bytes);
  CostWorkload smaller = base;
  smaller.branches = 1;
  EXPECT_LT(model_cost(model, smaller).transformer.state_bytes, cost.transformer.state_bytes);
}

TEST(Cost, CountsTheVaesStripsApartFromWhatSeesWholePictures) {
  const ModelFolder model = small_model();
  const model::VaeConfig& config = model.config().vae;
  const std::int64_t scale = config.spatial_compression_ratio();
  const std::int64_t rows = 40;  // more than one strip
  const CostWorkload workload{.picture = {32 * scale, rows * scale}, .layers = 3};
  const partition::VaeCost cost = model_cost(model, workload).vae;
  const model::ComputeTarget target{at::kCPU, at::kFloat, 1, workload.cpu_has_bf16};
  EXPECT_EQ(cost.strips, static_cast<std::int64_t>(model::vae_strips(rows).size()));
  EXPECT_GT(cost.strips, 1);
  ASSERT_EQ(cost.decode_tasks % cost.strips, 0);
  const std::int64_t layers = cost.decode_tasks / cost.strips;
  EXPECT_DOUBLE_EQ(cost.encode_operations + cost.encode_whole_operations,
                   encoder_work(config, {1, rows, 32}, target).operations);
  EXPECT_DOUBLE_EQ(cost.decode_operations + cost.decode_whole_operations,
                   decoder_work(config, {layers, rows, 32}, target).operations);
  EXPECT_DOUBLE_EQ(cost.decode_whole_operations, static_cast<double>(layers) * cost.encode_whole_operations);
}

TEST(Cost, RoundsAsTheGpusAllocatorDoes) {
  const at::Device gpu(at::kCUDA, 0);
  EXPECT_EQ(reserved_bytes(1, gpu), 512u);
  EXPECT_EQ(reserved_bytes(10 * kMiB + 1, gpu), 12 * kMiB);
  EXPECT_EQ(reserved_bytes(18 * kMiB, gpu), 18 * kMiB);
  EXPECT_EQ(reserved_bytes(1, at::kCPU), 1u);
}

}  // namespace
}  // namespace layerpipe::runtime
