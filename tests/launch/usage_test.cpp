// What the command line refuses: exit code 2 and a message that says why, word for word.
#include "common/files.h"
#include "tests/launch/program.h"

namespace layerpipe::launch {
namespace {

using layerpipe::testing::decompose_arguments;
using layerpipe::testing::Outcome;
using layerpipe::testing::run_program;
using layerpipe::testing::small_model;

class Usage : public ::testing::Test {
 protected:
  // Asserts that the program refuses these arguments with this message and leaves no file.
  void expect_refusal(const std::vector<std::string>& arguments, const std::string& message) const {
    const Outcome outcome = run_program(arguments);
    EXPECT_EQ(outcome.exit_code, 2);
    EXPECT_EQ(outcome.err, "layerpipe: " + message + "\n");
    EXPECT_EQ(outcome.out, "");
    EXPECT_FALSE(std::filesystem::exists(out_));
  }
  void expect_decompose_refusal(const std::vector<std::string>& more, const std::string& message) const {
    expect_refusal(decompose_arguments(out_, more), message);
  }
  // The arguments of a run without one option and its value.
  std::vector<std::string> without(const std::string& option) const {
    auto arguments = decompose_arguments(out_);
    const auto found = std::find(arguments.begin(), arguments.end(), option);
    arguments.erase(found, found + 2);
    return arguments;
  }

  layerpipe::testing::TemporaryFolder folder_;
  std::filesystem::path out_ = folder_.path() / "out";
  const std::string help_ = "\n  See layerpipe --help, or layerpipe decompose --help.";
  const std::string any_ = "\n  Take a multiple of 32 from 64 to 2048.";
};

TEST_F(Usage, HelpAndVersionGoToStdout) {
  const Outcome version = run_program({"--version"});
  EXPECT_EQ(version.exit_code, 0);
  EXPECT_EQ(version.out, "layerpipe " LAYERPIPE_VERSION "\n");
  EXPECT_EQ(version.err, "");
  const Outcome help = run_program({"decompose", "--help"});
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_THAT(help.out, ::testing::HasSubstr("--negative-prompt"));
  EXPECT_EQ(help.err, "");
}

TEST_F(Usage, NoSubcommand) {
  expect_refusal({}, "A subcommand is required" + help_);
}

TEST_F(Usage, UnknownOption) {
  expect_decompose_refusal({"--colour"}, "The following argument was not expected: --colour" + help_);
}

TEST_F(Usage, MissingOptions) {
  expect_refusal(without("--model"), "--model is required" + help_);
  expect_refusal(without("--image"), "--image is required" + help_);
  expect_refusal(without("--out"), "--out is required" + help_);
}

TEST_F(Usage, MissingOrBlankPrompt) {
  const std::string message =
      "--prompt is missing: this version of layerpipe does not caption pictures\n"
      "  Describe the picture in a sentence: --prompt \"a red kite over the sea\".";
  expect_refusal(without("--prompt"), message);
  auto blank = decompose_arguments(out_);
  blank.back() = " \t\n";
  expect_refusal(blank, message);
}

TEST_F(Usage, FoldersThatCannotBe) {
  const std::string long_name(300, 'x');
  const Outcome too_long = run_program(decompose_arguments(folder_.path() / long_name));
  EXPECT_EQ(too_long.exit_code, 2);
  EXPECT_EQ(too_long.err, "layerpipe: --out " + (folder_.path() / long_name).string() +
                              " cannot be made a folder: File name too long\n  Choose another folder.\n");
  const auto numbered = folder_.path() / "numbered";
  std::filesystem::create_directories(numbered);
  common::write_file_atomically(numbered / "1", std::string_view("in the way"));
  const Outcome in_the_way = run_program(decompose_arguments(numbered, {"--num-images", "2"}));
  EXPECT_EQ(in_the_way.exit_code, 2);
  EXPECT_EQ(in_the_way.err.find("encode"), std::string::npos) << "found out only after work was done";
  expect_decompose_refusal(
      {"--dump-latents", folder_.path().string()},
      "--dump-latents " + folder_.path().string() + " is a folder\n  Give the name of a file in it.");
}

TEST_F(Usage, NumbersThatAreNone) {
  expect_decompose_refusal({"--cfg-scale", "nan"}, "--cfg-scale is not a number");
  expect_decompose_refusal({"--seed", "18446744073709551615", "--num-images", "2"},
                           "--seed 18446744073709551615 leaves no room for 2 results, whose seeds count up\n"
                           "  Take a smaller --seed.");
}

TEST_F(Usage, Resolutions) {
  auto arguments = without("--resolution");
  arguments.erase(std::find(arguments.begin(), arguments.end(), "--any-resolution"));
  arguments.insert(arguments.end(), {"--resolution", "512"});
  expect_refusal(arguments,
                 "--resolution 512 is not one that the model was trained at\n"
                 "  Take 640 or 1024, or add --any-resolution.");
  for (const char* resolution : {"100", "500", "32", "0", "-64", "2080"}) {
    arguments = without("--resolution");
    arguments.insert(arguments.end(), {"--resolution", resolution});
    expect_refusal(arguments, std::string("--resolution ") + resolution + " is not possible" + any_);
  }
}

TEST_F(Usage, ValuesOutOfRange) {
  const auto replaced = [&](const std::string& option, const std::string& value) {
    auto arguments = without(option);
    arguments.insert(arguments.end(), {option, value});
    return arguments;
  };
  // How CLI11 writes a range differs between its versions.
  const auto expect_range = [&](const std::string& option, const std::string& value) {
    const Outcome outcome = run_program(replaced(option, value));
    EXPECT_EQ(outcome.exit_code, 2);
    EXPECT_THAT(outcome.err,
                ::testing::StartsWith("layerpipe: " + option + ": Value " + value + " not in range "));
    EXPECT_FALSE(std::filesystem::exists(out_));
  };
  expect_range("--layers", "0");
  expect_range("--layers", "33");
  expect_range("--steps", "0");
  expect_range("--steps", "x");
  expect_decompose_refusal({"--seed", "-1"},
                           "--seed: -1 is not a number from 0 to 18446744073709551615" + help_);
  expect_decompose_refusal({"--seed", "1.5"},
                           "--seed: 1.5 is not a number from 0 to 18446744073709551615" + help_);
  expect_decompose_refusal({"--dtype", "fp8"}, "--dtype: fp8 not in {bf16,fp32}" + help_);
  expect_decompose_refusal({"--format", "gif"}, "--format: gif not in {png}" + help_);
}

TEST_F(Usage, SeedOnTheGpuWithoutAGpu) {
  expect_decompose_refusal({"--seed-device", "cuda"},
                           "--seed-device cuda needs a GPU\n  Take --seed-device cpu.");
}

TEST_F(Usage, NoModel) {
  auto arguments = without("--model");
  const std::string nowhere = folder_.path() / "nowhere";
  arguments.insert(arguments.end(), {"--model", nowhere});
  const std::string message = nowhere +
                              " is not a model folder: it has no model_index.json\n"
                              "  Give the folder of a model in diffusers layout to --model.";
  expect_refusal(arguments, message);
  expect_refusal({"inspect", "--model", nowhere}, message);
}

TEST_F(Usage, NoPicture) {
  auto arguments = without("--image");
  const std::string picture = folder_.path() / "picture.png";
  arguments.insert(arguments.end(), {"--image", picture});
  expect_refusal(arguments, "cannot open " + picture +
                                ": No such file or directory (errno 2)\n"
                                "  Give the path of a picture that may be read.");
  common::write_file_atomically(picture, std::string_view("no picture"));
  const Outcome outcome = run_program(arguments);
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.err, ::testing::StartsWith("layerpipe: " + picture));
}

TEST_F(Usage, OutIsAFile) {
  const std::string file = folder_.path() / "file";
  common::write_file_atomically(file, std::string_view("kept"));
  const Outcome outcome = run_program(decompose_arguments(file));
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_EQ(outcome.err, "layerpipe: --out " + file +
                             " cannot be made a folder: Not a directory\n"
                             "  Choose another folder.\n");
  EXPECT_EQ(common::read_text_file(file), "kept");
}

TEST_F(Usage, LatentsOfSeveralResults) {
  const std::string message =
      "--init-latents and --dump-latents are for one result\n"
      "  Give one --image and leave --num-images at 1.";
  const std::string dump = folder_.path() / "latents.safetensors";
  expect_decompose_refusal({"--dump-latents", dump, "--num-images", "2"}, message);
  expect_decompose_refusal({"--dump-latents", dump, "--image", layerpipe::testing::poster()}, message);
  expect_decompose_refusal({"--init-latents", dump, "--num-images", "2"}, message);
}

TEST_F(Usage, LatentsCannotBeDumpedThere) {
  const std::string folder = folder_.path() / "nowhere";
  expect_decompose_refusal({"--dump-latents", folder + "/latents.safetensors"},
                           "--dump-latents " + folder + "/latents.safetensors: there is no folder " + folder +
                               " that may be written\n  Choose another file.");
}

}  // namespace
}  // namespace layerpipe::launch
