// predict_peaks against sums done by hand. Every cost is a power of ten of its own, so that a figure shows
// what it counts: each digit says how often.
#include <gtest/gtest.h>

#include <limits>

#include "random_cases.h"

namespace layerpipe::partition {
namespace {

constexpr PerComponent<Residency> kAllResident{};
constexpr PerComponent<Residency> kAllPhased{Residency::kPhased, Residency::kPhased, Residency::kPhased};

PerComponent<Residency> for_streamed() {
  return {Residency::kStreamed, Residency::kStreamed, Residency::kPhased};
}

ModelCost digits() {
  ModelCost cost = testing::plain_model(4, 1, 4, 100'000'000);
  cost.transformer.first = {100, 0};
  cost.transformer.last = {1'000, 0};
  cost.transformer.workspace_bytes = 10'000;
  cost.transformer.boundary_bytes = 100'000;
  cost.transformer.state_bytes = 1'000'000;
  cost.transformer.first_state_bytes = 10'000'000;
  cost.vae.encoder_weight_bytes = 1'000'000'000;
  cost.vae.decoder_weight_bytes = 10'000'000'000;
  cost.overhead.context_bytes = 100'000'000'000;
  cost.overhead.channel_bytes = 1'000'000'000'000;
  return cost;
}

TEST(Predict, CountsWhatTheFirstAMiddleAndTheLastStageHoldWhileDenoising) {
  const ModelCost cost = digits();
  const auto denoise = [&](StagePlan stage, std::int64_t stages) {
    return predict_peaks(cost, stage, stages, {kAllPhased, 3}).denoise;
  };
  EXPECT_EQ(denoise({.stage = 0, .blocks = {0, 2}}, 3), 1'100'033'310'102u);
  EXPECT_EQ(denoise({.stage = 1, .blocks = {2, 3}}, 3), 1'100'003'410'001u);
  EXPECT_EQ(denoise({.stage = 2, .blocks = {3, 4}}, 3), 1'100'003'311'001u);
  EXPECT_EQ(denoise({.stage = 0, .blocks = {0, 4}}, 1), 100'033'111'104u);
}

TEST(Predict, CountsTheStateOfTheLastStage) {
  ModelCost cost = testing::plain_model(2, 0);
  cost.transformer.last_state_bytes = 5;
  EXPECT_EQ(predict_peaks(cost, {.blocks = {0, 1}}, 2, {kAllResident, 3}).denoise, 0u);
  EXPECT_EQ(predict_peaks(cost, {.stage = 1, .blocks = {1, 2}}, 2, {kAllResident, 3}).denoise, 15u);
}

TEST(Predict, CountsResidentWeightsInEveryPhaseAndPhasedOnesInTheirOwn) {
  const ModelCost cost = digits();
  const StagePlan stage{.stage = 1, .blocks = {1, 2}, .text_layers = {1, 3}, .vae_percent = 50};
  const PhaseBytes resident = predict_peaks(cost, stage, 2, {kAllResident, 1});
  EXPECT_EQ(resident.encode, 1'111'200'000'001u);
  EXPECT_EQ(resident.denoise, 1'111'201'410'001u);
  EXPECT_EQ(resident.decode, 1'111'200'000'001u);
  const PhaseBytes phased = predict_peaks(cost, stage, 2, {kAllPhased, 1});
  EXPECT_EQ(phased.encode, 1'101'000'000'000u);  // the VAE's encoder alone, larger than the text layers
  EXPECT_EQ(phased.denoise, 1'100'001'410'001u);
  EXPECT_EQ(phased.decode, 1'110'000'000'000u);
}

TEST(Predict, CountsWhatStaysAndTheLargestPlacesWhereBlocksStream) {
  ModelCost cost = testing::plain_model(6, 0);
  for (std::size_t i = 0; i < 6; ++i) cost.transformer.units[i].weight_bytes = i == 1 ? 1'000 : 10;
  cost.transformer.boundary_bytes = 1;
  const auto denoise = [&](std::int64_t streamed, std::int64_t most_in_pass) {
    const Held held{for_streamed(), 1, 0, most_in_pass};
    return predict_peaks(cost, {.blocks = {0, 6}, .streamed_blocks = streamed}, 1, held).denoise;
  };
  EXPECT_EQ(denoise(6, 1), 2'000u + 1);
  EXPECT_EQ(denoise(3, 1), 2'000u + 30 + 1);  // 1, 3 and 5 pass
  EXPECT_EQ(denoise(0, 1), 1'050u + 1);
  EXPECT_EQ(denoise(6, 4), 2'000u + 4);  // a boundary for each microbatch of a pass
}

TEST(Predict, CountsOnePlaceWhereThoseThatPassLieFarApart) {
  const ModelCost cost = testing::plain_model(16, 10);
  const auto denoise = [&](std::int64_t streamed) {
    return predict_peaks(cost, {.blocks = {0, 16}, .streamed_blocks = streamed}, 1, {for_streamed(), 1})
        .denoise;
  };
  EXPECT_EQ(denoise(2), 140u + 10);
  EXPECT_EQ(denoise(3), 130u + 2 * 10);
}

TEST(Predict, LetsPassNoMoreUnitsThanHavePlaces) {
  EXPECT_EQ(passing_units(16, 15), 0);
  EXPECT_EQ(passing_units(16, 14), 2);  // through one place
  EXPECT_EQ(passing_units(15, 13), 0);  // two places
  EXPECT_EQ(passing_units(15, 12), 3);
}

// A tensor that comes in another dtype is there in both for a moment: while a network is loaded, and all
// along where its blocks stream.
TEST(Predict, CountsWhatAWeightThatComesIsConvertedFrom) {
  ModelCost cost = testing::plain_model(6, 10, 2, 1'000);
  cost.transformer.conversion_bytes = 5;
  cost.text_encoder.conversion_bytes = 200;
  cost.transformer.workspace_bytes = 3;
  const auto peaks = [&](const PerComponent<Residency>& residency, std::int64_t streamed) {
    return predict_peaks(cost, {.blocks = {0, 6}, .text_layers = {0, 2}, .streamed_blocks = streamed}, 1,
                         {residency, 1});
  };
  EXPECT_EQ(peaks(kAllPhased, 0).encode, 2'200u);
  EXPECT_EQ(peaks(kAllPhased, 0).denoise, 65u);
  EXPECT_EQ(peaks(kAllResident, 0).encode, 2'200u);  // the text encoder is loaded first
  EXPECT_EQ(peaks(kAllResident, 0).denoise, 2'063u);
  EXPECT_EQ(peaks(for_streamed(), 4).denoise, 20u + 2 * 10 + 5 + 5);  // the head, while blocks come
  cost.transformer.workspace_bytes = 100;
  EXPECT_EQ(peaks(for_streamed(), 4).denoise, 20u + 2 * 10 + 5 + 100);
  // A rank without text layers converts none.
  EXPECT_EQ(predict_peaks(cost, {.blocks = {0, 6}}, 1, {kAllPhased, 1}).encode, 0u);
}

TEST(Predict, GivesStageZeroTheMiddleBlockAfterTheStrips) {
  ModelCost cost = testing::plain_model(2, 0);
  cost.vae = {.encoder_weight_bytes = 1,
              .decoder_weight_bytes = 10,
              .encode_bytes = 100,
              .encode_whole_bytes = 1'000,
              .decode_bytes = 10'000};
  const auto peaks = [&](int stage, double vae_percent) {
    return predict_peaks(cost, {.stage = stage, .blocks = {stage, stage + 1}, .vae_percent = vae_percent}, 2,
                         {kAllPhased, 1});
  };
  EXPECT_EQ(peaks(0, 0).encode, 1'001u);  // the middle block runs here all the same
  EXPECT_EQ(peaks(0, 0).decode, 0u);
  EXPECT_EQ(peaks(0, 1).encode, 1'001u);
  EXPECT_EQ(peaks(0, 1).decode, 10'010u);
  EXPECT_EQ(peaks(1, 1).encode, 101u);
  EXPECT_EQ(peaks(1, 1).decode, 10'010u);
  EXPECT_EQ(peaks(1, 0).most(), 0u);
}

// Rows of three timesteps stay in all phases; while they are made, the weights that pass are there and what
// the work takes is not.
TEST(Predict, CountsTheModulationTableInEveryPhaseAndItsMakingBesideTheWeights) {
  ModelCost cost = testing::plain_model(4, 100'000'000);
  cost.transformer.table = {.unit_row_bytes = 1,
                            .last_row_bytes = 10,
                            .rounding_bytes = 100,
                            .making_bytes = 1'000,
                            .making_row_bytes = 10'000};
  const auto peaks = [&](common::Range blocks, const PerComponent<Residency>& residency) {
    return predict_peaks(cost, {.stage = static_cast<int>(blocks.begin), .blocks = blocks}, 2,
                         {residency, 1, 3});
  };
  EXPECT_EQ(peaks({0, 2}, kAllPhased).encode, 106u);
  EXPECT_EQ(peaks({0, 2}, kAllPhased).denoise, 200'031'106u);
  EXPECT_EQ(peaks({0, 2}, kAllPhased).decode, 106u);
  EXPECT_EQ(peaks({2, 4}, kAllResident).encode, 200'000'136u);
  EXPECT_EQ(peaks({2, 4}, kAllResident).denoise, 200'031'136u);
  EXPECT_EQ(peaks({2, 4}, kAllResident).decode, 200'000'136u);
  cost.transformer.workspace_bytes = 50'000;  // more than the making
  EXPECT_EQ(peaks({0, 4}, kAllPhased).denoise, 400'050'142u);
  cost.transformer.workspace_bytes = 0;
  EXPECT_EQ(predict_peaks(cost, {.blocks = {0, 2}}, 2, {kAllPhased, 1, 0}).denoise, 200'000'000u);
}

TEST(Predict, StopsAtTheLargestNumber) {
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
  ModelCost cost = testing::plain_model(3, kMost / 2);
  EXPECT_EQ(predict_peaks(cost, {.blocks = {0, 3}}, 1, {kAllResident, 1}).denoise, kMost);
  EXPECT_EQ(predict_peaks(cost, {.blocks = {2, 3}}, 1, {kAllResident, 1}).denoise, kMost);
  cost = testing::plain_model(1, 1);
  cost.transformer.state_bytes = kMost / 2;
  EXPECT_EQ(predict_peaks(cost, {.blocks = {0, 1}}, 1, {kAllResident, 3}).denoise, kMost);
}

}  // namespace
}  // namespace layerpipe::partition
