// What all ranks have to have in common, and how a difference is told.
#include "comm/agreement.h"

#include <gmock/gmock.h>

#include <array>

#include "common/errors.h"
#include "tests/support/local_ranks.h"

namespace layerpipe::comm {
namespace {

std::vector<Fact> facts(std::string version = "1.0", std::string dtype = "bf16", std::string model = "abc") {
  return {{"program version", std::move(version)}, {"dtype", std::move(dtype)}, {"model", std::move(model)}};
}

// What every one of three ranks says when the last one has these facts; "" when it says nothing.
std::vector<std::string> said(const std::vector<Fact>& theirs) {
  std::vector<std::string> texts(3);
  layerpipe::testing::on_local_ranks(3, [&](Communicator& communicator) {
    try {
      check_agreement(communicator, communicator.rank() == 2 ? theirs : facts());
    } catch (const common::AgreedError& error) {
      EXPECT_EQ(error.exit_code(), common::ExitCode::kInput);
      texts[static_cast<std::size_t>(communicator.rank())] = error.what();
    }
  });
  return texts;
}

TEST(Agreement, IsSilentWhenAllHaveTheSame) {
  EXPECT_THAT(said(facts()), ::testing::Each(""));
}

TEST(Agreement, NamesWhatDiffersAndTheRank) {
  const auto is_told = [](const std::string& text) {
    return ::testing::Each(
        ::testing::AllOf(::testing::StartsWith("rank 2 on host "), ::testing::EndsWith(text)));
  };
  EXPECT_THAT(said(facts("1.1")), is_told(" has another program version than rank 0: 1.1, not 1.0"));
  EXPECT_THAT(said(facts("1.0", "fp32")), is_told(" has another dtype than rank 0: fp32, not bf16"));
  EXPECT_THAT(said(facts("1.0", "bf16", "abd")), is_told(" has another model than rank 0: abd, not abc"));
}

TEST(Agreement, NamesTheFirstDifference) {
  EXPECT_THAT(said(facts("1.0", "fp32", "abd")), ::testing::Each(::testing::HasSubstr("another dtype")));
}

TEST(Agreement, ShowsTheBeginningOfALongValue) {
  const std::string text = said(facts("1.0", "bf16", std::string(1000, 'x'))).front();
  EXPECT_THAT(text, ::testing::HasSubstr(std::string(80, 'x') + " …, not abc"));
  EXPECT_LT(text.size(), 250U);
}

// Another build may have other facts.
TEST(Agreement, NoticesAMissingFact) {
  auto fewer = facts();
  fewer.pop_back();
  const std::vector<std::string> texts = said(fewer);
  for (const int rank : {0, 1})
    EXPECT_THAT(texts[rank], ::testing::EndsWith("another model than rank 0: none, not abc"));
  // This build does not know what the others call it.
  EXPECT_THAT(texts[2], ::testing::EndsWith("another program version than rank 0: none, not abc"));
}

TEST(OnAnyRank, IsTheSameForAll) {
  for (const int one : {0, 1, 2, 3}) {  // 3: none
    layerpipe::testing::on_local_ranks(3, [&](Communicator& communicator) {
      EXPECT_EQ(on_any_rank(communicator, communicator.rank() == one, "asking"), one < 3);
    });
  }
}

TEST(OwnGpus, AreNamedWhenTwoRanksHaveOne) {
  const auto said_by = [](std::array<std::string, 3> uuids) {
    std::string text;
    layerpipe::testing::on_local_ranks(3, [&](Communicator& communicator) {
      const auto rank = static_cast<std::size_t>(communicator.rank());
      try {
        check_own_gpus(communicator, uuids[rank]);
      } catch (const common::AgreedError& error) {
        EXPECT_EQ(error.exit_code(), common::ExitCode::kInput);
        if (rank == 0) text = error.what();
      }
    });
    return text;
  };
  EXPECT_EQ(said_by({"", "", ""}), "") << "ranks on CPUs";
  EXPECT_EQ(said_by({"GPU-a", "GPU-b", "GPU-c"}), "");
  EXPECT_THAT(said_by({"GPU-a", "GPU-b", "GPU-a"}),
              ::testing::MatchesRegex("ranks 0 and 2 on host [^ ]+ have the same GPU, GPU-a"));
}

}  // namespace
}  // namespace layerpipe::comm
