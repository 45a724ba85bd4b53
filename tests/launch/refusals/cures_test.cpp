// Cures, followed: a test reads what the program says to do and does it, and the run that failed works then.
// A cure that no test can follow is listed with the reason (unfollowed_cures in cures.cpp).
#include <gmock/gmock.h>

#include <set>

#include "tests/launch/refusals/cures.h"
#include "tests/launch/refusals/refusal_case.h"

namespace layerpipe::testing {
namespace {

bool is_unfollowed(const std::string& cure) {
  for (const UnfollowedCure& one : unfollowed_cures()) {
    if (std::regex_match(cure, std::regex(one.words))) return true;
  }
  return false;
}

// What stands behind the first line of a message, without its indentation.
std::string cure_in(const std::string& said) {
  const std::size_t line = said.find("\n  ", said.find("layerpipe: "));
  return line == std::string::npos ? "" : said.substr(line + 3, said.size() - line - 4);
}

std::string message_in(const std::string& said) {
  const std::size_t begin = said.find("layerpipe: ") + 11;
  return said.substr(begin, said.find('\n', begin) - begin);
}

// One case for each cure and section: what differs between cases of a section is not what has to be done.
std::vector<RefusalCase> cases_to_follow() {
  std::vector<RefusalCase> cases;
  std::set<std::pair<std::string, std::string>> seen;
  for (const RefusalCase& refusal : refusal_cases_to_run()) {
    if (is_unfollowed(refusal.cure)) continue;
    const bool is_help = refusal.cure.ends_with(" --help.");
    if (is_help || seen.emplace(refusal.section, refusal.cure).second) cases.push_back(refusal);
  }
  return cases;
}

class Cures : public ::testing::TestWithParam<RefusalCase> {};

TEST_P(Cures, HelpWhenTheyAreFollowed) {
  const RefusalCase& refusal = GetParam();
  Workplace workplace;
  refusal.prepare(workplace);
  const Outcome failed = workplace.run();
  ASSERT_EQ(failed.exit_code, refusal.exit_code) << failed.err;
  const Said said{message_in(failed.err), cure_in(failed.err)};
  const CureRule* rule = rule_for(said.cure);
  ASSERT_NE(rule, nullptr) << "no rule follows \"" << said.cure << "\", and no reason says why not";
  std::smatch words;
  const std::regex form(rule->words);
  std::regex_match(said.cure, words, form);
  EXPECT_EQ(rule->follow(workplace, said, words), "") << "after: " << said.cure;
}

INSTANTIATE_TEST_SUITE_P(Cases, Cures, ::testing::ValuesIn(cases_to_follow()),
                         [](const auto& info) { return info.param.name; });

// A reason that no cure needs any more is one to delete.
TEST(CureTable, HasNoReasonWithoutACure) {
  for (const UnfollowedCure& unfollowed : unfollowed_cures()) {
    const auto cases = all_refusal_cases();
    EXPECT_TRUE(std::any_of(cases.begin(), cases.end(), [&](const RefusalCase& refusal) {
      return std::regex_match(refusal.cure, std::regex(unfollowed.words));
    })) << unfollowed.words;
    EXPECT_FALSE(unfollowed.reason.empty());
  }
}

}  // namespace
}  // namespace layerpipe::testing
