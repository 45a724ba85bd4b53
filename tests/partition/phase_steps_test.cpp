#include "partition/phase_steps.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace layerpipe::partition {
namespace {

using enum StepAction;
using enum Residency;
using Residencies = PerComponent<Residency>;

std::vector<Residencies> all_residencies() {
  std::vector<Residencies> all;
  for (const Residency transformer : {kResident, kPhased, kStreamed}) {
    for (const Residency text_encoder : {kResident, kPhased, kStreamed}) {
      for (const Residency vae : {kResident, kPhased}) all.push_back({transformer, text_encoder, vae});
    }
  }
  return all;
}

class EveryResidency : public ::testing::TestWithParam<Residencies> {
 protected:
  bool is_resident(Network network) const { return GetParam()[component_of(network)] == kResident; }
  std::vector<PhaseStep> steps() const { return phase_steps(GetParam()); }
};

TEST_P(EveryResidency, WorksWithEachNetworkOnceInOrderWhileItIsHeld) {
  std::set<Network> held;
  std::vector<Network> worked;
  for (const PhaseStep& step : steps()) {
    switch (step.action) {
      case kLoad:
        EXPECT_TRUE(held.insert(step.network).second) << to_string(step.network) << " is loaded twice";
        break;
      case kPrepare:
        EXPECT_TRUE(held.contains(step.network))
            << to_string(step.network) << " is prepared before it is there";
        break;
      case kWork:
        EXPECT_TRUE(held.contains(step.network)) << to_string(step.network) << " works without weights";
        EXPECT_EQ(step.phase, phase_of(step.network));
        worked.push_back(step.network);
        break;
      case kRelease:
        EXPECT_EQ(held.erase(step.network), 1u) << to_string(step.network) << " is released unheld";
        break;
    }
  }
  EXPECT_EQ(worked, std::vector<Network>(std::begin(kNetworks), std::end(kNetworks)));
}

TEST_P(EveryResidency, EndsWithTheResidentNetworksHeld) {
  std::set<Network> held;
  for (const PhaseStep& step : steps()) {
    if (step.action == kLoad) held.insert(step.network);
    if (step.action == kRelease) held.erase(step.network);
  }
  for (const Network network : kNetworks)
    EXPECT_EQ(held.contains(network), is_resident(network)) << to_string(network);
}

TEST_P(EveryResidency, LoadsResidentNetworksBeforeAllWorkAndNeverReleasesThem) {
  const std::vector<PhaseStep> all = steps();
  const auto first_work =
      std::find_if(all.begin(), all.end(), [](const PhaseStep& step) { return step.action == kWork; });
  for (const Network network : kNetworks) {
    if (!is_resident(network)) continue;
    const auto load = std::find(all.begin(), all.end(), PhaseStep{Phase::kEncode, kLoad, network});
    EXPECT_LT(load, first_work) << to_string(network);
    EXPECT_EQ(std::count_if(
                  all.begin(), all.end(),
                  [&](const PhaseStep& step) { return step.action == kRelease && step.network == network; }),
              0);
  }
}

TEST_P(EveryResidency, LoadsPhasedNetworksRightBeforeTheirWorkAndReleasesThemRightAfter) {
  const std::vector<PhaseStep> all = steps();
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto [phase, action, network] = all[i];
    if (action != kWork || is_resident(network)) continue;
    const std::size_t before = network == Network::kTransformer ? 2 : 1;  // it is prepared between
    ASSERT_GE(i, before);
    ASSERT_LT(i + 1, all.size());
    EXPECT_EQ(all[i - before], (PhaseStep{phase, kLoad, network}));
    EXPECT_EQ(all[i + 1], (PhaseStep{phase, kRelease, network}));
  }
}

TEST_P(EveryResidency, PreparesTheTransformerAloneRightBeforeItsWork) {
  const std::vector<PhaseStep> all = steps();
  const PhaseStep prepare{Phase::kDenoise, kPrepare, Network::kTransformer};
  const auto found = std::find(all.begin(), all.end(), prepare);
  ASSERT_NE(found, all.end());
  EXPECT_EQ(*std::next(found), (PhaseStep{Phase::kDenoise, kWork, Network::kTransformer}));
  EXPECT_EQ(
      std::count_if(all.begin(), all.end(), [](const PhaseStep& step) { return step.action == kPrepare; }),
      1);
}

TEST_P(EveryResidency, GoesThroughThePhasesInOrder) {
  const std::vector<PhaseStep> all = steps();
  EXPECT_TRUE(std::is_sorted(all.begin(), all.end(),
                             [](const PhaseStep& a, const PhaseStep& b) { return a.phase < b.phase; }));
}

INSTANTIATE_TEST_SUITE_P(PhaseSteps, EveryResidency, ::testing::ValuesIn(all_residencies()),
                         [](const ::testing::TestParamInfo<Residencies>& info) {
                           std::string name;
                           for (const Component component : kComponents) {
                             std::string word = to_string(info.param[component]);
                             word[0] = static_cast<char>(std::toupper(word[0]));
                             name += word;
                           }
                           return name;
                         });

TEST(PhaseSteps, LoadResidentTransformerFirstAndThePhasedRestInItsPhase) {
  using enum Network;
  const std::vector<PhaseStep> expected{
      {Phase::kEncode, kLoad, kTransformer},   {Phase::kEncode, kLoad, kTextEncoder},
      {Phase::kEncode, kWork, kTextEncoder},   {Phase::kEncode, kRelease, kTextEncoder},
      {Phase::kEncode, kLoad, kVaeEncoder},    {Phase::kEncode, kWork, kVaeEncoder},
      {Phase::kEncode, kRelease, kVaeEncoder}, {Phase::kDenoise, kPrepare, kTransformer},
      {Phase::kDenoise, kWork, kTransformer},  {Phase::kDecode, kLoad, kVaeDecoder},
      {Phase::kDecode, kWork, kVaeDecoder},    {Phase::kDecode, kRelease, kVaeDecoder},
  };
  EXPECT_EQ(phase_steps({.transformer = kResident, .text_encoder = kPhased, .vae = kPhased}), expected);
}

TEST(PhaseSteps, LoadResidentNetworksInTheirOrder) {
  using enum Network;
  const std::vector<PhaseStep> expected{
      {Phase::kEncode, kLoad, kTextEncoder},     {Phase::kEncode, kLoad, kVaeEncoder},
      {Phase::kEncode, kLoad, kTransformer},     {Phase::kEncode, kLoad, kVaeDecoder},
      {Phase::kEncode, kWork, kTextEncoder},     {Phase::kEncode, kWork, kVaeEncoder},
      {Phase::kDenoise, kPrepare, kTransformer}, {Phase::kDenoise, kWork, kTransformer},
      {Phase::kDecode, kWork, kVaeDecoder},
  };
  EXPECT_EQ(phase_steps({kResident, kResident, kResident}), expected);
}

TEST(PhaseSteps, NameTheirActions) {
  EXPECT_STREQ(to_string(kLoad), "load");
  EXPECT_STREQ(to_string(kPrepare), "prepare");
  EXPECT_STREQ(to_string(kWork), "work");
  EXPECT_STREQ(to_string(kRelease), "release");
}

}  // namespace
}  // namespace layerpipe::partition
