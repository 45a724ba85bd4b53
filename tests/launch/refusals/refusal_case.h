// What layerpipe refuses: the table behind docs/errors.md, and behind tests that run the program.
//
// To add a case, put it into the function of its subject below, run refusals_test, and write the page again:
// build/tests/write_errors_page docs/errors.md
#pragma once

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "tests/launch/refusals/workplace.h"

namespace layerpipe::testing {

// Whether there may be a progress line before the message.
enum class Found { kAtTheStart, kWhileWorking };

struct RefusalCase {
  std::string name;     // of the test
  std::string section;  // of the page
  std::string deed;     // what the user did, or what happened, as a phrase
  // Spoils a run that would have worked. Empty where only a unit test can bring the case about.
  std::function<void(Workplace&)> prepare;
  // What is said, word for word, with MODEL, OUT, PICTURE and FOLDER for the paths of the workplace.
  std::string message;
  std::string cure;
  int exit_code = 2;
  Found found = Found::kAtTheStart;
  // Files below OUT that are there afterwards; nothing else may have changed.
  std::vector<std::string> leaves = {};
  // "launch/x_test.cpp: TEST(Suite, Name)", the test of a case that has no `prepare`.
  std::string tested_by = {};
};

// GoogleTest's messages call it.
inline void PrintTo(const RefusalCase& refusal, std::ostream* out) {
  *out << refusal.name;
}

// By subject, each in a file of its name.
std::vector<RefusalCase> command_line_cases();
std::vector<RefusalCase> value_cases();
std::vector<RefusalCase> config_cases();
std::vector<RefusalCase> model_cases();
std::vector<RefusalCase> weight_cases();
std::vector<RefusalCase> tokenizer_cases();
std::vector<RefusalCase> picture_cases();
std::vector<RefusalCase> output_cases();
std::vector<RefusalCase> export_cases();
std::vector<RefusalCase> quantize_cases();
std::vector<RefusalCase> run_cases();
std::vector<RefusalCase> machine_cases();

// All of them, in the order of the page, and those that the program can be run for.
std::vector<RefusalCase> all_refusal_cases();
std::vector<RefusalCase> refusal_cases_to_run();

// docs/errors.md.
std::string errors_page(const std::vector<RefusalCase>& cases);

}  // namespace layerpipe::testing
