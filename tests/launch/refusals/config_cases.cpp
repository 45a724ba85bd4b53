// The YAML file of --partition; tests/runtime/config/config_refusals_test.cpp has every way in which it can
// be wrong.
#include "tests/launch/refusals/refusal_case.h"

namespace layerpipe::testing {
namespace {

const std::string kSection = "The partition config";
const std::string kStages = "partition:\n  strategy: explicit\n  stages:\n";
const std::string kFirst = "    - {rank: 0, transformer: 0-1, text_encoder: 0-1, vae: 50%}\n";
const std::string kFile = "FOLDER/run.yaml:";
const std::string kGiveStages = "Give one with --partition; configs/ has examples.";

// A run with `text` as its config.
RefusalCase config(const std::string& name, const std::string& deed, const std::string& text,
                   const std::string& message, const std::string& cure) {
  return {name,
          kSection,
          deed,
          [text](Workplace& w) {
            w.write("run.yaml", text);
            w.add({"--partition", w.folder() / "run.yaml"});
          },
          kFile + message,
          cure};
}

std::vector<RefusalCase> files() {
  return {
      {"NoConfig", kSection, "a config that is not there",
       [](Workplace& w) {
         w.add({"--partition", w.folder() / "absent.yaml"});
       },
       "cannot open FOLDER/absent.yaml: No such file or directory (errno 2)",
       "Check that the file exists and may be read."},
      {"ConfigThatIsAFolder", kSection, "a folder for a config",
       [](Workplace& w) {
         w.add({"--partition", w.model()});
       },
       "MODEL is not a regular file", "Give the path of a file."},
  };
}

std::vector<RefusalCase> texts() {
  const std::string write_out = "Write the value out wherever it is needed.";
  const std::string deep_nesting(1000, '[');
  return {
      config("EmptyConfig", "an empty file", "", "1:1: there is nothing in it",
             "The keys of a partition config are partition, comm and runtime."),
      config("LargeConfig", "a file of 10 MB", std::string(10'000'000, '#'), "1:1: the file has 9.54 MiB",
             "A partition config is a text of at most 256.0 KiB."),
      config("ConfigWithTabs", "a tab", "partition:\n\tstrategy: balanced\n", "2:1: there is a tab",
             "Write blanks: a tab is of no known width."),
      config("ConfigInLatin1", "a text that is not UTF-8",
             "# gr\xF6\xDF"
             "er\n",
             "1:5: the byte 0xF6 is not UTF-8", "Save the file as UTF-8."),
      config("ConfigThatIsNoYaml", "a bracket that is never closed", "comm: [mpi\n",
             "2:1: this is not YAML: end of sequence flow not found",
             "configs/README.md shows what such a file looks like."),
      config("DeepConfig", "a thousand levels", "a: " + deep_nesting + std::string(deep_nesting.size(), ']'),
             "1:11: this is nested deeper than 8 levels",
             "configs/README.md shows what such a file looks like."),
      config("AnchorLoop", "an anchor that holds itself", "partition: &loop\n  stages: [*loop]\n",
             "1:12: &loop is an anchor, which a partition config may not have", write_out),
      config("MergeKey", "a merge key", "comm:\n  <<: {timeout: 5s}\n",
             "2:3: << is a merge key, which a partition config may not have", write_out),
      config("TwoDocuments", "two documents", "comm: {channel: mpi}\n---\ncomm: {channel: mpi}\n",
             "2:1: a second document begins here", "A partition config is one document; remove the rest."),
  };
}

std::vector<RefusalCase> keys_and_values() {
  return {
      config("MisspeltKey", "a key with a letter missing", "partition:\n  stratgy: balanced\n",
             "2:3: stratgy is not a key of partition; did you mean strategy?",
             "The keys of partition are strategy, residency, reserve and stages."),
      config("KeyGivenTwice", "a key given twice", "partition:\n  reserve: 1GiB\n  reserve: 2GiB\n",
             "3:3: reserve is given twice, first in line 2", "Remove one of them."),
      config("ReserveInGigabytes", "a size in GB in the file", "partition:\n  reserve: 1GB\n",
             "2:12: reserve 1GB is not a size",
             "Give a number and KiB, MiB or GiB, such as 12GiB, 15.5GiB or 512MiB."),
      config("MisspeltStrategy", "a strategy with letters missing", "partition: {strategy: balance}\n",
             "1:23: strategy balance is not known; did you mean balanced?",
             "Take balanced, fastest or explicit."),
      config("SectionWithoutKeys", "a section without keys", "partition:\n", "1:1: partition has no value",
             "The keys of partition are strategy, residency, reserve and stages."),
      config("StreamedVaeInTheFile", "`vae: streamed`", "partition: {residency: {vae: streamed}}\n",
             "1:30: vae streamed: the VAE is small, and does not stream", "Take auto, resident or phased."),
  };
}

std::vector<RefusalCase> stages() {
  const std::string second = "    - {rank: 1, transformer: 2-3, text_encoder: 2-3, vae: 50%}\n";
  const std::string begin =
      "Begin with 2: the ranges follow one another from 0 on, in the order of the stages.";
  return {
      config("Overlap", "a block that two stages have",
             kStages + kFirst + "    - {rank: 1, transformer: 1-3, text_encoder: 2-3, vae: 50%}\n",
             "5:30: transformer 1-3 overlaps 0-1 of rank 0", begin),
      config("Gap", "a block that no stage has",
             kStages + kFirst + "    - {rank: 1, transformer: 3, text_encoder: 2-3, vae: 50%}\n",
             "5:30: transformer 3 leaves out block 2", begin),
      config("RangeBackwards", "a range that ends before it begins",
             kStages + "    - {rank: 0, transformer: 3-0}\n", "4:30: transformer 3-0 ends before it begins",
             "Give the first and the last block, such as 0-19, or a single one, such as 5."),
      config("RankTwice", "a rank with two stages",
             kStages + kFirst + "    - {rank: 0, transformer: 2-3, text_encoder: 2-3, vae: 50%}\n",
             "5:14: rank 0 has a stage already, in line 4", "Give every rank one stage."),
      config("SharesThatDoNotAddUp", "shares of the VAE that do not add up",
             kStages + kFirst + "    - {rank: 1, transformer: 2-3, text_encoder: 2-3, vae: 40%}\n",
             "4:5: the vae shares of the stages add up to 90%, not 100%",
             "Change one of them; a stage without vae has 0%."),
      config("BlocksBeyondTheModel", "blocks that the model does not have",
             kStages + "    - {rank: 0, transformer: 0-59, text_encoder: 0-1, vae: 100%}\n",
             "4:30: rank 0 is given blocks 0 to 59; the transformer has blocks 0 to 1",
             "Take a range within 0-1."),
      config("BlocksLeftOver", "a block of the model that no stage has",
             kStages + "    - {rank: 0, transformer: 0, text_encoder: 0-1, vae: 100%}\n",
             "4:30: no stage is given block 1; the transformer has blocks 0 to 1",
             "Let the last range end with 1."),
      config("TextLayersBeyondTheModel", "text layers that the model does not have",
             kStages + "    - {rank: 0, transformer: 0-1, text_encoder: 0-27, vae: 100%}\n",
             "4:49: rank 0 is given text layers 0 to 27; the text encoder has text layers 0 to 1",
             "Take a range within 0-1."),
      config("StageWithoutARank", "more stages than ranks",
             kStages + "    - {rank: 0, transformer: 0, text_encoder: 0-1, vae: 100%}\n"
                       "    - {rank: 1, transformer: 1}\n",
             "5:14: the partition has a stage for rank 1, but there is 1 rank",
             "Start as many ranks as the partition has stages, numbered from 0."),
      config("ZeroInFront", "a number with a zero in front, which some read as octal",
             "runtime: {in_flight: 010}\n", "1:22: in_flight 010 is not a whole number",
             "Give a whole number from 1 to 1000."),
      config("StagesOfAnotherStrategy", "stages without `strategy: explicit`",
             "partition:\n  stages:\n" + kFirst + second,
             "3:5: stages are given, but the strategy is not explicit",
             "Write strategy: explicit, or remove the stages."),
      {"ExplicitWithoutFile", kSection, "`--strategy explicit` without a file",
       [](Workplace& w) { w.set("--strategy", "explicit"); },
       "--strategy explicit needs a file with the stages", kGiveStages},
      {"ExplicitWithoutStages", kSection, "`--strategy explicit` with a file that has no stages",
       [](Workplace& w) {
         w.write("run.yaml", "comm: {channel: mpi}\n");
         w.add({"--partition", w.folder() / "run.yaml", "--strategy", "explicit"});
       },
       "--strategy explicit needs stages, and FOLDER/run.yaml has none", kGiveStages},
  };
}

}  // namespace

std::vector<RefusalCase> config_cases() {
  std::vector<RefusalCase> all = keys_and_values();
  for (const auto& cases : {stages(), texts(), files()}) all.insert(all.end(), cases.begin(), cases.end());
  return all;
}

}  // namespace layerpipe::testing
