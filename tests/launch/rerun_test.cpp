// `layerpipe rerun` from outside. tests/session/job_test.cpp has what it makes of a run.json.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/files.h"
#include "media/png_reader.h"
#include "media/png_writer.h"
#include "tests/launch/program.h"

namespace layerpipe::launch {
namespace {

using layerpipe::testing::decompose_arguments;
using layerpipe::testing::Outcome;
using layerpipe::testing::run_program;
using ::testing::HasSubstr;
using Json = nlohmann::json;

class Rerun : public ::testing::Test {
 protected:
  void decompose(const std::vector<std::string>& more = {}) const {
    const Outcome outcome = run_program(decompose_arguments(out_, more));
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  }
  // FOLDER in an option stands for the folder of the run.
  Outcome rerun(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments{"rerun", run_};
    arguments.insert(arguments.end(), more.begin(), more.end());
    Outcome outcome = run_program(arguments);
    for (std::string* text : {&outcome.out, &outcome.err}) {
      for (auto at = text->find(out_); at != std::string::npos; at = text->find(out_, at))
        text->replace(at, out_.string().size(), "FOLDER");
    }
    return outcome;
  }
  void patch(const Json& patch, const std::string& name = "run.json") const {
    Json json = Json::parse(common::read_text_file(out_ / name));
    json.merge_patch(patch);
    common::write_file_atomically(out_ / name, json.dump());
  }
  Json report() const { return Json::parse(common::read_text_file(run_)); }

  layerpipe::testing::TemporaryFolder folder_;
  std::filesystem::path out_ = folder_.path() / "run";
  std::filesystem::path run_ = out_ / "run.json";
  const std::string same_ =
      "layer 0: the same bits\nlayer 1: the same bits\n"
      "FOLDER/run.json: made again, with the same bits in all layers\n";
};

TEST_F(Rerun, SaysThatTheBitsAgreeAndWritesNothing) {
  decompose();
  const auto files = layerpipe::testing::files_below(folder_.path());
  const std::string before = common::read_text_file(run_);
  const Outcome outcome = rerun();
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.out, same_);
  EXPECT_THAT(outcome.err, HasSubstr("denoise done in "));
  EXPECT_EQ(layerpipe::testing::files_below(folder_.path()), files);
  EXPECT_EQ(common::read_text_file(run_), before);
}

TEST_F(Rerun, QuietStillGivesTheAnswer) {
  decompose({"--quiet"});
  const Outcome outcome = rerun({"--quiet"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.out, same_);
  EXPECT_EQ(outcome.err, "");
}

TEST_F(Rerun, OfRandomWeightsTakesNoFileInTheirPlace) {
  decompose({"--random-weights"});
  const Outcome outcome = rerun({"--transformer", folder_.path() / "absent.safetensors"});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_EQ(
      outcome.err,
      "layerpipe: --random-weights stands for the weights that --transformer gives\n  Leave one of the two "
      "out.\n");
}

// Options that decide the bits are those of the run, though they are not the defaults.
TEST_F(Rerun, TakesEveryOptionThatDecidesTheBits) {
  const std::vector<std::vector<std::string>> runs{
      {"--seed",
       "5",
       "--negative-prompt",
       "-- a \"dash\"=[1,2]\n",
       "--cfg-scale",
       "2.5",
       "--cfg-normalize",
       "--random-weights",
       "--original-size",
       "--format",
       "png,zip",
       "--drop-empty",
       "--dtype",
       "bf16",
       "--residency",
       "phased",
       "--memory-limit",
       "12GiB",
       "--timeout",
       "9s",
       "--trace",
       (folder_.path() / "trace.json").string()},
      {"--no-cfg", "--dump-latents", (folder_.path() / "latents.safetensors").string()},
      {"--init-latents", (folder_.path() / "latents.safetensors").string(), "--negative-prompt", ""}};
  for (const auto& options : runs) {
    decompose(options);
    const Outcome outcome = rerun({"--quiet"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_EQ(outcome.out, same_) << options.front();
  }
}

TEST_F(Rerun, MakesOneOfSeveralResults) {
  decompose({"--num-images", "2", "--seed", "40", "--quiet"});
  const Outcome outcome = run_program({"rerun", out_ / "1" / "run.json", "--quiet"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("the same bits in all layers"));
}

TEST_F(Rerun, SettingsOfAConfigFileNeedNotBeThereAnyMore) {
  const std::filesystem::path config = folder_.path() / "run.yaml";
  common::write_file_atomically(config,
                                "partition: {strategy: fastest, reserve: 1MiB}\nruntime: {dtype: bf16}\n");
  decompose({"--partition", config});
  std::filesystem::remove(config);
  EXPECT_EQ(rerun({"--quiet"}).out, same_);
}

TEST_F(Rerun, FindsThePictureAndTheModelElsewhere) {
  const std::filesystem::path moved = folder_.path() / "moved.png";
  std::filesystem::copy_file(layerpipe::testing::demo_picture(), moved);
  decompose();
  patch({{"picture", "gone.png"}, {"model", {{"folder", "gone"}}}});
  const Outcome outcome =
      rerun({"--image", moved, "--model", layerpipe::testing::demo_model(), "--quiet", "--device", "cpu"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, same_);
}

TEST_F(Rerun, SaysWhereAFileOfWeightsIsWantedThatIsGone) {
  const std::filesystem::path file = folder_.path() / "other.safetensors";
  const std::filesystem::path moved = folder_.path() / "moved.safetensors";
  std::filesystem::copy_file(layerpipe::testing::demo_model() / "text_encoder" / "model.safetensors", file);
  decompose({"--text-encoder", file});
  std::filesystem::rename(file, moved);
  const Outcome gone = rerun();
  EXPECT_EQ(gone.exit_code, 2);
  EXPECT_EQ(gone.err, "layerpipe: FOLDER/run.json: the file " + file.string() +
                          " that --text-encoder gave is not there\n  Start in the folder where the run was "
                          "started, or say where it is: --text-encoder FILE.\n");
  const Outcome again = rerun({"--text-encoder", moved, "--quiet"});
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_EQ(again.out, same_);
}

TEST_F(Rerun, ALayerWithOtherBitsIsNamed) {
  decompose();
  const std::string remedy =
      "  Model, picture, versions and device are those of the run: look whether its run.json or the model's "
      "weights were changed.\n";
  Json hashes = report().at("layer_hashes");
  hashes[1] = std::string(32, '0');
  patch({{"layer_hashes", hashes}});
  Outcome outcome = rerun({"--quiet"});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_EQ(
      outcome.out,
      "layer 0: the same bits\nlayer 1: other bits than run.json says, but it looks like layer_1.png\n");
  EXPECT_EQ(outcome.err, "layerpipe: FOLDER/run.json: made again, layer 1 of 2 has other bits\n" + remedy);

  media::Image layer = media::read_png(out_ / "layer_1.png");
  std::size_t changed = 0;
  for (std::size_t at = 3; at < layer.pixels.size() && changed < 3; at += 4) {
    if (layer.pixels[at] < 10) continue;
    layer.pixels[at] -= static_cast<std::uint8_t>(2 * ++changed);
  }
  ASSERT_EQ(changed, 3U);
  media::write_png(out_ / "layer_1.png", layer);
  EXPECT_THAT(
      rerun({"--quiet"}).out,
      HasSubstr("layer 1: other bits; 3 of 4096 pixels differ from layer_1.png, by 6 of 255 at most\n"));
  media::write_png(out_ / "layer_1.png", media::make_image(3, 3));
  EXPECT_THAT(rerun({"--quiet"}).out,
              HasSubstr("layer 1: other bits; layer_1.png is of another size than run.json says\n"));
  std::filesystem::remove(out_ / "layer_1.png");
  EXPECT_THAT(rerun({"--quiet"}).out,
              HasSubstr("layer 1: other bits; layer_1.png is not there to compare with\n"));
}

TEST_F(Rerun, SaysBeforeTheWorkWhatHasChangedSince) {
  decompose();
  const Json then = report();
  patch({{"model", {{"fingerprint", "00ff"}}},
         {"versions", {{"torch", "1.0"}}},
         {"device", {{"name", "abacus"}}}});
  const Outcome outcome = rerun({"--image", layerpipe::testing::demo_picture("moonlight")});
  EXPECT_EQ(outcome.exit_code, 2);
  const std::string fingerprint = then.at("model").at("fingerprint");
  const std::string hash = then.at("picture_hash");
  EXPECT_THAT(outcome.err, ::testing::StartsWith(
                               "FOLDER/run.json: the fingerprint of the model folder was 00ff, now it is " +
                               fingerprint + "; the bits may differ\n" +
                               "FOLDER/run.json: the picture's hash was " + hash + ", now it is "));
  EXPECT_THAT(outcome.err, HasSubstr("FOLDER/run.json: the version of torch was 1.0, now it is " +
                                     then.at("versions").at("torch").get<std::string>()));
  EXPECT_THAT(outcome.err, HasSubstr("FOLDER/run.json: the device was abacus, now it is "));
  EXPECT_THAT(outcome.err, HasSubstr("layerpipe: FOLDER/run.json: made again, layers 0, 1 of 2 have other "
                                     "bits\n  This has changed since: the fingerprint of the model folder"));
}

// As layerpipe wrote it before a run.json had a job: every option is a text, and flags are "true" or "false".
TEST_F(Rerun, MakesARunAgainThatHasNoJob) {
  decompose({"--seed", "5", "--negative-prompt", "-- a dash", "--cfg-scale", "2.5", "--drop-empty",
             "--format", "png,psd"});
  Json json = Json::parse(common::read_text_file(LAYERPIPE_TEST_DATA "/run_without_job.json"));
  EXPECT_FALSE(json.contains("job"));
  json["picture"] = report().at("picture");
  json["model"] = report().at("model");
  json["layer_hashes"] = report().at("layer_hashes");
  common::write_file_atomically(run_, json.dump());
  const Outcome outcome = rerun({"--quiet"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, same_);
}

TEST_F(Rerun, RefusesAJobThatIsNone) {
  decompose({"--quiet"});
  const auto refused = [&](const Json& job) {
    patch({{"job", job}});
    const Outcome outcome = rerun();
    EXPECT_EQ(outcome.exit_code, 2);
    return outcome.err;
  };
  const std::string remedy = "\n  Give a run.json as layerpipe decompose wrote it.\n";
  EXPECT_EQ(refused({{"steps", 0}}),
            "layerpipe: FOLDER/run.json: \"job.steps\" is 0, not a whole number from 1 to 1000" + remedy);
  EXPECT_EQ(refused({{"steps", 2}, {"layer", 2}}),
            "layerpipe: FOLDER/run.json: \"job.layer\" is no key of a job; did you mean layers?" + remedy);
}

}  // namespace
}  // namespace layerpipe::launch
