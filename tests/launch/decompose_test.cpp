// `layerpipe decompose` from outside: which files it writes and what it says.
#include <sys/wait.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>

#include "common/files.h"
#include "media/png_reader.h"
#include "model/fingerprint.h"
#include "model/weights/safetensors.h"
#include "tests/launch/png_file.h"
#include "tests/launch/program.h"
#include "tests/support/test_data.h"

namespace layerpipe::launch {
namespace {

using layerpipe::testing::decompose_arguments;
using layerpipe::testing::files_below;
using layerpipe::testing::Outcome;
using layerpipe::testing::read_png_file;
using layerpipe::testing::run_program;
using media::read_png;
using ::testing::ElementsAre;
using Json = nlohmann::json;

class Decompose : public ::testing::Test {
 protected:
  // Runs with these further options and asserts success.
  Outcome run(const std::vector<std::string>& more = {}) const {
    Outcome outcome = run_program(decompose_arguments(out_, more));
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_EQ(outcome.out, "");
    return outcome;
  }
  Json report(const std::string& folder = ".") const {
    return Json::parse(common::read_text_file(out_ / folder / "run.json"));
  }

  void leave(const std::string& name, const std::string& content) const {
    std::filesystem::create_directories((out_ / name).parent_path());
    common::write_file_atomically(out_ / name, content);
  }
  // Every file below --out with its content.
  std::map<std::string, std::string> contents() const {
    std::map<std::string, std::string> contents;
    for (const std::string& name : files_below(out_)) contents[name] = common::read_text_file(out_ / name);
    return contents;
  }

  layerpipe::testing::TemporaryFolder folder_;
  std::filesystem::path out_ = folder_.path() / "out" / "nested";
};

TEST_F(Decompose, OneResultGoesToTheFolderItself) {
  run();
  EXPECT_THAT(files_below(out_), ElementsAre("composite.png", "layer_0.png", "layer_1.png", "run.json"));
  const Json json = report();
  EXPECT_EQ(json.at("versions").at("layerpipe"), LAYERPIPE_VERSION);
  EXPECT_EQ(json.at("command"), "decompose");
  EXPECT_EQ(json.at("picture"), layerpipe::testing::demo_picture().string());
  EXPECT_EQ(json.at("seed"), 777);
  EXPECT_EQ(json.at("device").at("id"), "cpu");
  EXPECT_EQ(json.at("dtype"), "fp32");
  EXPECT_EQ(json.at("picture_size"), Json({{"width", 640}, {"height", 448}}));
  EXPECT_EQ(json.at("working_size"), Json({{"width", 64}, {"height", 64}}));
  EXPECT_EQ(json.at("layer_size"), json.at("working_size"));
  EXPECT_EQ(json.at("model").at("pipeline"), "QwenImageLayeredPipeline");
  EXPECT_EQ(json.at("model").at("fingerprint"), model::fingerprint(layerpipe::testing::demo_model()));
  EXPECT_EQ(json.at("seconds").at("steps").size(), 2U);
  EXPECT_GT(json.at("seconds").at("write"), 0);
  for (const char* phase : {"encode", "denoise", "decode"}) {
    EXPECT_GT(json.at("seconds").at(phase), 0) << phase;
    EXPECT_GE(json.at("seconds").at("load").at(phase), 0) << phase;
    EXPECT_GT(json.at("memory").at("peak_bytes").at(phase), 0) << phase;
  }
  // The files are bf16 and the computation is fp32, so the weights take memory.
  for (const char* network : {"text_encoder", "vae_encoder", "transformer", "vae_decoder"})
    EXPECT_GT(json.at("memory").at("weight_bytes").at(network), 0) << network;
  for (const char* phase : {"encode", "denoise", "decode"})
    EXPECT_GE(json.at("memory").at("host_peak_bytes"), json.at("memory").at("peak_bytes").at(phase)) << phase;
  EXPECT_EQ(json.at("files"), Json({"layer_0.png", "layer_1.png", "composite.png"}));
  EXPECT_EQ(json.at("options").at("steps"), Json({{"value", "2"}, {"source", "command line"}}));
  EXPECT_EQ(json.at("options").at("cfg-scale"), Json({{"value", "4"}, {"source", "default"}}));
  EXPECT_EQ(json.at("options").at("quiet"), Json({{"value", "false"}, {"source", "default"}}));
}

TEST_F(Decompose, PicturesSayWhatMadeThem) {
  run({"--original-size"});
  const Json report = this->report();
  EXPECT_EQ(report.at("layer_size"), report.at("picture_size"));
  for (const char* name : {"layer_1.png", "composite.png"}) {
    const auto png = read_png_file(out_ / name);
    EXPECT_EQ(png.width, 640) << name;
    EXPECT_EQ(png.height, 448) << name;
    EXPECT_EQ(png.texts.at("Software"), "layerpipe " LAYERPIPE_VERSION);
    const Json origin = Json::parse(png.texts.at("layerpipe"));
    for (const char* key : {"versions", "command", "device", "dtype", "seed", "working_size"})
      EXPECT_EQ(origin.at(key), report.at(key)) << key;
    EXPECT_EQ(origin.at("model").at("fingerprint"), report.at("model").at("fingerprint"));
    EXPECT_EQ(origin.at("job").at("steps"), report.at("job").at("steps"));
    // Where things lie on somebody's disk is nothing to hand on with a picture.
    EXPECT_EQ(origin.at("picture"), "weather.png");
    EXPECT_EQ(origin.at("job").at("image"), "weather.png");
    EXPECT_EQ(png.texts.at("layerpipe").find(out_.parent_path().string()), std::string::npos);
  }
  EXPECT_EQ(read_png_file(out_ / "layer_1.png").texts.at("Title"), "Layer 1 of 2");
}

// Neither the folder, nor the files beside, nor how long a rank waits says anything of the picture.
TEST_F(Decompose, TheSameRunIntoAnotherFolderGivesTheSameBytes) {
  run({"--dump-latents", folder_.path() / "a.safetensors", "--trace", folder_.path() / "a.json"});
  const std::filesystem::path first = out_;
  out_ = folder_.path() / "elsewhere";
  run({"--dump-latents", folder_.path() / "b.safetensors", "--trace", folder_.path() / "b.json", "--quiet",
       "--timeout", "90s", "--format", "png,psd", "--drop-empty"});
  for (const char* name : {"layer_0.png", "layer_1.png", "composite.png"})
    EXPECT_TRUE(common::read_text_file(first / name) == common::read_text_file(out_ / name)) << name;
}

TEST_F(Decompose, AJobMakesOneOfSeveralResults) {
  const std::string second = folder_.path() / "second picture.png";
  std::filesystem::copy_file(layerpipe::testing::demo_picture(), second);
  run({"--image", second, "--quiet"});
  EXPECT_EQ(report("0").at("options").at("image").at("value"),
            Json({layerpipe::testing::demo_picture(), second}));
  const auto png = read_png_file(out_ / "1" / "layer_0.png");
  EXPECT_EQ(Json::parse(png.texts.at("layerpipe")).at("job").at("image"), "second picture.png");
  EXPECT_EQ(report("0").at("job").at("image"), layerpipe::testing::demo_picture().string());
  EXPECT_EQ(report("1").at("job").at("image"), second);
}

TEST_F(Decompose, GoesOnWhenItsLogCannotBeWritten) {
  const layerpipe::testing::TemporaryFolder scratch;
  std::string command = "exec 2>/dev/full;";
  for (const std::string& argument : decompose_arguments(out_)) command += " '" + argument + "'";
  command.insert(command.find(';') + 1, " exec '" LAYERPIPE_PROGRAM "'");
  EXPECT_EQ(std::system(command.c_str()), 0);
  EXPECT_TRUE(std::filesystem::exists(out_ / "run.json"));
}

TEST_F(Decompose, SaysWhenStdoutCannotBeWritten) {
  const int status = std::system("'" LAYERPIPE_PROGRAM "' --version >/dev/full 2>/dev/null");
  EXPECT_EQ(WEXITSTATUS(status), 6);
}

TEST_F(Decompose, DumpsLatentsIntoTheFolderThatItMakes) {
  run({"--quiet", "--dump-latents", out_ / "latents.safetensors"});
  EXPECT_TRUE(std::filesystem::exists(out_ / "latents.safetensors"));
}

TEST_F(Decompose, TheSameRunGivesTheSameBytes) {
  run();
  const std::string first = common::read_text_file(out_ / "layer_1.png");
  run();
  EXPECT_EQ(common::read_text_file(out_ / "layer_1.png"), first);
}

TEST_F(Decompose, SeveralResultsAreNumbered) {
  const std::string second = folder_.path() / "second.png";
  std::filesystem::copy_file(layerpipe::testing::test_data() / "parity" / "plain" / "input.png", second);
  run({"--image", second, "--num-images", "2", "--seed", "40", "--quiet"});
  EXPECT_EQ(files_below(out_).size(), 4U * 4U);
  for (int i = 0; i < 4; ++i) {
    const Json json = report(std::to_string(i));
    EXPECT_EQ(json.at("seed"), 40 + i % 2) << i;
    EXPECT_EQ(json.at("picture"), i < 2 ? layerpipe::testing::demo_picture().string() : second) << i;
    EXPECT_TRUE(std::filesystem::exists(out_ / std::to_string(i) / "layer_1.png")) << i;
  }
  // A result does not depend on its company.
  const std::string alone = folder_.path() / "alone";
  auto arguments = decompose_arguments(alone, {"--seed", "41", "--quiet"});
  EXPECT_EQ(run_program(arguments).exit_code, 0);
  EXPECT_EQ(read_png(alone + "/layer_0.png"), read_png(out_ / "1" / "layer_0.png"));
  EXPECT_NE(read_png(alone + "/layer_0.png"), read_png(out_ / "0" / "layer_0.png"));
}

TEST_F(Decompose, SaysWhatItNoticedAboutAPicture) {
  const std::string padded = layerpipe::testing::test_data() / "media" / "jpeg" / "damaged" / "padded.jpg";
  EXPECT_THAT(
      run({"--image", padded}).err,
      ::testing::StartsWith(padded + ": libjpeg warns \"Corrupt JPEG data: 39 extraneous bytes before " +
                            "marker 0xd9\": look whether the picture is whole\n"));
  EXPECT_EQ(run({"--image", padded, "--quiet"}).err, "");
}

// Two prompts that differ behind what is read give the same layers: so that is said.
TEST_F(Decompose, SaysWhatOfAPromptIsNotRead) {
  std::string start;
  for (int i = 0; i < 300; ++i) start += "a red balloon and a blue kite ";
  const auto said = [&](const std::string& end, const std::vector<std::string>& more) {
    auto arguments = decompose_arguments(out_, more);
    *(std::find(arguments.begin(), arguments.end(), "--prompt") + 1) = start + end;
    const Outcome outcome = run_program(arguments);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return outcome.err;
  };
  const std::string negative = start + "and blur";
  EXPECT_THAT(
      said("with a dog", {"--negative-prompt", negative}),
      ::testing::AllOf(::testing::ContainsRegex("(^|\n)the prompt has [0-9]+ tokens, of which the model "
                                                "reads the first [0-9]+: shorten it, for what follows "
                                                "has no effect: \".*…\"\n"),
                       ::testing::ContainsRegex("\nthe negative prompt has [0-9]+ tokens, ")));
  const Json first = report();
  const Json cut = first.at("cut_prompts").at("prompt");
  EXPECT_THAT(cut.at("dropped").get<std::string>(), ::testing::EndsWith("blue kite with a dog"));
  EXPECT_THAT(first.at("cut_prompts").at("negative-prompt").at("dropped").get<std::string>(),
              ::testing::EndsWith("and blur"));
  EXPECT_LT(cut.at("read_tokens"), cut.at("tokens"));

  EXPECT_EQ(said("with a green car", {"--negative-prompt", negative, "--quiet"}), "");
  EXPECT_EQ(report().at("layer_hashes"), first.at("layer_hashes"));
  EXPECT_THAT(said("with a dog", {"--no-cfg"}), ::testing::Not(::testing::HasSubstr("negative prompt has")));
  EXPECT_FALSE(report().at("cut_prompts").contains("negative-prompt"));
}

TEST_F(Decompose, FileNamesNeedNotBeUtf8) {
  const auto picture = folder_.path() / "caf\xE9.png";
  std::filesystem::copy_file(layerpipe::testing::demo_picture(), picture);
  auto arguments = decompose_arguments(folder_.path() /
                                       "\xFC"
                                       "ber");
  *(std::find(arguments.begin(), arguments.end(), "--image") + 1) = picture.string();
  const Outcome outcome = run_program(arguments);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, ::testing::HasSubstr("\\xFCber: 2 layers of "));
  const Json json = Json::parse(common::read_text_file(folder_.path() /
                                                       "\xFC"
                                                       "ber" /
                                                       "run.json"));
  EXPECT_EQ(json.at("picture"), (folder_.path() / "caf\uFFFD.png").string());
}

// As some network and FUSE mounts are.
TEST_F(Decompose, ReadsWhereNothingCanBeMapped) {
  const Outcome outcome =
      run_program(decompose_arguments(out_),
                  {"LD_PRELOAD=" LAYERPIPE_SMALL_MACHINE, "LAYERPIPE_TEST_NOT_MAPPED=" LAYERPIPE_DEMO});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
}

TEST_F(Decompose, QuietSaysNothing) {
  EXPECT_EQ(run({"--quiet"}).err, "");
}

TEST_F(Decompose, SaysADatedLineForBothEndsOfEveryPhase) {
  const std::string date = "[0-9]+-[0-9]+-[0-9]+ [0-9]+:[0-9]+:[0-9]+  ";
  const std::string memory = "; memory [^\n]+ in use, [^\n]+ at most, of [^\n]+\n";
  // On a slow machine there may be lines between them, one every ten seconds.
  const std::string more = "(" + date + "[^\n]+\n)*";
  EXPECT_THAT(run().err,
              ::testing::MatchesRegex(
                  "[^\n]+: 2 layers at 64 px, guidance, fp32\n([^\n]*\n)+" + date + "encode 0 of 2" + memory +
                  more + date + "encode done in [^\n]+" + memory + date + "denoise step 0 of 2" + memory +
                  more + date + "denoise done in [^\n]+ s a step" + memory + date + "decode 0 of 1" + memory +
                  more + date + "decode done in [^\n]+" + memory + more + date + "write 0 of 6" + memory +
                  more + date + "write done in [^\n]+" + memory + out_.string() +
                  ": 2 layers of [0-9]+ × [0-9]+ pixels and composite.png\n" + "done in [^\n]+\n"));
}

TEST_F(Decompose, LatentsThatWereDumpedGiveTheSameLayers) {
  const std::string file = folder_.path() / "latents.safetensors";
  run({"--quiet", "--dump-latents", file});
  EXPECT_EQ(report().at("files").back(), file);
  const model::SafetensorsFile latents(file);
  std::vector<std::string> names;
  for (const auto& [name, info] : latents.tensors()) names.push_back(name);
  EXPECT_THAT(names, ElementsAre("decoded", "image_latents", "init_latents", "latents",
                                 "negative_prompt_embeds", "prompt_embeds"));
  EXPECT_EQ(latents.read("init_latents").size(0), 1);
  EXPECT_EQ(latents.read("decoded").size(0), 2);
  EXPECT_EQ(latents.read("decoded").size(1), 4);
  const media::Image layer = read_png(out_ / "layer_1.png");
  run({"--quiet", "--init-latents", file, "--seed", "1"});
  EXPECT_EQ(read_png(out_ / "layer_1.png"), layer);
  EXPECT_EQ(report().at("files").back(), "composite.png");
}

TEST_F(Decompose, RandomWeightsNeedNoWeightFiles) {
  const auto model = folder_.path() / "model";
  std::filesystem::copy(layerpipe::testing::small_model(), model, std::filesystem::copy_options::recursive);
  for (const std::string& file : files_below(model)) {
    if (file.ends_with(".safetensors")) std::filesystem::remove(model / file);
  }
  auto arguments = decompose_arguments(out_);
  *(std::find(arguments.begin(), arguments.end(), "--model") + 1) = model.string();
  const Outcome without = run_program(arguments);
  EXPECT_EQ(without.exit_code, 2);
  EXPECT_EQ(without.err, "layerpipe: " + (model / "text_encoder").string() +
                             " has neither model.safetensors nor model.safetensors.index.json\n"
                             "  Copy or download the model's weights, or try --random-weights.\n");
  EXPECT_FALSE(std::filesystem::exists(out_));
  arguments.emplace_back("--random-weights");
  EXPECT_EQ(run_program(arguments).exit_code, 0);
  EXPECT_EQ(files_below(out_).size(), 4U);
}

TEST_F(Decompose, LayersOfAnEarlierRunDoNotStay) {
  run();
  auto arguments = decompose_arguments(out_);
  *(std::find(arguments.begin(), arguments.end(), "--layers") + 1) = "1";
  EXPECT_EQ(run_program(arguments).exit_code, 0);
  EXPECT_THAT(files_below(out_), ElementsAre("composite.png", "layer_0.png", "run.json"));
}

// The disk is full in the middle of the second result.
const std::vector<std::string> kFullDisk{"LD_PRELOAD=" LAYERPIPE_SMALL_MACHINE,
                                         "LAYERPIPE_TEST_WRITABLE_BYTES=20000"};

TEST_F(Decompose, AFailedRunLeavesAnEarlierOneWhole) {
  run();
  const auto before = contents();
  EXPECT_EQ(run_program(decompose_arguments(out_, {"--seed", "2"}), kFullDisk).exit_code, 6);
  EXPECT_TRUE(contents() == before);
}

TEST_F(Decompose, WhatWasFinishedBeforeAFailureStays) {
  run();
  std::uintmax_t bytes = 0;
  for (const auto& [name, content] : contents()) bytes += content.size();
  std::filesystem::remove_all(out_);
  const std::string room = "LAYERPIPE_TEST_WRITABLE_BYTES=" + std::to_string(bytes * 3 / 2);
  EXPECT_EQ(
      run_program(decompose_arguments(out_, {"--num-images", "2"}), {kFullDisk.front(), room}).exit_code, 6);
  EXPECT_THAT(files_below(out_),
              ElementsAre("0/composite.png", "0/layer_0.png", "0/layer_1.png", "0/run.json"));
}

// A run that replaces them puts all in their places together.
TEST_F(Decompose, ResultsOfAnEarlierRunAreNotMixedWithNewOnes) {
  run({"--num-images", "2"});
  const auto before = contents();
  std::uintmax_t bytes = 0;
  for (const auto& [name, content] : before) bytes += content.size();
  const std::string room = "LAYERPIPE_TEST_WRITABLE_BYTES=" + std::to_string(bytes * 3 / 4);
  EXPECT_EQ(
      run_program(decompose_arguments(out_, {"--num-images", "2", "--seed", "2"}), {kFullDisk.front(), room})
          .exit_code,
      6);
  EXPECT_TRUE(contents() == before);
}

TEST_F(Decompose, FilesOfAnotherStayWhereTheyAre) {
  leave("layer_2.png", "another's");
  leave("layers.psd", "another's");
  leave("0/notes.txt", "another's");
  run();
  EXPECT_THAT(files_below(out_), ElementsAre("0/notes.txt", "composite.png", "layer_0.png", "layer_1.png",
                                             "layer_2.png", "layers.psd", "run.json"));
  run({"--num-images", "2"});
  EXPECT_THAT(files_below(out_), ElementsAre("0/composite.png", "0/layer_0.png", "0/layer_1.png",
                                             "0/notes.txt", "0/run.json", "1/composite.png", "1/layer_0.png",
                                             "1/layer_1.png", "1/run.json", "layer_2.png", "layers.psd"));
  run();
  EXPECT_THAT(files_below(out_), ElementsAre("0/notes.txt", "composite.png", "layer_0.png", "layer_1.png",
                                             "layer_2.png", "layers.psd", "run.json"));
}

TEST_F(Decompose, AnEditedDocumentOfAnEarlierRunIsKept) {
  run({"--format", "png,psd"});
  leave("layers.psd", "edited for hours");
  const auto before = contents();
  const std::string cure =
      "\n  Choose another folder, or give --overwrite: files that are written anew are replaced then, and "
      "others stay.\n";
  for (const char* results : {"1", "2"}) {
    const Outcome outcome = run_program(decompose_arguments(out_, {"--num-images", results}));
    EXPECT_EQ(outcome.exit_code, 2);
    EXPECT_EQ(outcome.err, "layerpipe: --out " + out_.string() +
                               ": in the way of the results lies layers.psd (edited)" + cure);
    EXPECT_TRUE(contents() == before);
  }
  run({"--overwrite"});
  EXPECT_EQ(common::read_text_file(out_ / "layers.psd"), "edited for hours");
  run({"--overwrite", "--format", "psd"});
  EXPECT_NE(common::read_text_file(out_ / "layers.psd"), "edited for hours");
}

// What was asked for by its name is a person's: it is replaced by its name alone.
TEST_F(Decompose, FilesThatWereNamedStayWhenTheirResultGoes) {
  run({"--trace", out_ / "trace.json", "--dump-latents", out_ / "latents.safetensors"});
  const std::string latents = common::read_text_file(out_ / "latents.safetensors");
  run({"--seed", "5"});
  EXPECT_TRUE(common::read_text_file(out_ / "latents.safetensors") == latents);
  run({"--seed", "5", "--trace", out_ / "trace.json", "--dump-latents", out_ / "latents.safetensors"});
  EXPECT_FALSE(common::read_text_file(out_ / "latents.safetensors") == latents);
  EXPECT_TRUE(std::filesystem::exists(out_ / "trace.json"));
}

TEST_F(Decompose, SaysWhenNothingKeepsOtherRunsAway) {
  const std::vector<std::string> no_locks{"LD_PRELOAD=" LAYERPIPE_SMALL_MACHINE, "LAYERPIPE_TEST_NO_LOCKS=1"};
  const Outcome outcome = run_program(decompose_arguments(out_), no_locks);
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(outcome.err, ::testing::HasSubstr("--out " + out_.string() +
                                                ": its file system keeps no locks, so nothing keeps another "
                                                "run from writing there meanwhile\n"));
  EXPECT_THAT(files_below(out_), ElementsAre("composite.png", "layer_0.png", "layer_1.png", "run.json"));
}

}  // namespace
}  // namespace layerpipe::launch
