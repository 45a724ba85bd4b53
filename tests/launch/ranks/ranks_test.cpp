// The program over several ranks of mpirun, with the demo's model and a picture of it.
#include <gmock/gmock.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "common/files.h"
#include "model/weights/safetensors.h"
#include "tests/launch/program.h"
#include "tests/support/model_copy.h"
#include "tests/support/parity_case.h"

namespace layerpipe::testing {
namespace {

// Runs launch/run.sh with so many ranks.
Outcome run_ranks(int ranks, std::vector<std::string> arguments,
                  const std::vector<std::string>& environment = {"LAYERPIPE_PROGRAM=" LAYERPIPE_BINARY}) {
  arguments.insert(arguments.begin(), {"-n", std::to_string(ranks)});
  return run_program(arguments, environment);
}

class Ranks : public ::testing::Test {
 protected:
  std::vector<std::string> decompose(const std::string& name,
                                     const std::vector<std::string>& more = {}) const {
    std::vector<std::string> all{"--dump-latents", dump(name).string()};
    all.insert(all.end(), more.begin(), more.end());
    return decompose_arguments(folder_.path() / name, all);
  }
  std::filesystem::path dump(const std::string& name) const {
    return folder_.path() / (name + ".safetensors");
  }
  std::filesystem::path write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_.path() / name) << text;
    return folder_.path() / name;
  }

  void expect_same_bits(const std::string& ours, const std::string& expected) const {
    const model::SafetensorsFile a(dump(ours));
    const model::SafetensorsFile b(dump(expected));
    ASSERT_EQ(a.tensors().size(), b.tensors().size());
    for (const auto& [name, unused] : b.tensors())
      EXPECT_TRUE(is_equal(a.read(name), b.read(name))) << name << " of " << ours;
  }
  nlohmann::json report(const std::string& name) const {
    std::ifstream file(folder_.path() / name / "run.json");
    return nlohmann::json::parse(file);
  }

  TemporaryFolder folder_;
};

class RanksOfDtype : public Ranks, public ::testing::WithParamInterface<const char*> {};

TEST_P(RanksOfDtype, GiveTheSameBits) {
  const std::vector<std::string> dtype{"--dtype", GetParam()};
  ASSERT_EQ(run_ranks(1, decompose("one", dtype)).exit_code, 0);
  for (const int ranks : {2, 3, 4}) {
    const std::string name = std::to_string(ranks);
    const Outcome outcome = run_ranks(ranks, decompose(name, dtype));
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    expect_same_bits(name, "one");
  }
}

INSTANTIATE_TEST_SUITE_P(Dtypes, RanksOfDtype, ::testing::Values("fp32", "bf16"),
                         [](const auto& info) { return std::string(info.param); });

// More ranks than the demo's model has blocks: eight with random weights.
TEST_F(Ranks, SevenGiveTheSameBits) {
  const auto model = copy_with_blocks(demo_model(), folder_.path() / "model", 8);
  const auto arguments = [&](const std::string& name) {
    auto all = decompose(name, {"--random-weights"});
    *(std::find(all.begin(), all.end(), "--model") + 1) = model.string();
    return all;
  };
  ASSERT_EQ(run_ranks(1, arguments("one")).exit_code, 0);
  const Outcome outcome = run_ranks(7, arguments("seven"));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  expect_same_bits("seven", "one");
  EXPECT_EQ(report("seven").at("ranks").size(), 7U);
}

TEST_F(Ranks, GiveTheSameBitsHoweverTheModelIsSplit) {
  ASSERT_EQ(run_ranks(1, decompose("one")).exit_code, 0);
  const auto unequal = write("unequal.yaml", R"(partition:
  strategy: explicit
  residency: {transformer: resident, text_encoder: phased, vae: phased}
  stages:
    - {rank: 0, transformer: 0, text_encoder: none, vae: 10%}
    - {rank: 2, transformer: 1-4, text_encoder: 0-1, vae: 0%}
    - {rank: 1, transformer: 5, vae: 90%}
)");
  const std::map<std::string, std::vector<std::string>> splits = {
      {"fastest", {"--strategy", "fastest"}},
      {"phased", {"--residency", "phased"}},
      {"explicit", {"--partition", unequal.string()}}};
  for (const auto& [name, options] : splits) {
    const Outcome outcome = run_ranks(3, decompose(name, options));
    ASSERT_EQ(outcome.exit_code, 0) << name << ": " << outcome.err;
    expect_same_bits(name, "one");
  }
  const auto stages = report("explicit").at("plan").at("stages");
  EXPECT_EQ(stages.at(1).at("rank"), 2);
  EXPECT_EQ(stages.at(1).at("blocks"), (nlohmann::json{1, 5}));
}

// Two pictures, three results of each, in flight together: the files of one rank, to the byte.
TEST_F(Ranks, MakeSeveralPicturesOfSeveralInputs) {
  const auto run = [&](int ranks) {
    const auto folder = folder_.path() / std::to_string(ranks) / "out";
    auto all = decompose_arguments(folder, {"--num-images", "3"});
    all.insert(std::find(all.begin(), all.end(), "--image") + 2, demo_picture("orchard"));
    const Outcome outcome = run_ranks(ranks, all);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return folder;
  };
  const auto expected = run(1);
  const auto files = files_below(expected);
  ASSERT_EQ(files.size(), 6U * 4U);  // two layers, their composite, run.json
  const auto ours = run(3);
  EXPECT_EQ(files_below(ours), files);
  for (const std::string& file : files) {
    if (!file.ends_with(".png")) continue;
    EXPECT_EQ(common::read_text_file(ours / file), common::read_text_file(expected / file)) << file;
  }
}

TEST_F(Ranks, PlanForTheDevicesOfAll) {
  const Outcome outcome = run_ranks(3, {"plan", "--model", demo_model().string(), "--json"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto plan = nlohmann::json::parse(outcome.out);  // one, not three
  ASSERT_EQ(plan.at("stages").size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(plan.at("stages").at(i).at("rank"), i);
  EXPECT_GT(plan.at("predicted_step_seconds"), 0) << "the speeds of the ranks' devices were measured";
}

TEST_F(Ranks, MakeAPictureAgainHoweverManyTheyWere) {
  ASSERT_EQ(run_ranks(3, decompose("out")).exit_code, 0);
  const std::string run = folder_.path() / "out" / "run.json";
  for (const int ranks : {1, 2}) {
    const Outcome outcome = run_ranks(ranks, {"rerun", run, "--quiet"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_EQ(outcome.out, "layer 0: the same bits\nlayer 1: the same bits\n" + run +
                               ": made again, with the same bits in all layers\n");
  }
  std::string text = report("out").dump();
  const std::string hash = report("out").at("layer_hashes").at(0);
  text.replace(text.find(hash), hash.size(), std::string(hash.size(), '0'));
  write("out/run.json", text);
  const Outcome outcome = run_ranks(2, {"rerun", run, "--quiet"});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.out, ::testing::HasSubstr("layer 1: the same bits\n"));
  EXPECT_THAT(outcome.err, ::testing::HasSubstr(run + ": made again, layer 0 of 2 has other bits\n"));
}

// What needs one process is done by the first of them.
TEST_F(Ranks, ShowAModelOnce) {
  const Outcome outcome = run_ranks(3, {"inspect", "--model", demo_model().string(), "--json"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NO_THROW(nlohmann::json::parse(outcome.out)) << outcome.out;
  const Outcome none = run_ranks(3, {"inspect", "--model", (folder_.path() / "none").string()});
  EXPECT_EQ(none.exit_code, 2) << none.err;
  EXPECT_EQ(none.err.find("layerpipe:"), none.err.rfind("layerpipe:")) << none.err;
  EXPECT_THAT(none.err, ::testing::HasSubstr("none"));
}

TEST_F(Ranks, TellWhatTheyDidInReportAndTrace) {
  const auto trace = folder_.path() / "trace.json";
  const Outcome outcome = run_ranks(2, decompose("out", {"--trace", trace.string()}));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const nlohmann::json ranks = report("out").at("ranks");
  ASSERT_EQ(ranks.size(), 2U);
  for (const auto& rank : ranks) {
    EXPECT_GT(rank.at("denoise").at("busy"), 0);
    EXPECT_GE(rank.at("denoise").at("idle"), 0);
    for (const char* phase : {"encode", "denoise", "decode"}) {
      EXPECT_GT(rank.at("peak_bytes").at(phase), 0) << phase;
      EXPECT_GT(rank.at("predicted_peak_bytes").at(phase), 0) << phase;
    }
    EXPECT_GT(rank.at("edge").at("messages"), 0);
    EXPECT_GT(rank.at("edge").at("bytes"), 0);
  }
  std::ifstream file(trace);
  const nlohmann::json events = nlohmann::json::parse(file).at("traceEvents");
  std::map<std::string, int> kinds;
  std::map<int, int> arrows;                       // begun less ended
  std::map<int, int> phase_rows;                   // their threads, by process
  std::map<int, std::vector<std::string>> phases;  // by process
  for (const auto& event : events) {
    if (event.at("name") == "thread_name" && event.at("args").at("name") == "phases")
      phase_rows[event.at("pid")] = event.at("tid");
  }
  for (const auto& event : events) {
    ++kinds[event.at("ph").get<std::string>()];
    if (event.at("ph") == "s") ++arrows[event.at("id")];
    if (event.at("ph") == "f") --arrows[event.at("id")];
    if (event.at("ph") == "X" && event.at("tid") == phase_rows.at(event.at("pid")))
      phases[event.at("pid")].push_back(event.at("name"));
  }
  ASSERT_EQ(phases.size(), 2U);
  for (const auto& [process, names] : phases) {
    std::vector<std::string> whole;
    std::copy_if(names.begin(), names.end(), std::back_inserter(whole), [](const std::string& name) {
      return name == "encode" || name == "denoise" || name == "decode";
    });
    EXPECT_THAT(whole, ::testing::ElementsAre("encode", "denoise", "decode")) << process;
    EXPECT_THAT(names, ::testing::Contains("load weights")) << process;
    const bool is_first = process == phases.begin()->first;
    EXPECT_EQ(std::count(names.begin(), names.end(), "write"), is_first ? 1 : 0) << process;
  }
  EXPECT_GT(kinds["X"], 0);
  EXPECT_GT(kinds["s"], 0);
  for (const auto& [id, open] : arrows) EXPECT_EQ(open, 0) << "arrow " << id;
}

TEST_F(Ranks, OneOfWhichHasAnotherConfigDoNotStart) {
  // Each rank reads a file of its own name, as on hosts whose copies have come apart.
  const auto script = write("rank.sh", R"(#!/bin/bash
[[ "$OMPI_COMM_WORLD_RANK" == 1 ]] && export STEPS=4
exec )" LAYERPIPE_BINARY R"( "$@" --steps "${STEPS:-3}"
)");
  std::filesystem::permissions(script, std::filesystem::perms::owner_all);
  auto arguments = decompose("out");
  const auto steps = std::find(arguments.begin(), arguments.end(), "--steps");
  ASSERT_NE(steps, arguments.end());
  arguments.erase(steps, steps + 2);
  const Outcome outcome = run_ranks(3, arguments, {"LAYERPIPE_PROGRAM=" + script.string()});
  EXPECT_EQ(outcome.exit_code, 2) << outcome.err;
  EXPECT_THAT(outcome.err,
              ::testing::ContainsRegex("rank 1 on host [^ ]+ has another command line than rank 0"));
  EXPECT_EQ(outcome.err.find("layerpipe:"), outcome.err.rfind("layerpipe:")) << outcome.err;
}

TEST_F(Ranks, OneOfWhichHasAnotherModelDoNotStart) {
  const auto model = folder_.path() / "model";
  std::filesystem::copy(demo_model(), model, std::filesystem::copy_options::recursive);
  const auto config = model / "scheduler" / "scheduler_config.json";
  common::write_file_atomically(config, common::read_text_file(config) + "\n");
  // Each rank finds the model where it stands, as on hosts whose copies have come apart.
  const auto script =
      write("rank.sh", "#!/bin/bash\n[[ \"$OMPI_COMM_WORLD_RANK\" == 1 ]] && cd " + folder_.path().string() +
                           " || cd " LAYERPIPE_DEMO "\nexec " LAYERPIPE_BINARY " \"$@\"\n");
  std::filesystem::permissions(script, std::filesystem::perms::owner_all);
  auto arguments = decompose("out");
  *(std::find(arguments.begin(), arguments.end(), "--model") + 1) = "model";
  const Outcome outcome = run_ranks(2, arguments, {"LAYERPIPE_PROGRAM=" + script.string()});
  EXPECT_EQ(outcome.exit_code, 2) << outcome.err;
  EXPECT_THAT(outcome.err, ::testing::ContainsRegex("rank 1 on host [^ ]+ has another model than rank 0"));
  EXPECT_EQ(outcome.err.find("layerpipe:"), outcome.err.rfind("layerpipe:")) << outcome.err;
}

TEST_F(Ranks, SayOnceThatTheCommandLineIsWrong) {
  const Outcome outcome = run_ranks(3, decompose("out", {"--cfg-scale", "-1"}));
  EXPECT_EQ(outcome.exit_code, 2) << outcome.err;
  EXPECT_EQ(outcome.err.find("layerpipe:"), outcome.err.rfind("layerpipe:")) << outcome.err;
  EXPECT_THAT(outcome.err, ::testing::HasSubstr("--cfg-scale -1"));
}

TEST_F(Ranks, OneOfWhichFindsTheCommandLineWrongDoNotStart) {
  const auto script = write("rank.sh", R"(#!/bin/bash
[[ "$OMPI_COMM_WORLD_RANK" == 1 ]] && set -- "$@" --cfg-scale -1
exec )" LAYERPIPE_BINARY R"( "$@"
)");
  std::filesystem::permissions(script, std::filesystem::perms::owner_all);
  const Outcome outcome = run_ranks(3, decompose("out"), {"LAYERPIPE_PROGRAM=" + script.string()});
  EXPECT_EQ(outcome.exit_code, 2) << outcome.err;
  EXPECT_EQ(outcome.err.find("layerpipe:"), outcome.err.rfind("layerpipe:")) << outcome.err;
  EXPECT_THAT(outcome.err, ::testing::ContainsRegex("rank 1.*--cfg-scale -1"));
}

TEST_F(Ranks, SayOnceThatAnInputIsWrong) {
  auto arguments = decompose("out");
  *(std::find(arguments.begin(), arguments.end(), "--image") + 1) = (folder_.path() / "none.png").string();
  const Outcome outcome = run_ranks(3, arguments);
  EXPECT_EQ(outcome.exit_code, 2) << outcome.err;
  EXPECT_EQ(outcome.err.find("layerpipe:"), outcome.err.rfind("layerpipe:")) << outcome.err;
  EXPECT_THAT(outcome.err, ::testing::HasSubstr("none.png"));
}

TEST_F(Ranks, SayOnceWhatStandsInTheWay) {
  ASSERT_EQ(run_ranks(3, decompose("out")).exit_code, 0);
  ASSERT_EQ(run_ranks(2, decompose("out", {"--seed", "2"})).exit_code, 0);  // over what a run wrote
  const std::string edited = write("out/layer_1.png", "edited for hours");
  const Outcome outcome = run_ranks(3, decompose("out"));
  EXPECT_EQ(outcome.exit_code, 2) << outcome.err;
  EXPECT_EQ(outcome.err.find("layerpipe:"), outcome.err.rfind("layerpipe:")) << outcome.err;
  EXPECT_THAT(outcome.err, ::testing::HasSubstr("in the way of the results lies layer_1.png (edited)\n"));
  EXPECT_EQ(common::read_text_file(edited), "edited for hours");
  EXPECT_EQ(files_below(folder_.path() / "out").size(), 4U);  // no part, no lock
}

TEST_F(Ranks, MoreThanBlocksAreRefused) {
  const Outcome outcome = run_ranks(8, decompose("out"));
  EXPECT_EQ(outcome.exit_code, 2) << outcome.err;
  EXPECT_THAT(outcome.err, ::testing::HasSubstr("rank"));
  EXPECT_EQ(outcome.err.find("layerpipe:"), outcome.err.rfind("layerpipe:")) << outcome.err;
}

}  // namespace
}  // namespace layerpipe::testing
