#include "results/result_writer.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/full.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <nlohmann/json.hpp>

#include "common/errors.h"
#include "common/files.h"
#include "media/ora_reader.h"
#include "media/png_reader.h"
#include "media/zip_writer.h"
#include "results/archive_report.h"
#include "results/file_content.h"
#include "results/finished_run.h"
#include "results/writing_memory.h"
#include "runtime/plan/plan_json.h"
#include "tests/launch/program.h"
#include "tests/support/temporary_folder.h"

namespace layerpipe::results {
namespace {

constexpr std::uint64_t kGiB = 1ULL << 30;

TEST(WritingMemory, IsAskedForTheLargestResult) {
  const auto result_of = [](std::int64_t width, std::int64_t height) {
    RunRecord record;
    record.layer_size = {width, height};
    return record;
  };
  try {
    check_writing_memory({result_of(640, 640), result_of(12000, 10000)}, std::array{Format::kPng},
                         {.total = 4 * kGiB, .free = 2 * kGiB});
    FAIL() << "nothing was refused";
  } catch (const common::DoesNotFitError& error) {
    EXPECT_STREQ(
        error.what(),
        "writing layers of 12000 × 10000 pixels takes 2.68 GiB; this machine has 2.00 GiB of 4.00 GiB free");
    EXPECT_EQ(error.remedy(), "Close other programs, or leave out --original-size.");
  }
  for (const Format format : kFormats) {
    EXPECT_NO_THROW(check_writing_memory({result_of(12000, 10000)}, std::array{format},
                                         {.total = 4 * kGiB, .free = 3 * kGiB}));
  }
  try {
    check_writing_memory({result_of(12000, 10000)}, std::array{Format::kPng},
                         {.total = 4 * kGiB, .free = 2 * kGiB, .cgroup = "/job"});
    FAIL() << "nothing was refused";
  } catch (const common::DoesNotFitError& error) {
    EXPECT_STREQ(
        error.what(),
        "writing layers of 12000 × 10000 pixels takes 2.68 GiB; the cgroup /job has 2.00 GiB of 4.00 "
        "GiB free");
    EXPECT_EQ(error.remedy(), "Raise the cgroup's limit, or leave out --original-size.");
  }
}

// The page holds the picture that the layers were made from, which may be larger than they are.
TEST(WritingMemory, CountsThePictureOfAPage) {
  RunRecord record;
  record.layer_size = {640, 480};
  record.picture_size = {12000, 10000};
  const runtime::MemoryUse machine{.total = 4 * kGiB, .free = kGiB};
  EXPECT_NO_THROW(check_writing_memory({record}, std::array{Format::kPng, Format::kOra}, machine));
  EXPECT_THROW(check_writing_memory({record}, std::array{Format::kPng, Format::kHtml}, machine),
               common::DoesNotFitError);
}

// Of several formats those that fit are the cure.
TEST(WritingMemory, IsAskedForDocuments) {
  const common::Size layers{12000, 10000};
  const auto said = [&](std::vector<Format> formats, std::uint64_t free) -> std::string {
    try {
      check_document_memory(layers, formats, [&](Format format) { return writing_bytes(format, layers); },
                            {.total = 4 * kGiB, .free = free, .cgroup = "/job"});
    } catch (const common::DoesNotFitError& error) {
      return std::string(error.what()) + "\n" + error.remedy();
    }
    return "";
  };
  EXPECT_EQ(said({Format::kPsd, Format::kPptx, Format::kHtml, Format::kOra}, 2 * kGiB),
            "writing layers of 12000 × 10000 pixels takes 2.68 GiB; the cgroup /job has 2.00 GiB of 4.00 GiB "
            "free\nRaise the cgroup's limit, or take --format pptx,html.");
  EXPECT_EQ(said({Format::kPptx, Format::kHtml}, 2 * kGiB), "");
  EXPECT_EQ(
      said({Format::kPsd}, kGiB / 2),
      "writing layers of 12000 × 10000 pixels takes 2.68 GiB; the cgroup /job has 512.00 MiB of 4.00 GiB "
      "free\nRaise the cgroup's limit.");
}

TEST(WritingMemory, IsAskedForAMerge) {
  const auto check = [](std::uint64_t free) {
    check_memory("merging layers of 12000 × 10000 pixels", merging_bytes({12000, 10000}),
                 {.total = 4 * kGiB, .free = free, .cgroup = "/job"});
  };
  try {
    check(2 * kGiB);
    FAIL() << "nothing was refused";
  } catch (const common::DoesNotFitError& error) {
    EXPECT_STREQ(
        error.what(),
        "merging layers of 12000 × 10000 pixels takes 2.24 GiB; the cgroup /job has 2.00 GiB of 4.00 "
        "GiB free");
    EXPECT_EQ(error.remedy(), "Raise the cgroup's limit.");
  }
  EXPECT_NO_THROW(check(3 * kGiB));
}

TEST(FormatSizes, AreAskedForBeforeTheWork) {
  EXPECT_NO_THROW(check_sizes(kFormats, {30000, 30000}));
  const std::vector<Format> others{Format::kPng, Format::kPptx, Format::kOra, Format::kZip, Format::kHtml};
  EXPECT_NO_THROW(check_sizes(others, {40000, 100}));
  for (const common::Size size : {common::Size{30001, 1}, common::Size{1, 30001}})
    EXPECT_THROW(check_sizes(kFormats, size), common::InputError);
}

// Three layers of 16 × 8 pixels: a red one; nothing, over green; the left half blue, the right half clear
// over green.
class WrittenResult : public ::testing::Test {
 protected:
  WrittenResult() {
    decoded_ = at::full({3, 4, 8, 16}, -1.0F);
    decoded_[0][0] = 1;
    decoded_[0][3] = 1;
    decoded_[1][1] = 1;
    decoded_[2].narrow(2, 8, 8)[1] = 1;
    decoded_[2].narrow(2, 0, 8)[2] = 1;
    decoded_[2].narrow(2, 0, 8)[3] = 1;
    options_.out = folder_.path() / "out";
  }
  void SetUp() override {
    try {
      media::check_zip_is_built("write documents");
    } catch (const common::InputError& error) {
      GTEST_SKIP() << error.what();
    }
  }

  std::vector<std::size_t> write(std::vector<Format> formats) { return write_results(std::move(formats), 1); }
  // Result `index` of each is the same; the empty layers of the last one.
  std::vector<std::size_t> write_results(
      std::vector<Format> formats, std::size_t results, const std::function<void()>& meanwhile = [] {}) {
    options_.formats = std::move(formats);
    RunRecord record;
    record.options = {{.name = "prompt", .values = {"sky, sun and a house"}, .source = "command line"},
                      {.name = "image", .values = {"poster.png"}, .source = "command line"},
                      {.name = "num-images", .values = {std::to_string(results)}, .source = "command line"}};
    record.picture = "poster.png";
    record.picture_size = {32, 16};
    record.working_size = {16, 8};
    record.layer_size = {16, 8};
    record.seed = 7;
    record.ranks.resize(1);
    partition::Plan plan;
    plan.stages.resize(1);
    set_plan(record, runtime::plan_json(plan));
    runtime::Result result;
    result.decoded = decoded_;
    ResultWriter writer(options_, results, 3);
    meanwhile();
    std::vector<std::size_t> empty_layers;
    for (std::size_t i = 0; i < results; ++i) {
      if (i != failed_) empty_layers = writer.write(i, record, result);
    }
    writer.finish();
    return empty_layers;
  }
  // The message of the OutputError that `call` throws, with OUT for the folder.
  template <typename Call>
  std::string refused_output(Call&& call) const {
    try {
      call();
    } catch (const common::OutputError& error) {
      std::string text = error.what();
      const std::string out = options_.out;
      for (auto at = text.find(out); at != std::string::npos; at = text.find(out, at))
        text.replace(at, out.size(), "OUT");
      return text;
    }
    return "accepted";
  }
  std::vector<std::string> files() const { return layerpipe::testing::files_below(options_.out); }
  nlohmann::json report() const {
    return nlohmann::json::parse(common::read_text_file(options_.out / "run.json"));
  }
  std::vector<std::string> names_in_document() const {
    std::vector<std::string> names;
    for (const auto& layer : media::read_ora(options_.out / "layers.ora").layers) names.push_back(layer.name);
    return names;
  }

  layerpipe::testing::TemporaryFolder folder_;
  OutputOptions options_;
  at::Tensor decoded_;
  std::size_t failed_ = 100;  // the result that is not made
};

using ::testing::ElementsAre;

TEST_F(WrittenResult, HasColoursUnderWhatCannotBeSeen) {
  write({Format::kPng, Format::kOra});
  const media::Image layer = media::read_png(options_.out / "layer_2.png");
  const std::uint8_t* pixel = layer.row(3) + 4 * 12;
  EXPECT_THAT(std::vector<int>(pixel, pixel + 4), ElementsAre(0, 0, 255, 0));
  EXPECT_EQ(media::read_png(options_.out / "layer_1.png"), media::make_image(16, 8));
  const media::Image composite = media::read_png(options_.out / "composite.png");
  pixel = composite.row(3) + 4 * 12;
  EXPECT_THAT(std::vector<int>(pixel, pixel + 4), ElementsAre(255, 0, 0, 255));
}

TEST_F(WrittenResult, SaysWhichLayersAreEmpty) {
  EXPECT_THAT(write({Format::kPng, Format::kOra}), ElementsAre(1));
  EXPECT_EQ(report().at("empty_layers"), nlohmann::json({1}));
  EXPECT_THAT(names_in_document(), ElementsAre("sky", "sun (empty)", "a house"));
}

TEST_F(WrittenResult, LeavesEmptyLayersOutOfDocumentsWhenAskedTo) {
  options_.empty_layers = EmptyLayers::kDrop;
  write({Format::kPng, Format::kOra, Format::kZip});
  EXPECT_THAT(names_in_document(), ElementsAre("sky", "a house"));
  EXPECT_THAT(files(), ElementsAre("composite.png", "layer_0.png", "layer_1.png", "layer_2.png", "layers.ora",
                                   "layers.zip", "run.json"));
  const std::string archive = common::read_text_file(options_.out / "layers.zip");
  EXPECT_EQ(archive.find("layer_1.png"), std::string::npos);
  EXPECT_NE(archive.find("layer_2.png"), std::string::npos);
}

TEST_F(WrittenResult, KeepsLayersWhenAllAreEmpty) {
  decoded_.fill_(-1.0F);
  options_.empty_layers = EmptyLayers::kDrop;
  EXPECT_THAT(write({Format::kOra}), ElementsAre(0, 1, 2));
  EXPECT_THAT(names_in_document(), ElementsAre("sky (empty)", "sun (empty)", "a house (empty)"));
}

TEST_F(WrittenResult, HasTheSameArchiveWithAndWithoutFiles) {
  write({Format::kPng, Format::kZip});
  const std::string archive = common::read_text_file(options_.out / "layers.zip");
  write({Format::kZip});
  EXPECT_TRUE(common::read_text_file(options_.out / "layers.zip") == archive);
}

TEST_F(WrittenResult, TakesAwayWhatAnEarlierRunWroteInOtherFormats) {
  write({kFormats.begin(), kFormats.end()});
  EXPECT_EQ(files().size(), 3U + 1U + 5U + 1U);
  write({Format::kHtml});
  EXPECT_THAT(files(), ElementsAre("layers.html", "run.json"));
  EXPECT_EQ(report().at("files"), nlohmann::json({"layers.html"}));
}

// An earlier run made another number of results, in the same folder.
class ResultsOfAnEarlierRun : public WrittenResult {
 protected:
  // The numbers of the results that `layerpipe export` and others find.
  std::vector<std::string> found() const {
    std::vector<std::string> numbers;
    for (const FinishedResult& result : result_folders(options_.out))
      numbers.push_back(result.number.string());
    return numbers;
  }
  void leave(const std::string& name) const { common::write_file_atomically(options_.out / name, "kept"); }
};

TEST_F(ResultsOfAnEarlierRun, OneGoesForSeveral) {
  write({kFormats.begin(), kFormats.end()});
  leave("report.html");
  leave("notes.txt");
  leave("layer_1 (copy).png");
  write_results({Format::kPsd}, 3);
  EXPECT_THAT(files(), ElementsAre("0/layers.psd", "0/run.json", "1/layers.psd", "1/run.json", "2/layers.psd",
                                   "2/run.json", "layer_1 (copy).png", "notes.txt", "report.html"));
  EXPECT_THAT(found(), ElementsAre("0", "1", "2"));
}

TEST_F(ResultsOfAnEarlierRun, SeveralGoForOne) {
  write_results({Format::kPsd}, 3);
  leave("1/notes.txt");
  write({Format::kPsd});
  EXPECT_THAT(files(), ElementsAre("1/notes.txt", "layers.psd", "run.json"));
  EXPECT_FALSE(std::filesystem::exists(options_.out / "0"));
  EXPECT_THAT(found(), ElementsAre(""));
}

TEST_F(ResultsOfAnEarlierRun, FewerAreNotMixedWithThem) {
  write_results({Format::kPsd}, 3);
  write_results({Format::kPsd}, 2);
  EXPECT_THAT(files(), ElementsAre("0/layers.psd", "0/run.json", "1/layers.psd", "1/run.json"));
  EXPECT_THAT(found(), ElementsAre("0", "1"));
  std::filesystem::remove(options_.out / "1" / "run.json");
  EXPECT_THROW(found(), common::InputError);
}

// A layer may be decomposed further.
TEST_F(ResultsOfAnEarlierRun, StayWhereTheRunIsMadeFromThem) {
  write({Format::kPng});
  options_.inputs = {options_.out / "layer_1.png"};
  write_results({Format::kPsd}, 2);
  EXPECT_THAT(files(),
              ElementsAre("0/layers.psd", "0/run.json", "1/layers.psd", "1/run.json", "layer_1.png"));
}

TEST_F(ResultsOfAnEarlierRun, WithoutARunJsonNothingIsTakenForOne) {
  std::filesystem::create_directories(options_.out);
  for (const char* name : {"layer_0.png", "composite.png", "report.html"}) leave(name);
  write_results({Format::kPsd}, 2);
  EXPECT_THAT(files(), ElementsAre("0/layers.psd", "0/run.json", "1/layers.psd", "1/run.json",
                                   "composite.png", "layer_0.png", "report.html"));
}

TEST_F(ResultsOfAnEarlierRun, GoWithTheirPage) {
  write({Format::kPsd});
  leave("report.html");
  const WrittenFile page{"report.html", content_of(options_.out / "report.html").value()};
  const auto report = options_.out / "run.json";
  common::write_file_atomically(report,
                                with_files(common::read_text_file(report), {&page, 1}, Listed::kAsWritten));
  write({Format::kPsd});
  EXPECT_THAT(files(), ElementsAre("layers.psd", "run.json"));
}

// Results of another --out lie in a folder that happens to be called "1".
TEST_F(ResultsOfAnEarlierRun, StayWhereTheyAreOfARunOfTheirOwn) {
  const std::filesystem::path out = options_.out;
  options_.out = out / "1";
  write({Format::kPsd});
  options_.out = out;
  write({Format::kPsd});
  EXPECT_THAT(files(), ElementsAre("1/layers.psd", "1/run.json", "layers.psd", "run.json"));
}

TEST_F(ResultsOfAnEarlierRun, AreWholeUntilAllNewOnesAre) {
  write_results({Format::kPsd}, 2);
  const std::string before = common::read_text_file(options_.out / "0" / "run.json");
  options_.formats = {Format::kPsd};
  ResultWriter writer(options_, 2, 3);
  EXPECT_EQ(common::read_text_file(options_.out / "0" / "run.json"), before);
  writer.finish();  // of a run that has made none
  EXPECT_THAT(files(),
              ElementsAre(".layerpipe.lock", "0/layers.psd", "0/run.json", "1/layers.psd", "1/run.json"));
}

// The run came to its end, so what it made counts.
TEST_F(ResultsOfAnEarlierRun, GoForThoseThatDidNotFail) {
  write_results({Format::kPsd, Format::kOra}, 2);
  failed_ = 0;
  write_results({Format::kPsd}, 2);
  EXPECT_THAT(files(), ElementsAre("1/layers.psd", "1/run.json"));
}

// What a person did while the run was at work is not lost, nor is the work.
TEST_F(ResultsOfAnEarlierRun, AreNotReplacedWhenTheyAreEditedMeanwhile) {
  write({Format::kPsd});
  const auto edit = [&] { leave("layers.psd"); };
  EXPECT_EQ(refused_output([&] { write_results({Format::kPsd}, 1, edit); }),
            "--out OUT: in the way of the results lies layers.psd (edited) by now; the results lie in "
            "OUT/unplaced");
  EXPECT_EQ(common::read_text_file(options_.out / "layers.psd"), "kept");
  EXPECT_THAT(files(), ElementsAre("layers.psd", "run.json", "unplaced/layers.psd", "unplaced/run.json"));
  options_.overwrite = Overwrite::kReplace;
  write({Format::kPsd});
  EXPECT_EQ(refused_output([&] {
              options_.overwrite = Overwrite::kRefuse;
              write_results({Format::kPsd}, 1, edit);
            }),
            "--out OUT: in the way of the results lies layers.psd (edited) by now; the results lie in "
            "OUT/unplaced-2");
}

TEST_F(WrittenResult, IsNotPutOverWhatCameMeanwhile) {
  const auto come = [&] { common::write_file_atomically(options_.out / "layers.psd", "kept"); };
  EXPECT_EQ(refused_output([&] { write_results({Format::kPsd}, 1, come); }),
            "--out OUT: in the way of the results lies layers.psd by now; the results lie in OUT/unplaced");
  EXPECT_THAT(files(), ElementsAre("layers.psd", "unplaced/layers.psd", "unplaced/run.json"));
}

TEST_F(WrittenResult, ListsItsFilesWithTheirContent) {
  write({Format::kPng, Format::kPsd});
  const RunRecord record = read_run_record(options_.out / "run.json");
  std::vector<std::string> names;
  for (const WrittenFile& file : record.written) {
    names.push_back(file.name);
    EXPECT_EQ(content_of(options_.out / file.name), file.content) << file.name;
  }
  EXPECT_EQ(names, record.files);
  EXPECT_EQ(record.number, 0U);
  EXPECT_EQ(record.results, 1U);
}

TEST_F(WrittenResult, IsNotWrittenOverADocumentThatTheRunIsMadeFrom) {
  std::filesystem::create_directories(options_.out);
  common::write_file_atomically(options_.out / "layers.zip", "latents");
  options_.inputs = {options_.out / "layers.zip"};
  EXPECT_THROW(write({Format::kPng}), common::InputError);
  EXPECT_THAT(files(), ElementsAre("layers.zip"));
}

}  // namespace
}  // namespace layerpipe::results
