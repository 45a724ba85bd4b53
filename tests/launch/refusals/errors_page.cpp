#include <sstream>

#include "tests/launch/refusals/refusal_case.h"

namespace layerpipe::testing {
namespace {

constexpr const char* kIntroduction =
    R"(# What layerpipe says when something is wrong

One line says what is wrong and names the file, the tensor or the option; the line below it says what to do.
Both go to stderr, stdout stays empty, and nothing is written unless it says so here. In the messages below,
MODEL is the folder given to `--model`, OUT that of `--out`, PICTURE a picture, FOLDER any other folder.

| exit code | meaning |
| --- | --- |
| 0 | done |
| 2 | wrong usage, configuration or input; also a full disk that is found at the start |
| 3 | does not fit into memory |
| 5 | internal error |
| 6 | results could not be written |
| 130 | interrupted (Ctrl-C) |
| 143 | terminated |

`build/tests/write_errors_page docs/errors.md` writes this page from the table in `tests/launch/refusals`; a
test runs the program for each entry that a run can bring about, and compares it word for word.
)";

void write_entry(const RefusalCase& refusal, std::ostream& page) {
  page << "\n**" << refusal.deed << "** · exit code " << refusal.exit_code;
  if (refusal.found == Found::kWhileWorking) page << ", found while it works";
  if (!refusal.leaves.empty()) page << "; what was finished before stays";
  page << "\n```\nlayerpipe: " << refusal.message << "\n  " << refusal.cure << "\n```\n";
}

}  // namespace

std::vector<RefusalCase> all_refusal_cases() {
  std::vector<RefusalCase> all;
  for (const auto& cases :
       {command_line_cases(), value_cases(), config_cases(), picture_cases(), model_cases(), weight_cases(),
        tokenizer_cases(), output_cases(), export_cases(), quantize_cases(), run_cases(), machine_cases()}) {
    all.insert(all.end(), cases.begin(), cases.end());
  }
  return all;
}

std::vector<RefusalCase> refusal_cases_to_run() {
  std::vector<RefusalCase> cases = all_refusal_cases();
  std::erase_if(cases, [](const RefusalCase& refusal) { return !refusal.prepare; });
  return cases;
}

std::string errors_page(const std::vector<RefusalCase>& cases) {
  std::ostringstream page;
  page << kIntroduction;
  std::string section;
  for (const RefusalCase& refusal : cases) {
    if (refusal.section != section) {
      section = refusal.section;
      page << "\n## " << section << '\n';
    }
    write_entry(refusal, page);
  }
  return page.str();
}

}  // namespace layerpipe::testing
