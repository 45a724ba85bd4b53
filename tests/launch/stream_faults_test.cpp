// Weights that stream while their file is cut, written to or replaced, while its disk fails, and while the
// machine runs out of memory: on one rank and on three, in the middle of denoising. Real processes, through
// launch/run.sh; what happens is brought about by tests/launch/refusals/small_machine.cpp.
#include <gmock/gmock.h>

#include <chrono>
#include <filesystem>

#include "tests/launch/program.h"
#include "tests/support/model_forms.h"

namespace layerpipe::testing {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using ::testing::HasSubstr;

// The last one: the last rank's, which passes in both plans below.
constexpr std::int64_t kBlocks = 24;
constexpr std::int64_t kBlock = kBlocks - 1;

struct Fault {
  std::string name;
  int ranks;
  std::vector<std::string> environment;  // of small_machine.cpp, beside the file
  std::string message;                   // FILE stands for the block's
  std::string cure;
  int exit_code = 2;
};
std::ostream& operator<<(std::ostream& out, const Fault& fault) {
  return out << fault.name << " on " << fault.ranks << " ranks";
}

const std::string kLeaveAlone =
    "Leave the file alone while it is in use, and start again; copy or download it first if it was cut "
    "short.";

std::vector<Fault> all_faults() {
  std::vector<Fault> faults;
  for (const int ranks : {1, 3}) {
    // A pass takes less than thirty reads of a block, and the run has eight passes or more.
    const auto deed = [&](const std::string& name, const std::string& deed, const std::string& message,
                          const std::string& cure) {
      faults.push_back(
          {name, ranks, {"LAYERPIPE_TEST_DEED=" + deed, "LAYERPIPE_TEST_READS_BEFORE=100"}, message, cure});
    };
    const std::string tensor = "tensor \"transformer_blocks.23.";
    deed("Cut", "truncate", "FILE has changed since its header was read", kLeaveAlone);
    deed("CutBeforeItsTensor", "cut", "FILE has become shorter: it does not hold all of " + tensor,
         "Try again when nothing else writes to it.");
    deed("Rewritten", "rewrite", "FILE has changed since its header was read", kLeaveAlone);
    deed("Replaced", "replace", "FILE has been replaced by another file since its header was read",
         kLeaveAlone);
    deed("FailingDisk", "fail", "cannot read " + tensor,
         "Check the disk or the mount that the file lies on.");
    // Behind what the planning, the encoding and the first passes take.
    faults.push_back({"FullHost",
                      ranks,
                      {"LAYERPIPE_TEST_LARGEST_TENSOR=10000", "LAYERPIPE_TEST_TENSORS_BEFORE=1000"},
                      "the machine has not enough memory for denoising: ",
                      "Close other programs, or try a smaller --resolution, fewer --layers or --dtype bf16.",
                      3});
  }
  return faults;
}

class StreamFaults : public ::testing::TestWithParam<Fault> {
 protected:
  void SetUp() override { copy_with_repeated_blocks(small_model(), model_, kBlocks); }

  Outcome run(const std::vector<std::string>& environment) const {
    const int ranks = GetParam().ranks;
    std::vector<std::string> all{"LAYERPIPE_PROGRAM=" LAYERPIPE_BINARY, "OMP_NUM_THREADS=1",
                                 "LD_PRELOAD=" LAYERPIPE_SMALL_MACHINE};
    all.insert(all.end(), environment.begin(), environment.end());
    // So little that about half of each rank's blocks pass through the device.
    const std::string limit = ranks == 1 ? "3MiB" : "2MiB";
    return run_program({"-n",
                        std::to_string(ranks),
                        "decompose",
                        "--model",
                        model_,
                        "--image",
                        picture_,
                        "--prompt",
                        "a fox",
                        "--out",
                        out_,
                        "--device",
                        "cpu",
                        "--dtype",
                        "fp32",
                        "--resolution",
                        "64",
                        "--any-resolution",
                        "--layers",
                        "2",
                        "--steps",
                        "8",
                        "--partition",
                        partition_,
                        "--memory-limit",
                        limit,
                        "--timeout",
                        "5s"},
                       all);
  }

  TemporaryFolder folder_;
  const fs::path model_ = folder_.path() / "model";
  const fs::path out_ = folder_.path() / "out";
  const fs::path picture_ = small_model().parent_path() / "input.png";
  const fs::path partition_ = [this] {
    const fs::path file = folder_.path() / "partition.yaml";
    common::write_file_atomically(file, "partition: {reserve: 0MiB, residency: streamed}\n");
    return file;
  }();
};

TEST_P(StreamFaults, EndAllRanksWithTheFilesNameAndNothingHalfWritten) {
  const Fault& fault = GetParam();
  const fs::path file = model_ / file_of_block(kBlock);
  // Another file of the same size, and with the same bytes.
  fs::copy_file(file, file.string() + ".other");
  std::vector<std::string> environment = fault.environment;
  environment.push_back("LAYERPIPE_TEST_READ_FILE=" + file.string());
  const auto begin = std::chrono::steady_clock::now();
  const Outcome outcome = run(environment);
  const auto took = std::chrono::steady_clock::now() - begin;

  EXPECT_EQ(outcome.exit_code, fault.exit_code) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("pass through the device"));
  std::string message = fault.message;
  if (message.starts_with("FILE")) message.replace(0, 4, file.string());
  EXPECT_THAT(outcome.err, HasSubstr(message));
  EXPECT_THAT(outcome.err, HasSubstr("\n  " + fault.cure + "\n"));
  if (fault.ranks > 1) {
    EXPECT_THAT(outcome.err,
                ::testing::ContainsRegex("layerpipe: rank [0-2] on host [^ ]+ \\(stage [0-2]: denoise, "
                                         "step [0-9], request 0, branch [01]\\) failed: "));
  }
  EXPECT_EQ(outcome.err.find("layerpipe: "), outcome.err.rfind("layerpipe: ")) << outcome.err;
  EXPECT_EQ(outcome.out, "");
  EXPECT_TRUE(files_below(out_).empty());
  EXPECT_EQ(processes_with(folder_.path()), 0);
  EXPECT_LT(took, 60s);
}

INSTANTIATE_TEST_SUITE_P(Faults, StreamFaults, ::testing::ValuesIn(all_faults()), [](const auto& info) {
  return info.param.name + "_on_" + std::to_string(info.param.ranks);
});

class StreamWithoutFaults : public StreamFaults {};

// The run that the faults spoil; and a file that is removed, whose bytes stay for who has it open.
TEST_P(StreamWithoutFaults, TheRunWorks) {
  const fs::path file = model_ / file_of_block(kBlock);
  std::vector<std::string> environment = GetParam().environment;
  environment.push_back("LAYERPIPE_TEST_READ_FILE=" + file.string());
  const Outcome outcome = run(environment);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_TRUE(fs::exists(out_ / "run.json"));
  EXPECT_EQ(fs::exists(file), GetParam().name == "Untouched");
}

INSTANTIATE_TEST_SUITE_P(
    Runs, StreamWithoutFaults,
    ::testing::Values(
        Fault{"Untouched", 1, {}, "", ""}, Fault{"Untouched", 3, {}, "", ""},
        Fault{"Removed", 1, {"LAYERPIPE_TEST_DEED=remove", "LAYERPIPE_TEST_READS_BEFORE=100"}, "", ""}),
    [](const auto& info) { return info.param.name + "_on_" + std::to_string(info.param.ranks); });

}  // namespace
}  // namespace layerpipe::testing
