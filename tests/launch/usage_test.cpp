// What the command line tells when it is asked; tests/launch/refusals has what it refuses.
#include "tests/launch/program.h"

namespace layerpipe::launch {
namespace {

using layerpipe::testing::Outcome;
using layerpipe::testing::run_program;
using ::testing::EndsWith;
using ::testing::HasSubstr;

Outcome asked(const std::vector<std::string>& arguments) {
  Outcome outcome = run_program(arguments);
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.err, "");
  return outcome;
}

TEST(Usage, VersionGoesToStdout) {
  EXPECT_EQ(asked({"--version"}).out, "layerpipe " LAYERPIPE_VERSION "\n");
}

TEST(Usage, HelpNamesTheCommands) {
  const std::string help = asked({"--help"}).out;
  for (const char* command :
       {"decompose", "plan", "export", "merge", "inspect", "quantize", "report", "rerun"})
    EXPECT_THAT(help, HasSubstr(command));
  EXPECT_EQ(asked({"-h"}).out, help);
}

TEST(Usage, HelpOfDecomposeHasGroupsDefaultsAndAnExample) {
  const std::string help = asked({"decompose", "--help"}).out;
  for (const char* part : {"Needed:", "Result:", "Guidance:", "Files:", "Machine:", "[default: 640]",
                           "[default: one blank]", "Denoising steps, 1 to 1000 [default: 50]\n"}) {
    EXPECT_THAT(help, HasSubstr(part));
  }
  EXPECT_THAT(help,
              EndsWith("Example:\n"
                       "  layerpipe decompose --model Qwen-Image-Layered --image poster.png --prompt \"a "
                       "poster\" --out layers\n"));
}

TEST(Usage, HelpOfInspectHasAnExample) {
  EXPECT_THAT(asked({"inspect", "--help"}).out,
              EndsWith("Example:\n  layerpipe inspect --model Qwen-Image-Layered\n"));
}

TEST(Usage, HelpOfQuantizeHasAnExample) {
  EXPECT_THAT(
      asked({"quantize", "--help"}).out,
      EndsWith("Example:\n  layerpipe quantize --model Qwen-Image-Layered --out Qwen-Image-Layered-fp8\n"));
}

TEST(Usage, HelpOfExportSaysWhatBecomesOfEmptyLayers) {
  const std::string help = asked({"export", "--help"}).out;
  EXPECT_THAT(help, HasSubstr("psd, pptx, ora, zip or html"));
  EXPECT_THAT(help, HasSubstr("PNG files keep their"));
  EXPECT_THAT(help, EndsWith("Example:\n  layerpipe export --in layers --format psd,html\n"));
}

TEST(Usage, HelpOfMergeHasAnExample) {
  EXPECT_THAT(asked({"merge", "--help"}).out,
              EndsWith("Example:\n  layerpipe merge --in layers --layers 0,2-3 --out without-1.png\n"));
}

TEST(Usage, HelpOfReportAndRerunHasAnExample) {
  EXPECT_THAT(asked({"report", "--help"}).out, EndsWith("Example:\n  layerpipe report layers/run.json\n"));
  EXPECT_THAT(asked({"rerun", "--help"}).out, EndsWith("Example:\n  layerpipe rerun layers/run.json\n"));
}

TEST(Usage, HelpIsGivenWhateverElseIsWrong) {
  EXPECT_EQ(asked({"decompose", "--steps", "none", "--help"}).out, asked({"decompose", "--help"}).out);
}

}  // namespace
}  // namespace layerpipe::launch
