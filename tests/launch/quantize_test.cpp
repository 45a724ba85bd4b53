// `layerpipe quantize` from outside, and what stands beside it: --dtype fp8, --transformer, --text-encoder.
#include <gmock/gmock.h>
#include <signal.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "common/files.h"
#include "tests/launch/program.h"
#include "tests/support/model_forms.h"
#include "tests/support/test_data.h"

namespace layerpipe::launch {
namespace {

namespace fs = std::filesystem;
using layerpipe::testing::demo_model;
using layerpipe::testing::Outcome;
using layerpipe::testing::run_program;
using layerpipe::testing::small_model;
using ::testing::HasSubstr;
using Json = nlohmann::json;

class Quantize : public ::testing::Test {
 protected:
  fs::path path(const std::string& name) const { return folder_.path() / name; }
  Outcome quantize(const fs::path& model, const fs::path& out, std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {"quantize", "--model", model, "--out", out});
    return run_program(more);
  }
  // run.json of a small picture in a folder of its own.
  Json decompose(const std::string& out, const std::vector<std::string>& more) const {
    std::vector<std::string> arguments{"decompose",
                                       "--image",
                                       layerpipe::testing::demo_picture(),
                                       "--prompt",
                                       "a",
                                       "--any-resolution",
                                       "--resolution",
                                       "64",
                                       "--layers",
                                       "1",
                                       "--steps",
                                       "2",
                                       "--quiet",
                                       "--out",
                                       path(out)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Outcome outcome = run_program(arguments);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return Json::parse(common::read_text_file(path(out) / "run.json"));
  }

  layerpipe::testing::TemporaryFolder folder_;
};

TEST_F(Quantize, TheFolderGivesTheBitsOfDtypeFp8) {
  const Outcome made = quantize(demo_model(), path("fp8"));
  EXPECT_EQ(made.exit_code, 0);
  EXPECT_EQ(made.out, "");
  EXPECT_THAT(made.err, HasSubstr("44 matrices of the transformer in e4m3"));
  const Json of_original = decompose("a", {"--model", demo_model(), "--dtype", "fp8"});
  EXPECT_EQ(of_original.at("dtype"), "fp8");
  for (const std::string dtype : {"fp8", "bf16"}) {  // there is no product in e4m3 on a CPU
    const Json of_folder = decompose("of_" + dtype, {"--model", path("fp8"), "--dtype", dtype});
    EXPECT_EQ(of_folder.at("layer_hashes"), of_original.at("layer_hashes"));
    EXPECT_EQ(of_folder.at("dtype"), dtype);
  }
  const Json in_bf16 = decompose("b", {"--model", demo_model(), "--dtype", "bf16"});
  EXPECT_NE(in_bf16.at("layer_hashes"), of_original.at("layer_hashes"));
  // A run in fp8 can be made again.
  const Outcome again = run_program({"rerun", path("a/run.json"), "--quiet"});
  EXPECT_EQ(again.exit_code, 0) << again.err;

  const Outcome inspected = run_program({"inspect", "--model", path("fp8")});
  EXPECT_THAT(inspected.out, HasSubstr("\ntransformer: 44 tensors quantised: e4m3 with scales\n"));
  const Json config = Json::parse(common::read_text_file(path("fp8/transformer/config.json")));
  EXPECT_EQ(config.at("quantization_config").at("quant_method"), "fp8");
  EXPECT_EQ(config.at("num_layers"), 6);
}

TEST_F(Quantize, LeavesNothingBehindOfADamagedModel) {
  const auto err = [&](const fs::path& model, const fs::path& out) {
    const Outcome outcome = quantize(model, out);
    EXPECT_EQ(outcome.exit_code, 2);
    EXPECT_EQ(outcome.out, "");
    return outcome.err;
  };
  // Values that are found only while it writes.
  const fs::path damaged = path("damaged");
  fs::copy(demo_model(), damaged, fs::copy_options::recursive);
  const std::string tensor = "transformer_blocks.3.attn.to_q.weight";
  for (const auto& entry : fs::directory_iterator(damaged / "transformer")) {
    if (entry.path().extension() != ".safetensors") continue;
    auto parts = layerpipe::testing::read_weights(entry.path());
    if (!parts.header.contains(tensor)) continue;
    const auto begin = parts.header.at(tensor).at("data_offsets").at(0).get<std::size_t>();
    parts.data.replace(begin, 2, "\xC0\x7F");  // NaN
    layerpipe::testing::write_weights(entry.path(), parts);
  }
  EXPECT_THAT(err(damaged, path("again")),
              HasSubstr("tensor \"" + tensor + "\" holds values that are not finite numbers"));
  std::vector<std::string> left;
  for (const auto& entry : fs::directory_iterator(folder_.path())) left.push_back(entry.path().filename());
  EXPECT_THAT(left, ::testing::ElementsAre("damaged"));
}

// --dtype fp8 is refused for two blocks that are wide (refusals/value_cases.cpp).
TEST_F(Quantize, TwoBlocksThatAreQuantisedRunInFp8) {
  const fs::path file = layerpipe::testing::test_data() / "quantised" / "scale_for_rows.safetensors";
  const Json made = decompose("fp8", {"--model", small_model(), "--transformer", file, "--dtype", "fp8"});
  EXPECT_EQ(made.at("dtype"), "fp8");
}

// It is said where the run begins and beside the plan, and not where nothing was asked for.
TEST_F(Quantize, SaysThatDtypeFp8QuantisesNothingOfWhatIsQuantised) {
  const fs::path file = layerpipe::testing::test_data() / "quantised" / "comfy_mixed.safetensors";
  const std::string remark =
      file.string() +
      " is quantised already (ComfyUI's e4m3): --dtype fp8 quantises nothing in it, and matrices that are "
      "wide there stay so\n";
  const auto said = [&](std::vector<std::string> command, const std::vector<std::string>& more) {
    command.insert(command.end(), more.begin(), more.end());
    const Outcome outcome = run_program(command);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return outcome.err;
  };
  const std::vector<std::string> plan{"plan", "--model", small_model(), "--devices", "24GiB"};
  const std::vector<std::string> decompose{"decompose",
                                           "--model",
                                           small_model(),
                                           "--image",
                                           layerpipe::testing::demo_picture(),
                                           "--prompt",
                                           "a",
                                           "--any-resolution",
                                           "--resolution",
                                           "64",
                                           "--layers",
                                           "1",
                                           "--steps",
                                           "1",
                                           "--overwrite",
                                           "--out",
                                           path("out")};
  const std::string file_option = "--transformer";
  for (const auto& command : {plan, decompose}) {
    EXPECT_THAT(said(command, {file_option, file, "--dtype", "fp8"}), HasSubstr(remark));
    EXPECT_THAT(said(command, {file_option, file, "--dtype", "bf16"}),
                ::testing::Not(HasSubstr("quantised already")));
  }
  // Wide weights become fp8.
  EXPECT_EQ(said({"plan", "--model", demo_model(), "--devices", "24GiB"}, {"--dtype", "fp8"}), "");
}

// Stopped in the middle of its work, and sent the signal there.
TEST_F(Quantize, EndsAtASignalAndLeavesNothing) {
  const auto entries = [&] {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(path("made"))) names.push_back(entry.path().filename());
    return names;
  };
  for (const int signal : {SIGINT, SIGTERM}) {
    Outcome outcome;
    for (int i = 0; i < 20 && outcome.exit_code <= 0; ++i) {  // it may end before it is stopped
      fs::remove_all(path("made"));
      fs::create_directory(path("made"));
      const layerpipe::testing::TemporaryFolder scratch;
      layerpipe::testing::Program program({"quantize", "--model", demo_model(), "--out", path("made/fp8")},
                                          scratch.path());
      while (entries().empty() && program.is_running()) std::this_thread::yield();
      program.send(SIGSTOP);
      program.send(signal);
      program.send(SIGCONT);
      outcome = program.wait();
    }
    EXPECT_EQ(outcome.exit_code, 128 + signal);
    EXPECT_THAT(outcome.err, ::testing::EndsWith(signal == SIGINT ? "layerpipe: interrupted\n"
                                                                  : "layerpipe: terminated\n"));
    EXPECT_THAT(entries(), ::testing::IsEmpty());
  }
  EXPECT_EQ(quantize(demo_model(), path("made/fp8")).exit_code, 0);
}

// What would not load is found before anything is written.
TEST_F(Quantize, AsksForAllThatARunWould) {
  const auto refused = [&](const std::vector<std::string>& more) {
    const Outcome outcome = quantize(demo_model(), path("fp8"), more);
    EXPECT_EQ(outcome.exit_code, 2);
    return outcome.err;
  };
  const std::string other = (small_model() / "transformer/diffusion_pytorch_model.safetensors").string();
  EXPECT_THAT(refused({"--transformer", other}), HasSubstr("diffusion_pytorch_model.safetensors: tensor \""));
  EXPECT_THAT(refused({"--text-encoder", other}), HasSubstr("is missing"));
  const std::string text = (small_model() / "text_encoder/model.safetensors").string();
  EXPECT_THAT(refused({"--text-encoder", text}), HasSubstr("; the config needs ["));
  EXPECT_TRUE(fs::is_empty(folder_.path()));
}

TEST_F(Quantize, MakesTheFoldersAboveAndRemovesThemWhenItFails) {
  const fs::path out = path("a/b/fp8");
  fs::copy(demo_model(), path("model"), fs::copy_options::recursive);
  fs::permissions(path("model/tokenizer/vocab.json"), fs::perms::none);
  if (::geteuid() != 0) {
    const Outcome unreadable = quantize(path("model"), out);
    EXPECT_EQ(unreadable.exit_code, 2);
    EXPECT_THAT(unreadable.err, HasSubstr("vocab.json: Permission denied"));
  }
  const Outcome full =
      run_program({"quantize", "--model", demo_model(), "--out", out},
                  {"LD_PRELOAD=" LAYERPIPE_SMALL_MACHINE, "LAYERPIPE_TEST_WRITABLE_BYTES=100000"});
  EXPECT_EQ(full.exit_code, 6);
  EXPECT_FALSE(fs::exists(path("a")));
  EXPECT_EQ(quantize(demo_model(), out.string() + "/").exit_code, 0) << "with a slash at its end";
  EXPECT_TRUE(fs::exists(out / "transformer/config.json"));
  std::vector<std::string> left;
  for (const auto& entry : fs::directory_iterator(path("a/b"))) left.push_back(entry.path().filename());
  EXPECT_THAT(left, ::testing::ElementsAre("fp8"));
}

TEST_F(Quantize, FindsADiskThatIsTooSmallBeforeOrWhileItWrites) {
  const auto run = [&](const std::string& limit) {
    return run_program({"quantize", "--model", demo_model(), "--out", path("fp8")},
                       {"LD_PRELOAD=" LAYERPIPE_SMALL_MACHINE, limit});
  };
  const Outcome before = run("LAYERPIPE_TEST_FREE_BYTES=100000");
  EXPECT_EQ(before.exit_code, 2);
  EXPECT_THAT(before.err, ::testing::MatchesRegex("layerpipe: the disk of --out " + path("fp8").string() +
                                                  " has 97\\.7 KiB free, what is written there needs .* MiB\n"
                                                  "  Free some space on it, or choose another --out\\.\n"));
  const Outcome meanwhile = run("LAYERPIPE_TEST_WRITABLE_BYTES=100000");
  EXPECT_EQ(meanwhile.exit_code, 6);
  EXPECT_THAT(meanwhile.err, HasSubstr("No space left on device"));
  EXPECT_TRUE(fs::is_empty(folder_.path()));
}

TEST_F(Quantize, ComponentsMayLieInFilesOfTheirOwn) {
  const auto copy = [&](const char* from, const char* to) {
    fs::copy_file(small_model() / from, path(to));
    return path(to).string();
  };
  const std::string transformer = copy("transformer/diffusion_pytorch_model.safetensors", "t.safetensors");
  layerpipe::testing::rename_tensors(transformer,
                                     [](const std::string& name) { return "model.diffusion_model." + name; });
  const std::string text = copy("text_encoder/model.safetensors", "e.safetensors");
  const Json usual = decompose("usual", {"--model", small_model()});
  // The folder's own are not asked for.
  fs::copy(small_model(), path("rest"), fs::copy_options::recursive);
  fs::remove(path("rest/transformer/diffusion_pytorch_model.safetensors"));
  fs::remove(path("rest/text_encoder/model.safetensors"));
  const Json other =
      decompose("other", {"--model", path("rest"), "--transformer", transformer, "--text-encoder", text});
  EXPECT_EQ(other.at("layer_hashes"), usual.at("layer_hashes"));
  EXPECT_NE(other.at("model").at("fingerprint"), usual.at("model").at("fingerprint"));
  EXPECT_EQ(other.at("options").at("transformer").at("value"), transformer);
  EXPECT_EQ(run_program({"rerun", path("other/run.json"), "--quiet"}).exit_code, 0);
  const Outcome inspected =
      run_program({"inspect", "--model", path("rest"), "--transformer", transformer, "--text-encoder", text});
  EXPECT_THAT(inspected.out,
              HasSubstr("transformer: the names of its tensors, without \"model.diffusion_model.\" "
                        "in front\n"));

  // The file has gone elsewhere meanwhile.
  fs::rename(transformer, path("moved.safetensors"));
  const Outcome missing = run_program({"rerun", path("other/run.json"), "--quiet"});
  EXPECT_EQ(missing.exit_code, 2);
  EXPECT_THAT(missing.err, HasSubstr("the file " + transformer + " that --transformer gave is not there"));
  EXPECT_EQ(
      run_program({"rerun", path("other/run.json"), "--transformer", path("moved.safetensors"), "--quiet"})
          .exit_code,
      0);
  const Outcome random = run_program({"plan", "--model", path("rest"), "--devices", "24GiB",
                                      "--random-weights", "--transformer", path("moved.safetensors")});
  EXPECT_EQ(random.exit_code, 2);
  EXPECT_EQ(
      random.err,
      "layerpipe: --random-weights stands for the weights that --transformer gives\n  Leave one of the two "
      "out.\n");
}

}  // namespace
}  // namespace layerpipe::launch
