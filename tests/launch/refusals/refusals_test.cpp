// Every line of the table, with the real program: what it says, its exit code, and that it writes nothing.
#include <gmock/gmock.h>
#include <algorithm>
#include <regex>
#include <set>

#include "common/files.h"
#include "tests/launch/refusals/refusal_case.h"

namespace layerpipe::testing {
namespace {

class Refusals : public ::testing::TestWithParam<RefusalCase> {};

TEST_P(Refusals, SaysWordForWordWhatIsWrong) {
  const RefusalCase& refusal = GetParam();
  Workplace workplace;
  refusal.prepare(workplace);
  const auto before = workplace.files();
  const Outcome outcome = workplace.run();

  const std::string said = workplace.without_paths(outcome.err);
  const std::size_t message = std::min(said.find("layerpipe: "), said.size());
  EXPECT_EQ(said.substr(message), "layerpipe: " + refusal.message + "\n  " + refusal.cure + "\n");
  EXPECT_EQ(outcome.exit_code, refusal.exit_code);
  EXPECT_EQ(outcome.out, "");
  if (refusal.found == Found::kAtTheStart) {
    EXPECT_EQ(said.substr(0, message), "") << "found only after work had begun";
  } else {
    // The plan's table comes right before the work.
    EXPECT_THAT(said.substr(0, message), ::testing::HasSubstr("\nrank  host  "))
        << "found at the start: correct the table";
  }

  auto after = workplace.files();
  std::vector<std::string> left;
  for (const auto& [name, content] : after) {
    if (name.starts_with("out/") && !before.contains(name)) left.push_back(name.substr(4));
  }
  EXPECT_EQ(left, refusal.leaves);
  std::erase_if(after, [&](const auto& file) {
    return file.first.starts_with("out/") && !before.contains(file.first);
  });
  EXPECT_EQ(after, before);
}

INSTANTIATE_TEST_SUITE_P(Cases, Refusals, ::testing::ValuesIn(refusal_cases_to_run()),
                         [](const auto& info) { return info.param.name; });

TEST(RefusalTable, HasAMessageInOneLineAndACureForEachCase) {
  std::set<std::string> names;
  for (const RefusalCase& refusal : all_refusal_cases()) {
    EXPECT_TRUE(names.insert(refusal.name).second) << refusal.name << " stands there twice";
    EXPECT_FALSE(refusal.deed.empty()) << refusal.name;
    EXPECT_FALSE(refusal.message.empty()) << refusal.name;
    EXPECT_EQ(refusal.message.find('\n'), std::string::npos) << refusal.name;
    EXPECT_FALSE(refusal.cure.empty()) << refusal.name;
  }
}

TEST(RefusalTable, IsWhatTheErrorsPageShows) {
  EXPECT_TRUE(common::read_text_file(LAYERPIPE_ERRORS_PAGE) == errors_page(all_refusal_cases()))
      << "Write it again: build/tests/write_errors_page docs/errors.md";
}

TEST(RefusalTable, NamesTheTestOfEveryCaseThatItDoesNotRun) {
  for (const RefusalCase& refusal : all_refusal_cases()) {
    EXPECT_EQ(refusal.tested_by.empty(), static_cast<bool>(refusal.prepare)) << refusal.name;
    if (refusal.tested_by.empty()) continue;
    const std::size_t colon = refusal.tested_by.find(": ");
    ASSERT_NE(colon, std::string::npos) << refusal.name;
    const std::string file = refusal.tested_by.substr(0, colon);
    const std::string test = refusal.tested_by.substr(colon + 2);
    // A long text stands there in pieces, one below the other.
    const std::string source =
        std::regex_replace(common::read_text_file(std::filesystem::path(LAYERPIPE_TESTS) / file),
                           std::regex("\"\\s*\\n\\s*\""), "");
    EXPECT_NE(source.find(test), std::string::npos) << file << " has no " << test;
    // The unit that a test looks at may not know the option that it serves.
    const std::string option = "--device cuda: ";
    const bool about_option = refusal.message.starts_with(option);
    EXPECT_NE(source.find(about_option ? refusal.message.substr(option.size()) : refusal.message),
              std::string::npos)
        << file << " does not know the message";
  }
}

// The workplace itself: the run that the cases spoil.
TEST(RefusalTable, SpoilsARunThatWorks) {
  Workplace workplace;
  const Outcome outcome = workplace.run();
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(files_below(workplace.out()),
            (std::vector<std::string>{"composite.png", "layer_0.png", "layer_1.png", "run.json"}));
}

}  // namespace
}  // namespace layerpipe::testing
