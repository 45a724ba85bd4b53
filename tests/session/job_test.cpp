// A job as JSON, both ways, and out of the options of an earlier run.json.
#include "session/job.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "common/errors.h"
#include "common/files.h"
#include "session/job_fields.h"
#include "tests/support/refusal.h"

namespace layerpipe::session {
namespace {

using layerpipe::testing::refusal;
using Json = nlohmann::json;
using results::Format;

// No member has its default.
Job another_job() {
  Job job;
  job.images = {"a.png", "folder/b.png"};
  job.prompt = "a \"fox\"\n";
  job.layers = 3;
  job.resolution = 96;
  job.any_resolution = true;
  job.steps = 7;
  job.num_images = 2;
  job.seed = 18446744073709551614U;
  job.seed_device = "cuda";
  job.negative_prompt = "";
  job.cfg_scale = 2.5;
  job.cfg_normalize = true;
  job.no_cfg = true;
  job.formats = {Format::kPng, Format::kHtml};
  job.drop_empty = true;
  job.original_size = true;
  job.init_latents = "folder/latents.safetensors";
  job.random_weights = true;
  return job;
}

Job read(const Json& json) {
  const std::string name = "FILE";
  const std::string remedy = "Look again.";
  const Json parsed = Json::parse(json.dump());  // as a file has it: a whole number from 0 is unsigned
  return from_json(results::JsonReader(parsed, name, remedy));
}

Json valid() {
  return {{"image", "a.png"}, {"prompt", "a fox"}};
}

std::string refused(const std::string& key, const Json& value) {
  Json json = valid();
  json[key] = value;
  return refusal("FILE", [&] { read(json); });
}

TEST(Job, ComesBackFromJsonWithEveryField) {
  const Json json = Json::parse(to_json(another_job()));
  const Json defaults = Json::parse(to_json(Job()));
  for (const JobField& field : job_fields()) {
    ASSERT_TRUE(json.contains(field.name)) << field.name;
    if (field.name == "command") continue;  // there is but one
    EXPECT_NE(json.at(field.name), defaults.value(field.name, Json())) << field.name << " is not tested";
  }
  EXPECT_EQ(json.size(), job_fields().size());
  EXPECT_EQ(read(json), another_job());
}

TEST(Job, HasTheDefaultsOfTheCommandLine) {
  Job job;
  job.images = {"a.png"};
  job.prompt = "a fox";
  EXPECT_EQ(read(valid()), job);
  EXPECT_EQ(read(Json::parse(to_json(job))), job);
}

TEST(Job, TellsPicturesOnlyWhatDecidesThem) {
  const Json json = Json::parse(deciding_json(another_job()));
  for (const char* key : {"format", "drop_empty", "num_images"}) EXPECT_FALSE(json.contains(key)) << key;
  EXPECT_EQ(json.at("image"), Json({"a.png", "b.png"}));
  EXPECT_EQ(json.at("init_latents"), "latents.safetensors");
  EXPECT_EQ(json.at("steps"), 7);
  EXPECT_EQ(json.at("original_size"), true);
}

TEST(Job, RefusesWhatItDoesNotKnow) {
  EXPECT_EQ(refused("stepz", 7), "FILE: \"stepz\" is no key of a job; did you mean steps?");
  EXPECT_EQ(refused("lora", "a"), "FILE: \"lora\" is no key of a job");
  EXPECT_EQ(refused("negative-prompt", ""),
            "FILE: \"negative-prompt\" is no key of a job; did you mean negative_prompt?");
  EXPECT_EQ(refusal("FILE", [] { read({{"prompt", "a fox"}}); }), "FILE: \"image\" is missing");
  EXPECT_EQ(refusal("FILE", [] { read(Json::array()); }), "FILE is [], not a JSON object");
}

TEST(Job, SaysWhatWasExpected) {
  const std::vector<std::tuple<const char*, Json, const char*>> cases{
      {"command", "generate", "\"command\" is \"generate\", not decompose"},
      {"image", 7, "\"image\" is 7, not a text"},
      {"image", "", "\"image\" is empty"},
      {"image", Json::array(), "\"image\" is empty"},
      {"image", {"a.png", ""}, "\"image[1]\" is empty"},
      {"prompt", 7, "\"prompt\" is 7, not a text"},
      {"prompt", std::string("a\0b", 3), "\"prompt\" is \"a\\u0000b\", not a text without the character 0"},
      {"layers", 0, "\"layers\" is 0, not a whole number from 1 to 32"},
      {"layers", 33, "\"layers\" is 33, not a whole number from 1 to 32"},
      {"layers", "4", "\"layers\" is \"4\", not a whole number from 1 to 32"},
      {"resolution", 63, "\"resolution\" is 63, not a whole number from 64 to 2048"},
      {"resolution", 2049, "\"resolution\" is 2049, not a whole number from 64 to 2048"},
      {"any_resolution", "true", "\"any_resolution\" is \"true\", not true or false"},
      {"steps", 1001, "\"steps\" is 1001, not a whole number from 1 to 1000"},
      {"steps", 2.5, "\"steps\" is 2.5, not a whole number from 1 to 1000"},
      {"num_images", 1001, "\"num_images\" is 1001, not a whole number from 1 to 1000"},
      {"seed", -1, "\"seed\" is -1, not a whole number from 0"},
      {"seed_device", "gpu", "\"seed_device\" is \"gpu\", not cpu or cuda"},
      {"negative_prompt", nullptr, "\"negative_prompt\" is null, not a text"},
      {"cfg_scale", 100.5, "\"cfg_scale\" is 100.5, not a number from 0 to 100"},
      {"cfg_scale", "4", "\"cfg_scale\" is \"4\", not a number"},
      {"no_cfg", 1, "\"no_cfg\" is 1, not true or false"},
      {"format", "png,gif",
       "\"format\" is \"png,gif\", not png, psd, pptx, ora, zip or html, or several with commas between "
       "them"},
      {"format", "png,png",
       "\"format\" is \"png,png\", not png, psd, pptx, ora, zip or html, or several with commas between "
       "them"},
      {"init_latents", "", "\"init_latents\" is empty"},
  };
  for (const auto& [key, value, message] : cases)
    EXPECT_EQ(refused(key, value), std::string("FILE: ") + message);
}

TEST(Job, TakesTheEndsOfItsRanges) {
  Json json = valid();
  json.update({{"layers", 32},
               {"resolution", 64},
               {"steps", 1000},
               {"num_images", 1},
               {"cfg_scale", 100},
               {"seed", 18446744073709551615U}});
  const Job job = read(json);
  EXPECT_EQ(job.layers, 32);
  EXPECT_EQ(job.cfg_scale, 100);
  EXPECT_EQ(job.seed, 18446744073709551615U);
}

TEST(Job, OfOneResultHasItsPictureAndItsSeed) {
  Job job = another_job();
  job.seed = 40;
  const Job third = job_of_result(job, 3);
  EXPECT_EQ(third.images, (std::vector<std::filesystem::path>{"folder/b.png"}));
  EXPECT_EQ(third.seed, 41U);
  EXPECT_EQ(third.num_images, 1);
  EXPECT_EQ(third.steps, job.steps);
}

TEST(Job, OfARunNamesTheFileAndTheKey) {
  EXPECT_EQ(refusal("FILE", [] { job_of_run(R"({"image": "a", "steps": "2"})", "FILE", "Look again."); }),
            "FILE: \"job.steps\" is \"2\", not a whole number from 1 to 1000");
  EXPECT_EQ(job_of_run(to_json(another_job()), "FILE", ""), another_job());
}

TEST(JobOfOptions, TakesTheTextsOfAnEarlierRun) {
  const Job job =
      job_of_options(std::vector<results::RecordedOption>{{"model", {"model"}, "command line"},
                                                          {"image", {"a.png", "b.png"}, "command line"},
                                                          {"prompt", {"--seed=4"}, "command line"},
                                                          {"layers", {"3"}, "command line"},
                                                          {"any-resolution", {"true"}, "command line"},
                                                          {"no-cfg", {"false"}, "default"},
                                                          {"seed", {"18446744073709551615"}, "command line"},
                                                          {"negative-prompt", {""}, "command line"},
                                                          {"cfg-scale", {"2.5"}, "command line"},
                                                          {"format", {"png,zip"}, "command line"},
                                                          {"init-latents", {""}, "default"},
                                                          {"partition.reserve", {"1GiB"}, "config file"}});
  Job expected;
  expected.images = {"a.png", "b.png"};
  expected.prompt = "--seed=4";
  expected.layers = 3;
  expected.any_resolution = true;
  expected.seed = 18446744073709551615U;
  expected.negative_prompt = "";
  expected.cfg_scale = 2.5;
  expected.formats = {Format::kPng, Format::kZip};
  EXPECT_EQ(job, expected);
}

TEST(JobOfOptions, ReadsAFileThatWasWrittenBeforeThereWereJobs) {
  const results::RunRecord record = results::read_run_record(LAYERPIPE_TEST_DATA "/run_without_job.json");
  EXPECT_EQ(record.job, "");
  const Job job = job_of_options(record.options);
  EXPECT_EQ(job.seed, 5U);
  EXPECT_EQ(job.negative_prompt, "-- a dash");
  EXPECT_EQ(job.cfg_scale, 2.5);
  EXPECT_FALSE(job.no_cfg);
  EXPECT_EQ(job.resolution, 64);
  EXPECT_TRUE(job.any_resolution);
}

TEST(JobOfOptions, RefusesValuesAsTheCommandLineDoes) {
  const auto refused = [](const std::string& name, const std::string& value) {
    return refusal("FILE", [&] {
      job_of_options(std::vector<results::RecordedOption>{{name, {value}, "command line"}});
    });
  };
  EXPECT_EQ(refused("steps", "0"), "--steps 0 is out of range: 1 to 1000");
  EXPECT_EQ(refused("seed-device", "gpu"), "--seed-device gpu is not known");
  EXPECT_EQ(refused("cfg-normalize", "yes"), "--cfg-normalize yes is not known");
}

TEST(CheckJob, RefusesWhatDoesNotGoTogether) {
  Job good;
  good.images = {"a.png"};
  good.prompt = "a fox";
  EXPECT_NO_THROW(check_job(good));
  const auto refused = [&](const std::function<void(Job&)>& spoil) {
    Job job = good;
    spoil(job);
    return refusal("FILE", [&] { check_job(job); });
  };
  EXPECT_EQ(refused([](Job& job) { job.resolution = 96; }),
            "--resolution 96 is not one that the model was trained at");
  EXPECT_EQ(refused([](Job& job) { job.drop_empty = true; }),
            "--drop-empty has no effect on PNG files, which keep their numbers");
  EXPECT_EQ(refused([](Job& job) {
              job.init_latents = "l.safetensors";
              job.num_images = 2;
            }),
            "--init-latents and --dump-latents are for one result");
}

}  // namespace
}  // namespace layerpipe::session
