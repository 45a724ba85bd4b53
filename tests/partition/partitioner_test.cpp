#include "partition/partitioner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "partition/window_size.h"
#include "plans.h"
#include "random_cases.h"

namespace layerpipe::partition {
namespace {

using testing::devices_with;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::kGiB;
using testing::kMiB;
using testing::kNoReserve;
using testing::plain_model;

constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();

std::string refusal(const ModelCost& cost, const std::vector<DeviceInfo>& devices) {
  return testing::refusal_of([&] { make_plan(cost, devices, {}, {}); });
}

TEST(Partitioner, RefusesWhatNoMemoryWouldMend) {
  EXPECT_EQ(refusal(plain_model(2, 1), {}), "there is no device to plan for");
  std::vector<DeviceInfo> devices = devices_with({1, 1, 1});
  EXPECT_EQ(refusal(plain_model(2, 1), devices),
            "the transformer has 2 blocks for 3 ranks: rank 2 would have none | Start at most 2 ranks.");
  devices[2].rank = 1;
  EXPECT_EQ(refusal(plain_model(3, 1), devices), "rank 1 is named twice among the devices");
}

// 2 blocks of 1,000 bytes, and 1 for each block and timestep.
ModelCost model_with_table() {
  ModelCost cost = plain_model(2, 1'000);
  cost.transformer.table.unit_row_bytes = 1;
  return cost;
}

constexpr PerComponent<Residency> kResidents{};

PartitionConfig resident_transformer() {
  PartitionConfig config = kNoReserve;
  for (const Component component : kComponents) config.residency[component] = Residency::kResident;
  return config;
}

// A window of one picture of 20 steps needs 20 rows; three pictures of other sizes each would have 60.
TEST(Partitioner, KeepsTheRowsOfAWindowAndAsManyMoreAsFit) {
  const Workload workload{.requests = 3, .steps = 20, .branches = 2, .schedules = 3, .timesteps = 55};
  const auto with = [&](std::uint64_t free) {
    return make_plan(model_with_table(), devices_with({free}), workload, resident_transformer());
  };
  EXPECT_FALSE(with(2'039).fits);
  EXPECT_EQ(with(2'039).modulation_rows, 20);
  EXPECT_TRUE(with(2'040).fits);
  EXPECT_EQ(with(2'040).modulation_rows, 20);
  EXPECT_EQ(with(2'043).modulation_rows, 21);
  EXPECT_EQ(with(2'043).stages[0].predicted_peak_bytes.decode, 2'042u);
  EXPECT_THAT(with(2'043).remarks,
              ElementsAre("The modulation of 21 of 55 timesteps fits at a time: its weights are read again "
                          "before windows that lack some."));
  EXPECT_EQ(with(2'110).modulation_rows, 55);
  EXPECT_THAT(with(2'110).remarks, IsEmpty());
  EXPECT_EQ(with(9'999).modulation_rows, 55);
}

// Over two stages a window has eight requests, and here seven sizes of pictures.
TEST(Partitioner, CountsTheSchedulesOfTheLargestWindow) {
  Workload workload{.requests = 20, .steps = 10, .branches = 2, .schedules = 7, .timesteps = 0};
  const auto rows = [&](const std::vector<std::uint64_t>& free) {
    return make_plan(model_with_table(), devices_with(free), workload, resident_transformer())
        .modulation_rows;
  };
  EXPECT_EQ(rows({9'999, 9'999}), 70);
  workload.schedules = 20;
  const std::int64_t size = window_size(kResidents, 2, 2);
  EXPECT_EQ(rows({9'999, 9'999}), 10 * size);
  workload.timesteps = 30;  // the network tells no more of them apart
  EXPECT_EQ(rows({9'999, 9'999}), 30);
  EXPECT_EQ(window_size(kResidents, 1, 1), 1);
}

// What is made for one job serves the next one of the session as long as there is room.
TEST(Partitioner, KeepsTheRowsThatAreThere) {
  const auto devices = devices_with({2'100});
  const Workload larger{.steps = 50};
  const Workload smaller{.steps = 8};
  const Plan first = make_plan(model_with_table(), devices, larger, resident_transformer());
  EXPECT_EQ(first.modulation_rows, 50);
  EXPECT_EQ(
      make_next_plan(first, model_with_table(), devices, smaller, resident_transformer()).modulation_rows,
      50);
  ModelCost heavier = model_with_table();
  heavier.transformer.workspace_bytes = 60;
  const Plan fewer = make_next_plan(first, heavier, devices, smaller, resident_transformer());
  EXPECT_EQ(fewer.modulation_rows, 20);
  for (const std::string& remark : fewer.remarks)
    EXPECT_THAT(remark, ::testing::Not(HasSubstr("modulation")));
}

TEST(Partitioner, TakesTheFastestResidencyThatFitsAndSaysWhatComesAndGoes) {
  ModelCost cost = plain_model(4, 100, 2, 50);
  cost.vae.encoder_weight_bytes = 10;
  cost.vae.decoder_weight_bytes = 10;
  cost.transformer.workspace_bytes = 60;
  const auto with = [&](std::uint64_t free) { return make_plan(cost, devices_with({free}), {}, kNoReserve); };
  const auto remark = [&](std::uint64_t free) { return with(free).remarks.at(0); };
  using enum Residency;
  using Choice = PerComponent<Residency>;
  EXPECT_EQ(with(580).residency, (Choice{kResident, kResident, kResident}));
  EXPECT_THAT(with(580).remarks, IsEmpty());
  EXPECT_EQ(with(579).residency, (Choice{kResident, kPhased, kResident}));
  EXPECT_EQ(with(520).residency, (Choice{kResident, kPhased, kResident}));
  EXPECT_EQ(remark(520), "The text encoder comes and goes with its phase: all weights at once do not fit.");
  EXPECT_EQ(with(519).residency, (Choice{kResident, kPhased, kPhased}));
  EXPECT_EQ(remark(519),
            "The text encoder and the VAE come and go with their phase: all weights at once do not fit.");
  EXPECT_EQ(with(499).residency, (Choice{kPhased, kPhased, kPhased}));
  EXPECT_EQ(
      remark(499),
      "The transformer, the text encoder and the VAE come and go with their phase: all weights at once do "
      "not fit.");
  EXPECT_TRUE(with(460).fits);
  EXPECT_EQ(with(459).residency, (Choice{kStreamed, kPhased, kPhased}));
  EXPECT_EQ(with(459).remarks.back(),
            "Weights stream: on rank 0 3 of 4 blocks pass through the device, the others stay.");
  EXPECT_TRUE(with(260).fits);
  EXPECT_FALSE(with(259).fits);
}

TEST(Partitioner, KeepsAsManyBlocksAsFitWhereOthersStream) {
  const ModelCost cost = plain_model(10, 100, 5, 40);
  PartitionConfig config = kNoReserve;
  config.residency = for_all(Residency::kStreamed);
  const auto stage = [&](std::uint64_t free) {
    const Plan plan = make_plan(cost, devices_with({free}), {}, config);
    EXPECT_EQ(plan.residency.vae, Residency::kPhased);
    EXPECT_EQ(plan.most_in_pass, 2);  // both branches
    return plan.stages[0];
  };
  ModelCost with_buffers = cost;
  with_buffers.overhead.host_bytes = 7;
  EXPECT_EQ(make_plan(with_buffers, devices_with({1000}), {}, config).hosts[0].predicted_bytes, 7u);
  EXPECT_EQ(make_plan(with_buffers, devices_with({999}), {}, config).hosts[0].predicted_bytes, 14u);
  EXPECT_EQ(stage(1000).streamed_blocks, 0);
  EXPECT_EQ(stage(1000).streamed_text_layers, 0);
  EXPECT_EQ(stage(999).streamed_blocks, 3);  // seven stay, and two have their places
  EXPECT_EQ(stage(900).streamed_blocks, 3);
  EXPECT_EQ(stage(899).streamed_blocks, 4);
  EXPECT_EQ(stage(200).streamed_blocks, 10);
  EXPECT_EQ(stage(200).streamed_text_layers, 0);
  EXPECT_EQ(stage(200).predicted_peak_bytes.denoise, 200);
  EXPECT_EQ(stage(199).missing_bytes, 1);
}

// Two pictures and two stages: while one stage has the branches of one picture, the other has the other's.
TEST(Partitioner, GivesEachStageAPassOfItsOwn) {
  PartitionConfig config = kNoReserve;
  config.residency = for_all(Residency::kStreamed);
  const ModelCost cost = plain_model(10, 100);
  const auto most_in_pass = [&](std::vector<std::uint64_t> free, std::int64_t requests) {
    return make_plan(cost, devices_with(free), {.requests = requests}, config).most_in_pass;
  };
  EXPECT_EQ(most_in_pass({500, 500}, 8), 2);
  EXPECT_EQ(most_in_pass({500, 500}, 1), 1);
  EXPECT_EQ(most_in_pass({300, 300, 300}, 8), 1);
  config.in_flight = 4;
  EXPECT_EQ(most_in_pass({500}, 8), 8);
  config.residency = for_all(Residency::kPhased);
  EXPECT_EQ(most_in_pass({1000}, 8), 1);
}

TEST(Partitioner, KeepsAResidencyThatWasAskedFor) {
  PartitionConfig config = kNoReserve;
  config.residency.transformer = Residency::kResident;
  config.residency.text_encoder = Residency::kPhased;
  const ModelCost cost = plain_model(4, 100, 2, 50);
  EXPECT_THAT(make_plan(cost, devices_with({1000}), {}, config).remarks, IsEmpty());
  EXPECT_EQ(make_plan(cost, devices_with({1000}), {}, config).residency.text_encoder, Residency::kPhased);
  EXPECT_TRUE(make_plan(cost, devices_with({500}), {}, config).fits);
  EXPECT_FALSE(make_plan(cost, devices_with({499}), {}, config).fits);
}

TEST(NextPlan, KeepsTheStagesWhereTheyFit) {
  ModelCost cost = plain_model(12, 10);
  cost.transformer.workspace_bytes = 20;
  const std::vector<DeviceInfo> devices = devices_with({130, 100});
  const Plan first = make_plan(cost, devices, {}, kNoReserve);
  ASSERT_TRUE(first.fits);
  EXPECT_THAT(testing::blocks_of(first), ElementsAre(7, 5));
  EXPECT_TRUE(same_layout(make_next_plan(first, cost, devices, {}, kNoReserve), first));
  Plan present = first;
  present.stages[0].blocks = {0, 9};
  present.stages[1].blocks = {9, 12};
  const Plan kept = make_next_plan(present, cost, devices, {}, kNoReserve);
  EXPECT_TRUE(same_layout(kept, present));
  EXPECT_EQ(kept.strategy, Strategy::kBalanced);
  EXPECT_THAT(kept.remarks, ::testing::Contains(
                                "The stages are those of the work before, so that nothing is loaded again."));
  cost.transformer.workspace_bytes = 45;  // nine blocks do not fit the first device any more
  const Plan moved = make_next_plan(present, cost, devices, {}, kNoReserve);
  EXPECT_FALSE(same_layout(moved, present));
  EXPECT_THAT(testing::blocks_of(moved), ElementsAre(7, 5));
  EXPECT_TRUE(moved.fits);
}

TEST(NextPlan, TakesAFasterResidencyRatherThanTheStagesThatAreThere) {
  ModelCost cost = plain_model(4, 100, 2, 50);
  const std::vector<DeviceInfo> devices = devices_with({1000});
  Plan present = make_plan(cost, devices, {}, kNoReserve);
  present.residency = {Residency::kPhased, Residency::kPhased, Residency::kPhased};
  const Plan next = make_next_plan(present, cost, devices, {}, kNoReserve);
  EXPECT_EQ(next.residency.transformer, Residency::kResident);
}

TEST(Partitioner, SaturatesTheStages) {
  EXPECT_EQ(places_for(5, 16), 8);
  EXPECT_EQ(places_for(3, 8), 4);
  EXPECT_EQ(places_for(2, 6), 2);
  EXPECT_EQ(places_for(5, 17), 6);
  EXPECT_EQ(places_for(3, 1), 3);  // as many as there are: saturating_requests() gives no more
  EXPECT_EQ(places_for(1, 7), 1);
  EXPECT_EQ(saturating_requests(1, 2, 100), 1);
  EXPECT_EQ(saturating_requests(2, 2, 100), 2);
  EXPECT_EQ(saturating_requests(3, 2, 100), 2);
  EXPECT_EQ(saturating_requests(4, 2, 100), 3);
  EXPECT_EQ(saturating_requests(8, 2, 100), 5);
  EXPECT_EQ(saturating_requests(8, 2, 3), 3);
  EXPECT_EQ(saturating_requests(4, 1, 100), 4);
  EXPECT_EQ(saturating_requests(4, 2, 0), 1);
}

TEST(Partitioner, TakesAsManyRequestsAsMemoryAllows) {
  ModelCost cost = plain_model(4, 100);
  cost.transformer.state_bytes = 10;
  const auto with = [&](std::uint64_t free, PartitionConfig config) {
    return make_plan(cost, devices_with(std::vector<std::uint64_t>(4, free)), {.requests = 9}, config);
  };
  EXPECT_EQ(with(130, kNoReserve).in_flight, 3);
  EXPECT_THAT(with(130, kNoReserve).remarks, IsEmpty());
  const Plan plan = with(129, kNoReserve);
  EXPECT_TRUE(plan.fits);
  EXPECT_EQ(plan.in_flight, 2);
  EXPECT_EQ(plan.residency.transformer, Residency::kResident);
  EXPECT_THAT(plan.remarks,
              ElementsAre("2 requests are in the pipeline at a time: memory does not suffice for the "
                          "3 that would keep every stage busy."));
  PartitionConfig config = kNoReserve;
  config.in_flight = 3;
  EXPECT_FALSE(with(129, config).fits);
  config.in_flight = 1;
  EXPECT_EQ(with(130, config).in_flight, 1);
}

TEST(Partitioner, SaysWhatIsMissingWhere) {
  ModelCost cost = plain_model(4, 2 * kGiB);
  cost.overhead.context_bytes = kGiB / 2;
  const Plan plan = make_plan(cost, devices_with({4 * kGiB, 4 * kGiB}), {}, {});
  EXPECT_FALSE(plan.fits);
  EXPECT_EQ(plan.stages[1].missing_bytes, kGiB);
  EXPECT_THAT(plan.remarks,
              ElementsAre("Rank 0 (node1) needs 4.50 GiB to denoise and may use 3.50 GiB of 4.00 GiB "
                          "free: 1.00 GiB are missing.",
                          "Rank 1 (node1) needs 4.50 GiB to denoise and may use 3.50 GiB of 4.00 GiB "
                          "free: 1.00 GiB are missing."));
}

TEST(Partitioner, SaysWhatLimitsTheMemory) {
  std::vector<DeviceInfo> devices = devices_with({4 * kGiB, 4 * kGiB, 4 * kGiB});
  devices[0].memory_limit = devices[2].memory_limit = "a cgroup limits the memory to 400.00 MiB (/job)";
  const ModelCost cost = plain_model(6, 1);
  EXPECT_THAT(make_plan(cost, devices, {}, kNoReserve).remarks,
              ElementsAre("Ranks 0 and 2: a cgroup limits the memory to 400.00 MiB (/job)."));
  devices[2].memory_limit = {};
  EXPECT_THAT(make_plan(cost, devices, {}, kNoReserve).remarks,
              ElementsAre("Rank 0: a cgroup limits the memory to 400.00 MiB (/job)."));
}

TEST(Partitioner, SaysHowMuchWouldDo) {
  ModelCost cost = plain_model(4, 2 * kGiB);
  cost.overhead.context_bytes = kGiB / 2;
  EXPECT_EQ(free_bytes_that_fit(cost, devices_with({4 * kGiB, 1}), {}, {}), 5 * kGiB);
  EXPECT_EQ(free_bytes_that_fit(plain_model(1, kMost), devices_with({1}), {}, {}), std::nullopt);
}

TEST(Partitioner, SaysWhichLimitWouldDo) {
  ModelCost cost = plain_model(4, 2 * kGiB);
  cost.overhead.context_bytes = kGiB / 2;
  PartitionConfig config{.memory_limit_bytes = kGiB};
  config.residency = for_all(Residency::kPhased);
  EXPECT_EQ(limit_that_fits(cost, devices_with({24 * kGiB}), {}, config), 9 * kGiB);
  EXPECT_EQ(limit_that_fits(cost, devices_with({24 * kGiB, 4 * kGiB}), {}, config), 7 * kGiB);
  EXPECT_EQ(limit_that_fits(cost, devices_with({9 * kGiB}), {}, config), 9 * kGiB);
  EXPECT_EQ(limit_that_fits(cost, devices_with({9 * kGiB - 1}), {}, config), std::nullopt);
  EXPECT_EQ(limit_that_fits(cost, devices_with({0}), {}, config), std::nullopt);
  config.residency = {};  // two blocks at a time
  EXPECT_EQ(limit_that_fits(cost, devices_with({24 * kGiB}), {}, config), 5 * kGiB);
}

// Only as many as there are can be there at a time.
TEST(Partitioner, CountsNoMoreInFlightThanThereAre) {
  ModelCost cost = plain_model(4, 100);
  cost.transformer.state_bytes = 10;
  PartitionConfig config = kNoReserve;
  config.in_flight = 8;
  const auto with = [&](std::uint64_t free, std::int64_t requests) {
    return make_plan(cost, devices_with({free}), {.requests = requests}, config);
  };
  EXPECT_TRUE(with(430, 3).fits);
  EXPECT_EQ(with(430, 3).in_flight, 3);
  EXPECT_EQ(with(430, 3).stages[0].predicted_peak_bytes.denoise, 430u);
  EXPECT_EQ(with(9'999, 20).in_flight, 8);
  EXPECT_EQ(with(9'999, 0).in_flight, 1);
}

// Two groups of two stages on one host, and one more host: what passes is read once for each host.
TEST(Partitioner, CountsFilesThatStreamOncePerHost) {
  ModelCost cost = plain_model(12, 100, 6, 100);
  for (UnitCost& unit : cost.transformer.units) unit.file_bytes = 7;
  for (UnitCost& unit : cost.text_encoder.units) unit.file_bytes = 1'000;
  PartitionConfig config = kNoReserve;
  config.residency = for_all(Residency::kStreamed);
  const Plan resident = make_plan(cost, devices_with({9'999}), {}, config);
  EXPECT_EQ(resident.hosts[0].cache_bytes, 0u);
  EXPECT_FALSE(resident.streams());
  const Plan alone = make_plan(cost, devices_with({300}), {}, config);
  EXPECT_EQ(alone.stages[0].streamed_blocks, 11);
  EXPECT_EQ(alone.stages[0].streamed_text_layers, 5);
  EXPECT_TRUE(alone.streams());
  EXPECT_EQ(alone.hosts[0].cache_bytes, 11u * 7 + 5 * 1'000);
  config.groups = 2;
  std::vector<DeviceInfo> devices = devices_with({200, 200, 200, 200});
  const Plan groups = make_plan(cost, devices, {}, config);
  ASSERT_TRUE(groups.fits);
  EXPECT_EQ(groups.hosts[0].cache_bytes, 12u * 7);
  devices[2].host = devices[3].host = "node2";
  const Plan hosts = make_plan(cost, devices, {}, config);
  ASSERT_EQ(hosts.hosts.size(), 2u);
  EXPECT_EQ(hosts.hosts[0].cache_bytes, 12u * 7);
  EXPECT_EQ(hosts.hosts[1].cache_bytes, 12u * 7);
}

TEST(Partitioner, ComparesWhatAHostHoldsWithWhatItHas) {
  ModelCost cost = plain_model(12, 100);
  for (UnitCost& unit : cost.transformer.units) unit.file_bytes = 100;
  cost.overhead.host_bytes = 10;
  PartitionConfig config = kNoReserve;
  config.residency = for_all(Residency::kStreamed);
  std::vector<DeviceInfo> devices = devices_with({300, 300});
  const auto host = [&] { return make_plan(cost, devices, {}, config).hosts[0]; };
  EXPECT_EQ(host().budget_bytes, std::nullopt);
  EXPECT_TRUE(host().cache_fits());  // as far as it is known
  devices[0].host_free_bytes = 5'000;
  devices[1].host_free_bytes = 1'040;  // 2 · 2 · 10 for the program, 2 · 5 blocks
  devices[1].host_memory_limit = "a limit";
  EXPECT_EQ(host().predicted_bytes, 40u);
  EXPECT_EQ(host().cache_bytes, 1'000u);
  EXPECT_EQ(host().budget_bytes, 1'040u);
  EXPECT_EQ(host().memory_limit, "a limit");
  EXPECT_TRUE(host().cache_fits());
  devices[1].host_free_bytes = 1'039;
  EXPECT_FALSE(host().cache_fits());
  devices[1].host_free_bytes = 10;  // less than the program takes
  EXPECT_FALSE(host().cache_fits());
  for (DeviceInfo& device : devices) device.is_cpu = true;
  EXPECT_EQ(host().predicted_bytes, 40u + 2 * 300);
}

TEST(Partitioner, CountsHostMemoryPerRank) {
  ModelCost cost = plain_model(4, 1);
  cost.overhead.host_bytes = 10;
  std::vector<DeviceInfo> devices = devices_with({10, 10, 10});
  devices[2].host = "node2";
  const Plan plan = make_plan(cost, devices, {}, kNoReserve);
  ASSERT_EQ(plan.hosts.size(), 2u);
  EXPECT_EQ(plan.hosts[0].predicted_bytes, 20u);
  EXPECT_EQ(plan.hosts[1].predicted_bytes, 10u);
}

// A model of the real one's size, and devices that nobody has. What takes longer than it should is stopped
// by the test's time limit.
class AbsurdDevices : public ::testing::TestWithParam<Strategy> {
 protected:
  static ModelCost model(std::int64_t blocks) {
    ModelCost cost = plain_model(blocks, 650 * kMiB, 28, 550 * kMiB);
    cost.transformer.workspace_bytes = 700 * kMiB;
    cost.transformer.state_bytes = 20 * kMiB;
    cost.vae = {.encoder_weight_bytes = 100 * kMiB, .decoder_weight_bytes = 140 * kMiB, .decode_tasks = 32};
    cost.overhead = {.context_bytes = 500 * kMiB, .channel_bytes = 300 * kMiB};
    return cost;
  }
  Plan plan(std::int64_t blocks, const std::vector<std::uint64_t>& free) const {
    const ModelCost cost = model(blocks);
    const std::vector<DeviceInfo> devices = devices_with(free);
    Plan plan = make_plan(cost, devices, {.requests = 10'000}, {.strategy = GetParam()});
    testing::expect_sound(plan, cost, devices);
    return plan;
  }
};

TEST_P(AbsurdDevices, OneByte) {
  EXPECT_FALSE(plan(60, {1}).fits);
  EXPECT_FALSE(plan(60, {1, 24 * kGiB, 1}).fits);
}
TEST_P(AbsurdDevices, NothingFree) {
  EXPECT_FALSE(plan(60, {0, 0, 0}).fits);
}
TEST_P(AbsurdDevices, TenTerabytes) {
  EXPECT_TRUE(plan(60, {10'000 * kGiB}).fits);
  EXPECT_TRUE(plan(60, {10'000 * kGiB, 16 * kGiB}).fits);
}
TEST_P(AbsurdDevices, EveryByteThatCanBeCounted) {
  EXPECT_TRUE(plan(60, {kMost, kMost, kMost}).fits);
}
TEST_P(AbsurdDevices, AThousandRanks) {
  EXPECT_TRUE(plan(1000, std::vector<std::uint64_t>(1000, 4 * kGiB)).fits);
  EXPECT_TRUE(plan(2000, std::vector<std::uint64_t>(1000, 24 * kGiB)).fits);
  const Plan none = plan(1200, std::vector<std::uint64_t>(1000, kGiB));
  EXPECT_FALSE(none.fits);
  EXPECT_LE(none.remarks.size(), 8u);  // not a thousand sentences
}
TEST_P(AbsurdDevices, AThousandUnequalRanks) {
  testing::Draw draw(3);
  std::vector<std::uint64_t> free;
  for (int i = 0; i < 1000; ++i) free.push_back(draw.one_in(5) ? 3 * kGiB : draw.number(4 * kGiB, 20 * kGiB));
  EXPECT_TRUE(plan(2000, free).fits);
  for (std::uint64_t& bytes : free) bytes = std::min(bytes, 3 * kGiB);
  EXPECT_FALSE(plan(2000, free).fits);
}
INSTANTIATE_TEST_SUITE_P(Strategies, AbsurdDevices,
                         ::testing::Values(Strategy::kBalanced, Strategy::kFastest),
                         [](const auto& info) { return to_string(info.param); });

}  // namespace
}  // namespace layerpipe::partition
