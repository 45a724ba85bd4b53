// What a config file may not hold, with every message word for word.
#include <gtest/gtest.h>

#include <ctime>
#include <ostream>

#include "common/errors.h"
#include "runtime/config/run_config.h"

namespace layerpipe::runtime {
namespace {

using std::string_literals::operator""s;

struct Case {
  const char* name;
  std::string text;
  std::string what;  // behind the file's name
  std::string remedy;
};

// GoogleTest's messages call it.
void PrintTo(const Case& item, std::ostream* out) {
  *out << item.name;
}

class ConfigRefusals : public ::testing::TestWithParam<Case> {};

TEST_P(ConfigRefusals, SayWhereAndWhatIsExpected) {
  const Case& item = GetParam();
  try {
    parse_run_config(item.text, "run.yaml");
    FAIL() << "accepted";
  } catch (const common::InputError& error) {
    EXPECT_EQ(error.what(), "run.yaml:" + item.what);
    EXPECT_EQ(error.remedy(), item.remedy);
  }
}

const std::string kTopKeys = "The keys of a partition config are partition, comm and runtime.";
const std::string kPartitionKeys = "The keys of partition are strategy, residency, reserve and stages.";
const std::string kStageKeys = "The keys of a stage are rank, transformer, text_encoder and vae.";
const std::string kSizes = "Give a number and KiB, MiB or GiB, such as 12GiB, 15.5GiB or 512MiB.";
const std::string kDurations = "Give a number and s or ms, such as 120s, 1.5s or 500ms.";
const std::string kSeeReadme = "configs/README.md shows what such a file looks like.";
const std::string kWriteItOut = "Write the value out wherever it is needed.";
const std::string kBlockRange =
    "Give the first and the last block, such as 0-19, or a single one, such as 5.";
const std::string kLayerRange =
    "Give the first and the last text layer, such as 0-9, a single one, such as 5, or none.";
const std::string kShares = "Give a number and %, such as 33% or 12.5%.";

std::string begin_with(int unit) {
  return "Begin with " + std::to_string(unit) +
         ": the ranges follow one another from 0 on, in the order of the stages.";
}

const std::string kCloseIt = "Put the same quote behind the text.";

std::string repeated(const std::string& piece, int times) {
  std::string text;
  while (times-- > 0) text += piece;
  return text;
}

// Two stages; the first entry is in line 4 and the second in line 5.
std::string stages(const std::string& first, const std::string& second) {
  return "partition:\n  strategy: explicit\n  stages:\n    - {" + first + "}\n    - {" + second + "}\n";
}

const std::string kFirst = "rank: 0, transformer: 0-19, text_encoder: 0-9, vae: 33%";
const std::string kSecond = "rank: 1, transformer: 20-59, text_encoder: 10-27, vae: 67%";

std::vector<Case> keys() {
  return {
      {"UnknownKeyNearAnother", "partition:\n  stratgy: balanced\n",
       "2:3: stratgy is not a key of partition; did you mean strategy?", kPartitionKeys},
      {"UnknownKey", "partition:\n  colour: red\n", "2:3: colour is not a key of partition", kPartitionKeys},
      {"UnknownKeyAtTheTop", "partitions: {strategy: balanced}\n",
       "1:1: partitions is not a key of a partition config; did you mean partition?", kTopKeys},
      {"KeyOfAnotherSection", "partition: {timeout: 5s}", "1:13: timeout is not a key of partition",
       kPartitionKeys},
      {"UnknownKeyOfComm", "comm: {chanel: mpi}", "1:8: chanel is not a key of comm; did you mean channel?",
       "The keys of comm are channel and timeout."},
      {"UnknownKeyOfRuntime", "runtime: {in_fligth: 2}",
       "1:11: in_fligth is not a key of runtime; did you mean in_flight?",
       "The keys of runtime are dtype and in_flight."},
      {"UnknownComponent", "partition:\n  residency: {text-encoder: phased}\n",
       "2:15: text-encoder is not a key of residency; did you mean text_encoder?",
       "The keys of residency are transformer, text_encoder and vae."},
      {"UnknownKeyOfAStage", stages("rank: 0, transfomer: 0-19", kSecond),
       "4:17: transfomer is not a key of a stage; did you mean transformer?", kStageKeys},
      {"LongKey", std::string(100, 'k') + ": 1",
       "1:1: " + std::string(60, 'k') + "… is not a key of a partition config", kTopKeys},
      {"KeyWithATerminalsCommands", "\"a\\e[31m\\x9b\": 1",
       "1:1: \"a?[31m?\" is not a key of a partition config", kTopKeys},
      {"EmptyKey", "\"\": 1", "1:1: \"\" is not a key of a partition config", kTopKeys},
      {"KeyGivenTwice", "partition:\n  reserve: 1GiB\n  strategy: balanced\n  reserve: 2GiB\n",
       "4:3: reserve is given twice, first in line 2", "Remove one of them."},
      {"SectionGivenTwice", "comm: {channel: mpi}\ncomm: {timeout: 5s}\n",
       "2:1: comm is given twice, first in line 1", "Remove one of them."},
      {"KeyThatIsAList", "? [partition]\n: 1\n", "1:3: a key is missing, or is no word", kSeeReadme},
      {"ColumnsAreCharacters", "partition: {\"é\": 1, strateg: x}", "1:13: é is not a key of partition",
       kPartitionKeys},
      {"ColumnsBehindLetters", "{\"é\": 1, \"é\": 2}", "1:10: é is given twice, first in line 1",
       "Remove one of them."},
  };
}

std::vector<Case> values() {
  return {
      {"UnitOfTheShop", "partition:\n  reserve: 24GB\n", "2:12: reserve 24GB is not a size", kSizes},
      {"UnitCutShort", "partition: {reserve: 24G}", "1:22: reserve 24G is not a size", kSizes},
      {"NoUnit", "partition: {reserve: 512}", "1:22: reserve 512 is not a size", kSizes},
      {"NegativeSize", "partition: {reserve: -1GiB}", "1:22: reserve -1GiB is not a size", kSizes},
      {"BlankInASize", "partition: {reserve: 1 GiB}", "1:22: reserve \"1 GiB\" is not a size", kSizes},
      {"SizeBeyond64Bits", "partition: {reserve: 99999999999GiB}",
       "1:22: reserve 99999999999GiB is not a size", kSizes},
      {"AbsurdReserve", "partition: {reserve: 1025GiB}",
       "1:22: reserve 1025GiB is out of range: 0GiB to 1024GiB", kSizes},
      {"SizeThatIsAList", "partition: {reserve: [1GiB]}", "1:22: reserve is a list", kSizes},
      {"SizeThatIsAMapping", "partition: {reserve: {a: 1GiB}}", "1:22: reserve is a mapping", kSizes},
      {"SizeLeftOut", "partition:\n  reserve:\ncomm: {channel: mpi}\n", "2:3: reserve has no value", kSizes},
      {"EmptySize", "partition: {reserve: \"\"}", "1:22: reserve \"\" is not a size", kSizes},
      {"TimeoutWithoutUnit", "comm: {timeout: 120}", "1:17: timeout 120 is not a duration", kDurations},
      {"TimeoutInMinutes", "comm: {timeout: 2min}", "1:17: timeout 2min is not a duration", kDurations},
      {"TimeoutIsASize", "comm: {timeout: 12GiB}", "1:17: timeout 12GiB is not a duration", kDurations},
      {"NoTime", "comm: {timeout: 0s}", "1:17: timeout 0s is out of range: 100ms to 86400s", kDurations},
      {"MoreThanADay", "comm: {timeout: 86401s}", "1:17: timeout 86401s is out of range: 100ms to 86400s",
       kDurations},
      {"UnknownStrategy", "partition:\n  strategy: balance\n",
       "2:13: strategy balance is not known; did you mean balanced?", "Take balanced, fastest or explicit."},
      {"StrategyLeftOut", "partition:\n  strategy: ~\n", "2:3: strategy has no value",
       "Take balanced, fastest or explicit."},
      {"StrategyInCapitals", "partition: {strategy: Balanced}",
       "1:23: strategy Balanced is not known; did you mean balanced?", "Take balanced, fastest or explicit."},
      {"StrategyThatIsAMapping", "partition: {strategy: {balanced}}", "1:23: strategy is a mapping",
       "Take balanced, fastest or explicit."},
      {"StrategyInTwoLines", "partition:\n  strategy: balanced\n    or fastest\n",
       "2:13: strategy \"balanced or fastest\" is not known", "Take balanced, fastest or explicit."},
      {"UnknownResidency", "partition: {residency: resides}",
       "1:24: residency resides is not known; did you mean resident?",
       "Take auto, resident, phased or streamed."},
      {"StreamedVae", "partition:\n  residency: {vae: streamed}\n",
       "2:20: vae streamed: the VAE is small, and does not stream", "Take auto, resident or phased."},
      {"ResidencyThatIsAList", "partition: {residency: [phased]}", "1:24: residency is a list",
       "Take auto, resident, phased or streamed."},
      {"UnknownChannel", "comm: {channel: mpii}", "1:17: channel mpii is not known; did you mean mpi?",
       "Take auto, nccl or mpi."},
      {"UnknownDtype", "runtime: {dtype: fp16}", "1:18: dtype fp16 is not known", "Take bf16, fp32 or fp8."},
      {"NothingInFlight", "runtime: {in_flight: 0}", "1:22: in_flight 0 is out of range: 1 to 1000",
       "Give a whole number from 1 to 1000."},
      {"NegativeInFlight", "runtime: {in_flight: -1}", "1:22: in_flight -1 is not a whole number",
       "Give a whole number from 1 to 1000."},
      {"InFlightWithAZeroInFront", "runtime: {in_flight: 010}", "1:22: in_flight 010 is not a whole number",
       "Give a whole number from 1 to 1000."},
      {"InFlightBeyond64Bits", "runtime: {in_flight: 99999999999999999999}",
       "1:22: in_flight 99999999999999999999 is out of range: 1 to 1000",
       "Give a whole number from 1 to 1000."},
      {"InFlightThatIsAList", "runtime: {in_flight: []}", "1:22: in_flight is a list",
       "Take auto, or give the number of requests, such as 3."},
      {"SectionWithoutKeys", "partition:\ncomm: {channel: mpi}\n", "1:1: partition has no value",
       kPartitionKeys},
      {"EmptySection", "partition: {}\n", "1:12: partition is empty", kPartitionKeys},
      {"SectionThatIsAWord", "partition: balanced\n", "1:12: partition is a word, not keys with values",
       kPartitionKeys},
      {"ListForASection", "comm:\n  - channel: mpi\n", "2:3: comm is a list, not keys with values",
       "The keys of comm are channel and timeout."},
  };
}

std::vector<Case> stage_lists() {
  const std::string no_stages = "Write strategy: explicit, or remove the stages.";
  const std::string form =
      "Write a list of stages, such as - {rank: 0, transformer: 0-59, text_encoder: 0-27, vae: 100%}.";
  return {
      {"Overlap", stages(kFirst, "rank: 1, transformer: 19-59, text_encoder: 10-27, vae: 67%"),
       "5:30: transformer 19-59 overlaps 0-19 of rank 0", begin_with(20)},
      {"Gap", stages(kFirst, "rank: 1, transformer: 21-59, text_encoder: 10-27, vae: 67%"),
       "5:30: transformer 21-59 leaves out block 20", begin_with(20)},
      {"WideGap", stages(kFirst, "rank: 1, transformer: 30-59, text_encoder: 10-27, vae: 67%"),
       "5:30: transformer 30-59 leaves out blocks 20-29", begin_with(20)},
      {"GapAtTheBeginning", stages("rank: 0, transformer: 1-19", kSecond),
       "4:30: transformer 1-19 leaves out block 0", begin_with(0)},
      {"WrongOrder", stages(kSecond, kFirst), "4:30: transformer 20-59 leaves out blocks 0-19",
       begin_with(0)},
      {"OverlapOfTextLayers", stages(kFirst, "rank: 1, transformer: 20-59, text_encoder: 9-27, vae: 67%"),
       "5:51: text_encoder 9-27 overlaps 0-9 of rank 0", begin_with(10)},
      {"GapOfTextLayers", stages(kFirst, "rank: 1, transformer: 20-59, text_encoder: 12, vae: 67%"),
       "5:51: text_encoder 12 leaves out text layers 10-11", begin_with(10)},
      {"NoTextLayers",
       stages("rank: 0, transformer: 0-19, vae: 50%", "rank: 1, transformer: 20-59, vae: 50%"),
       "4:5: no stage has text layers", "Give at least one of them a range, such as text_encoder: 0-27."},
      {"RangeBackwards", stages("rank: 0, transformer: 19-0", kSecond),
       "4:30: transformer 19-0 ends before it begins", kBlockRange},
      {"RangeWithDots", stages("rank: 0, transformer: 0..19", kSecond),
       "4:30: transformer 0..19 is not a range", kBlockRange},
      {"NegativeUnit", stages("rank: 0, transformer: -5", kSecond), "4:30: transformer -5 is not a range",
       kBlockRange},
      {"RangeWithoutEnd", stages("rank: 0, transformer: 5-", kSecond), "4:30: transformer 5- is not a range",
       kBlockRange},
      {"RangeOfThree", stages("rank: 0, transformer: 1-2-3", kSecond),
       "4:30: transformer 1-2-3 is not a range", kBlockRange},
      {"RangeFarOut", stages("rank: 0, transformer: 0-100000", kSecond),
       "4:30: transformer 0-100000 is out of range: 0 to 99999", kBlockRange},
      {"RangeBeyond64Bits", stages("rank: 0, transformer: 0-99999999999999999999", kSecond),
       "4:30: transformer 0-99999999999999999999 is out of range: 0 to 99999", kBlockRange},
      {"NoBlocks", stages("rank: 0, transformer: none", kSecond), "4:30: transformer none is not a range",
       kBlockRange},
      {"RangeThatIsAList", stages("rank: 0, transformer: [0, 19]", kSecond), "4:30: transformer is a list",
       kBlockRange},
      {"TextLayersLeftOpen", stages("rank: 0, transformer: 0-19, text_encoder:", kSecond),
       "4:36: text_encoder has no value", kLayerRange},
      {"TextLayersOfAWord", stages("rank: 0, transformer: 0-19, text_encoder: all", kSecond),
       "4:50: text_encoder all is not a range", kLayerRange},
      {"RankMissing", stages("transformer: 0-19", kSecond), "4:7: a stage has no rank", kStageKeys},
      {"TransformerMissing", stages("rank: 0", kSecond), "4:7: a stage has no transformer", kStageKeys},
      {"RankTwice", stages(kFirst, "rank: 0, transformer: 20-59, text_encoder: 10-27, vae: 67%"),
       "5:14: rank 0 has a stage already, in line 4", "Give every rank one stage."},
      {"RankWithAZeroInFront", stages("rank: 00, transformer: 0-19", kSecond),
       "4:14: rank 00 is not a whole number", "Give a whole number from 0 to 65535."},
      {"BlocksWithAZeroInFront", stages("rank: 0, transformer: 0-019", kSecond),
       "4:30: transformer 0-019 is not a range", kBlockRange},
      {"NegativeRank", stages("rank: -1, transformer: 0-19", kSecond), "4:14: rank -1 is not a whole number",
       "Give a whole number from 0 to 65535."},
      {"RankOfAnotherWorld", stages("rank: 65536, transformer: 0-19", kSecond),
       "4:14: rank 65536 is out of range: 0 to 65535", "Give a whole number from 0 to 65535."},
      {"SharesAddUpToLess", stages(kFirst, "rank: 1, transformer: 20-59, text_encoder: 10-27, vae: 66.5%"),
       "4:5: the vae shares of the stages add up to 99.5%, not 100%",
       "Change one of them; a stage without vae has 0%."},
      {"SharesAddUpToMore", stages(kFirst, "rank: 1, transformer: 20-59, text_encoder: 10-27, vae: 100%"),
       "4:5: the vae shares of the stages add up to 133%, not 100%",
       "Change one of them; a stage without vae has 0%."},
      {"ShareWithoutPercent", stages("rank: 0, transformer: 0-19, vae: 33", kSecond),
       "4:41: vae 33 is not a share", kShares},
      {"NegativeShare", stages("rank: 0, transformer: 0-19, vae: -5%", kSecond),
       "4:41: vae -5% is not a share", kShares},
      {"ShareBeyondTheWhole", stages("rank: 0, transformer: 0-19, vae: 100.5%", kSecond),
       "4:41: vae 100.5% is out of range: 0% to 100%", kShares},
      {"StageThatIsAWord", "partition:\n  strategy: explicit\n  stages:\n    - 0-19\n",
       "4:7: a stage is a word, not keys with values", kStageKeys},
      {"StagesThatAreAMapping", "partition:\n  strategy: explicit\n  stages:\n    rank: 0\n",
       "4:5: stages is a mapping", form},
      {"NoStageInTheList", "partition:\n  strategy: explicit\n  stages: []\n", "3:11: stages is empty", form},
      {"ExplicitWithoutStages", "partition:\n  strategy: explicit\n", "2:13: strategy explicit needs stages",
       "Write them below it: stages, and a list with {rank: 0, transformer: 0-59, text_encoder: 0-27, vae: "
       "100%} for every rank."},
      {"StagesOfAnotherStrategy", "partition:\n  strategy: balanced\n  stages:\n    - {" + kFirst + "}\n",
       "4:5: stages are given, but the strategy is not explicit", no_stages},
      {"StagesWithoutStrategy", "partition:\n  stages:\n    - {" + kFirst + "}\n",
       "3:5: stages are given, but the strategy is not explicit", no_stages},
  };
}

std::vector<Case> texts() {
  const std::string ten_mb(10'000'000, '#');
  const std::string limit = "A partition config is a text of at most 256.0 KiB.";
  const std::string blanks = "Write blanks: a tab is of no known width.";
  const std::string text_only = "Remove it; a partition config is a text.";
  const std::string one_document = "A partition config is one document; remove the rest.";
  return {
      {"EmptyFile", "", "1:1: there is nothing in it", kTopKeys},
      {"CommentsOnly", "# partition:\n\n", "1:1: there is nothing in it", kTopKeys},
      {"EmptyDocument", "---\n", "1:1: there is nothing in it", kTopKeys},
      {"EmptyMapping", "{}", "1:1: a partition config is empty", kTopKeys},
      {"AWord", "balanced\n", "1:1: a partition config is a word, not keys with values", kTopKeys},
      {"AList", "- partition\n", "1:1: a partition config is a list, not keys with values", kTopKeys},
      {"TenMegabytes", ten_mb, "1:1: the file has 9.54 MiB", limit},
      {"OneByteTooMany", ten_mb.substr(0, (256 << 10) + 1), "1:1: the file has 256.0 KiB", limit},
      {"AnchorLoop", "partition: &loop\n  stages: [*loop]\n",
       "1:12: &loop is an anchor, which a partition config may not have", kWriteItOut},
      {"Alias", "partition: {reserve: *size}\n",
       "1:22: *size is an alias, which a partition config may not have", kWriteItOut},
      {"BillionLaughs", "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n",
       "1:4: &a is an anchor, which a partition config may not have", kWriteItOut},
      {"MergeKey", "comm:\n  <<: {timeout: 5s}\n",
       "2:3: << is a merge key, which a partition config may not have", kWriteItOut},
      {"Tag", "partition: {strategy: !!str balanced}\n",
       "1:23: !!str is a tag, which a partition config may not have", "Write the value alone."},
      {"TagOfASection", "partition: !python/object:os.system {strategy: balanced}\n",
       "1:12: !python/object:os.system is a tag, which a partition config may not have",
       "Write the value alone."},
      {"TwoDocuments", "comm: {channel: mpi}\n---\ncomm: {channel: nccl}\n",
       "2:1: a second document begins here", one_document},
      {"TabForIndenting", "partition:\n\tstrategy: balanced\n", "2:1: there is a tab", blanks},
      {"TabBehindAColon", "partition:\n  strategy:\tbalanced\n", "2:12: there is a tab", blanks},
      {"NulByte", "partition:\n  strat\0egy: balanced\n"s, "2:8: there is the control character U+0000",
       text_only},
      {"Escape", "comm: {channel: \x1b[31mmpi}\n", "1:17: there is the control character U+001B", text_only},
      {"ControlOfTheUpperHalf", "comm: {channel: \xC2\x9Bmpi}\n",
       "1:17: there is the control character U+009B", text_only},
      {"LoneCarriageReturn", "comm:\r  channel: mpi\r", "1:6: there is the control character U+000D",
       text_only},
      {"Latin1", "# 4 GPUs, f\xFCr alle\n", "1:12: the byte 0xFC is not UTF-8", "Save the file as UTF-8."},
      {"Utf16", "\xFF\xFE{\0}\0"s, "1:1: the byte 0xFF is not UTF-8", "Save the file as UTF-8."},
      {"NestedTooDeep", "a: " + std::string(1000, '[') + std::string(1000, ']'),
       "1:11: this is nested deeper than 8 levels", kSeeReadme},
      {"NestingBomb", std::string(100'000, '[') + std::string(100'000, ']'),
       "1:9: this is nested deeper than 8 levels", kSeeReadme},
      {"NestedMappings", repeated("{a: ", 20'000) + std::string(20'000, '}'),
       "1:33: this is nested deeper than 8 levels", kSeeReadme},
      {"ListNeverClosed", "comm: [mpi\n", "2:1: this is not YAML: end of sequence flow not found",
       kSeeReadme},
      {"QuoteNeverClosed", "comm: \"mpi\n", "1:7: a quote is never closed", kCloseIt},
      {"QuoteInsideAQuote", "comm: 'mpi''\n", "1:7: a quote is never closed", kCloseIt},
      {"EscapedQuote", "comm: \"mpi\\\"\n", "1:7: a quote is never closed", kCloseIt},
      {"QuoteNeverClosedInBraces", "comm: {channel: \"mpi", "1:21: this is not YAML: illegal EOF in scalar",
       kSeeReadme},
      {"WrongIndentation", "partition:\n  strategy: balanced\n    reserve: 1GiB\n",
       "3:12: this is not YAML: illegal map value", kSeeReadme},
      {"UnknownEscape", "comm: \"\\\x7f\"", "1:9: there is the control character U+007F", text_only},
  };
}

const auto kName = [](const auto& info) { return info.param.name; };
INSTANTIATE_TEST_SUITE_P(Keys, ConfigRefusals, ::testing::ValuesIn(keys()), kName);
INSTANTIATE_TEST_SUITE_P(Values, ConfigRefusals, ::testing::ValuesIn(values()), kName);
INSTANTIATE_TEST_SUITE_P(Stages, ConfigRefusals, ::testing::ValuesIn(stage_lists()), kName);
INSTANTIATE_TEST_SUITE_P(Texts, ConfigRefusals, ::testing::ValuesIn(texts()), kName);

// Of this process, which a busy machine does not lengthen as it does the time on the clock.
double cpu_seconds() {
  return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

// Nothing that fits into the limit may take long: each of these made a parser of some kind slow.
TEST(ConfigBombs, AreRefusedAtOnce) {
  constexpr std::size_t kBytes = 256 << 10;
  for (const std::string piece :
       {"[",  "{",       "[a,", "{a: ",   "- ",     "? ",   "a: ",   "&a ",   "*a ", "!a ",
        "\"", "'",       "|\n", "a: 1\n", "é: 1, ", "--- ", "---\n", "- a: ", "\n",  " ",
        "#",  "{é: 1, ", ",",   ": ",     "\\",     "%",    "a\n ",  "[]: "}) {
    std::string text = piece.front() == '\xC3' ? "{" : "";
    while (text.size() + piece.size() <= kBytes) text += piece;
    const double start = cpu_seconds();
    EXPECT_THROW(parse_run_config(text, "run.yaml"), common::InputError) << piece;
    EXPECT_LT(cpu_seconds() - start, 5) << piece;  // milliseconds, really; a sanitizer makes it longer
  }
}

TEST(ConfigBombs, OfManyKeysAreRefusedAtOnce) {
  std::string text = "{";
  for (int key = 0; text.size() < 250'000; ++key) text += "é" + std::to_string(key) + ": 1, ";
  const double start = cpu_seconds();
  EXPECT_THROW(parse_run_config(text + "}", "run.yaml"), common::InputError);
  EXPECT_LT(cpu_seconds() - start, 5);
}

}  // namespace
}  // namespace layerpipe::runtime
