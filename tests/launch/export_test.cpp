// Documents from the program: those that decompose writes, and the same from a finished run; and layers put
// together.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/errors.h"
#include "common/files.h"
#include "media/ora_reader.h"
#include "media/png_reader.h"
#include "media/png_writer.h"
#include "media/psd_reader.h"
#include "media/zip_writer.h"
#include "results/formats.h"
#include "tests/launch/program.h"
#include "tests/media/psd_builder.h"

namespace layerpipe::launch {
namespace {

using layerpipe::testing::decompose_arguments;
using layerpipe::testing::files_below;
using layerpipe::testing::Outcome;
using layerpipe::testing::run_program;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Json = nlohmann::json;

constexpr const char* kAll = "png,psd,pptx,ora,zip,html";
const std::vector<std::string> kDocuments{"layers.psd", "layers.pptx", "layers.ora", "layers.zip",
                                          "layers.html"};

std::string content(const std::filesystem::path& file) {
  return common::read_text_file(file);
}

class Export : public ::testing::Test {
 protected:
  void SetUp() override {
    try {
      media::check_zip_is_built("write documents");
    } catch (const common::InputError& error) {
      GTEST_SKIP() << error.what();
    }
  }

  Outcome run(const std::vector<std::string>& arguments) const {
    Outcome outcome = run_program(arguments);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_EQ(outcome.out, "");
    return outcome;
  }
  Outcome decompose(const std::string& formats, const std::string& prompt = "sun and house",
                    const std::vector<std::string>& more = {}) const {
    auto arguments = decompose_arguments(out_, {"--format", formats});
    arguments.insert(arguments.end(), more.begin(), more.end());
    *(std::find(arguments.begin(), arguments.end(), "--prompt") + 1) = prompt;
    return run(arguments);
  }
  Json report(const std::filesystem::path& folder) const { return Json::parse(content(folder / "run.json")); }
  std::vector<std::string> names_in(const std::filesystem::path& ora) const {
    std::vector<std::string> names;
    for (const auto& layer : media::read_ora(ora).layers) names.push_back(layer.name);
    return names;
  }

  layerpipe::testing::TemporaryFolder folder_;
  std::filesystem::path out_ = folder_.path() / "run";
};

TEST_F(Export, DecomposeWritesAllFormatsAtOnce) {
  const Outcome outcome = decompose(kAll);
  EXPECT_THAT(outcome.err,
              HasSubstr(" pixels and composite.png, layers.psd, layers.pptx, layers.ora, layers.zip, "
                        "layers.html\n"));
  auto listed = report(out_).at("files").get<std::vector<std::string>>();
  EXPECT_EQ(listed.size(), 3U + kDocuments.size());
  listed.emplace_back("run.json");
  std::sort(listed.begin(), listed.end());
  EXPECT_EQ(files_below(out_), listed);
  EXPECT_EQ(content(out_ / "layers.psd").substr(0, 6), std::string("8BPS\0\1", 6));
  const auto holds = [&](const std::string& file, const std::string& text) {  // without showing all of it
    return content(out_ / file).find(text) != std::string::npos;
  };
  EXPECT_TRUE(holds("layers.pptx", "ppt/slides/slide1.xml"));
  EXPECT_TRUE(holds("layers.html", "<!doctype html>"));
  EXPECT_TRUE(holds("layers.html", "id=\"png-original\""));
  EXPECT_THAT(names_in(out_ / "layers.ora"), ElementsAre("sun", "house"));
  const media::Document document = media::read_ora(out_ / "layers.ora");
  for (std::size_t i = 0; i < document.layers.size(); ++i) {
    const media::Image file = media::read_png(out_ / ("layer_" + std::to_string(i) + ".png"));
    EXPECT_EQ(document.layers[i].read(), file) << i;
  }
  for (const char* name : {"layer_0.png", "layer_1.png", "composite.png"})
    EXPECT_TRUE(holds("layers.zip", content(out_ / name))) << name;  // stored as it is
  EXPECT_TRUE(holds("layers.zip", "run.json"));
  EXPECT_FALSE(holds("layers.zip", folder_.path().string()));
}

TEST_F(Export, TheSameRunGivesTheSameDocuments) {
  decompose(kAll);
  std::vector<std::string> before;
  for (const std::string& name : kDocuments) before.push_back(content(out_ / name));
  decompose(kAll);
  for (std::size_t i = 0; i < kDocuments.size(); ++i)
    EXPECT_TRUE(content(out_ / kDocuments[i]) == before[i]) << kDocuments[i];
}

TEST_F(Export, ExportWritesWhatDecomposeWrites) {
  decompose(kAll);
  const auto again = folder_.path() / "documents" / "of the run";
  const Outcome outcome = run({"export", "--in", out_, "--out", again, "--format", "html,zip,ora,pptx,psd"});
  EXPECT_EQ(outcome.err, again.string() + ": layers.psd, layers.pptx, layers.ora, layers.zip, layers.html\n");
  EXPECT_EQ(files_below(again).size(), kDocuments.size());
  for (const std::string& name : kDocuments)
    EXPECT_TRUE(content(again / name) == content(out_ / name)) << name;
}

TEST_F(Export, DocumentsBesideTheRunAreListedInItsReport) {
  decompose("png");
  const Json before = report(out_);
  run({"export", "--in", out_, "--format", "psd"});
  run({"export", "--in", out_, "--format", "psd,ora"});
  Json after = report(out_);
  EXPECT_EQ(after.at("files"),
            Json({"layer_0.png", "layer_1.png", "composite.png", "layers.psd", "layers.ora"}));
  after["files"] = before.at("files");
  EXPECT_EQ(after, before);
}

TEST_F(Export, SeveralResultsKeepTheirNumbers) {
  decompose(kAll, "sun and house", {"--num-images", "2"});
  const auto again = folder_.path() / "again";
  run({"export", "--in", out_, "--out", again, "--format", "psd,zip"});
  EXPECT_THAT(files_below(again),
              ElementsAre("0/layers.psd", "0/layers.zip", "1/layers.psd", "1/layers.zip"));
  for (const std::string& name : files_below(again))
    EXPECT_TRUE(content(again / name) == content(out_ / name)) << name;
}

TEST_F(Export, APictureThatIsGoneIsLeftOut) {
  const auto picture = folder_.path() / "picture.png";
  std::filesystem::copy_file(layerpipe::testing::demo_picture(), picture);
  auto arguments = decompose_arguments(out_, {"--format", "png,html"});
  *(std::find(arguments.begin(), arguments.end(), "--image") + 1) = picture.string();
  run(arguments);
  const std::string with = content(out_ / "layers.html");
  // Another picture of its name is not the original either.
  media::write_png(picture, media::make_image(3, 3));
  const std::string without =
      out_.string() + ": the page is without the original picture: " + picture.string();
  EXPECT_THAT(run({"export", "--in", out_, "--format", "html"}).err,
              HasSubstr(without + " is another picture by now\n"));
  const std::string with_another = content(out_ / "layers.html");
  std::filesystem::remove(picture);
  EXPECT_EQ(run({"export", "--in", out_, "--format", "html"}).err,
            out_.string() + ": layers.html\n" + without + " is not there\n");
  EXPECT_LT(with_another.size(), with.size());
  EXPECT_TRUE(content(out_ / "layers.html") == with_another);
}

TEST_F(Export, EmptyLayersAreNamedOrLeftOut) {
  decompose("png");
  const media::Image layer = media::read_png(out_ / "layer_1.png");
  media::write_png(out_ / "layer_1.png", media::make_image(layer.width, layer.height));
  EXPECT_EQ(run({"export", "--in", out_, "--format", "ora"}).err,
            out_.string() + ": layers.ora\n" + out_.string() + ": layer 1 is empty\n");
  EXPECT_THAT(names_in(out_ / "layers.ora"), ElementsAre("sun", "house (empty)"));
  run({"export", "--in", out_, "--format", "ora", "--drop-empty"});
  EXPECT_THAT(names_in(out_ / "layers.ora"), ElementsAre("sun"));
}

// Prompts end up in names, titles, XML, JSON and HTML.
TEST_F(Export, PromptsMayHoldAnything) {
  std::string emoji;
  while (emoji.size() < 10000) emoji += "🦊 ";
  const std::vector<std::string> prompts{"../../etc/passwd, \"quoted\" </script><b>&amp; ]]>",
                                         "a/b\\c\n\td\r\n\x01\x1b[2J", emoji, "sky 'n' sea\xEF\xBF\xBE, sun"};
  for (const std::string& prompt : prompts) {
    decompose(kAll, prompt);
    EXPECT_EQ(files_below(out_).size(), 3U + kDocuments.size() + 1U) << prompt;
    EXPECT_EQ(names_in(out_ / "layers.ora").size(), 2U);
    EXPECT_EQ(content(out_ / "layers.html").find("</script><b>"), std::string::npos);
    EXPECT_EQ(report(out_).at("options").at("prompt").at("value"), prompt);
    const auto again = folder_.path() / "again";
    run({"export", "--in", out_, "--out", again, "--format", "psd,pptx,ora,zip,html"});
    for (const std::string& name : kDocuments)
      EXPECT_TRUE(content(again / name) == content(out_ / name)) << name;
  }
}

// No file may become longer than this, as on a full disk, as long as the object lives; nor may those of
// programs that are started.
class SmallDisk {
 public:
  explicit SmallDisk(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    handler_ = ::signal(SIGXFSZ, SIG_IGN);
    const rlimit small{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &small);
  }
  ~SmallDisk() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, handler_);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

 private:
  rlimit before_{};
  sighandler_t handler_ = SIG_DFL;
};

// Nothing half-written, and what an earlier export wrote is as it was.
TEST_F(Export, AFullDiskChangesNothing) {
  decompose("png");
  const auto documents = folder_.path() / "documents";
  for (const std::string& name : kDocuments) {
    const std::string format = name.substr(name.find('.') + 1);
    run({"export", "--in", out_, "--out", documents, "--format", format});
    const std::string before = content(documents / name);
    for (const std::size_t bytes : {std::size_t{2000}, before.size() - 1}) {
      Outcome outcome;
      {
        const SmallDisk disk(bytes);
        outcome = run_program({"export", "--in", out_, "--out", documents, "--format", format});
      }
      EXPECT_EQ(outcome.exit_code, 6) << name << ": " << outcome.err;
      EXPECT_THAT(outcome.err, HasSubstr("cannot write " + (documents / name).string())) << bytes;
      EXPECT_THAT(files_below(documents), ElementsAre(name)) << bytes;
      EXPECT_TRUE(content(documents / name) == before) << name;
    }
    std::filesystem::remove(documents / name);
  }
  const SmallDisk disk(2000);
  EXPECT_EQ(run_program({"merge", "--in", out_, "--out", documents / "merged.png"}).exit_code, 6);
  EXPECT_THAT(files_below(documents), ElementsAre());
}

// The report is written last: without it nobody takes what is there for a finished run.
TEST_F(Export, AFullDiskLeavesNoFinishedRun) {
  {
    const SmallDisk disk(20000);
    auto arguments = decompose_arguments(out_, {"--format", "png,psd"});
    const Outcome outcome = run_program(arguments);
    EXPECT_EQ(outcome.exit_code, 6) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr("cannot write " + (out_ / "layers.psd").string()));
  }
  EXPECT_THAT(files_below(out_), ElementsAre("composite.png", "layer_0.png", "layer_1.png"));
  EXPECT_EQ(run_program({"export", "--in", out_, "--format", "psd"}).exit_code, 2);
}

TEST_F(Export, MergeGivesTheComposite) {
  decompose("png,ora");
  const media::Image composite = media::read_png(out_ / "composite.png");
  const auto merged = folder_.path() / "merged.png";
  EXPECT_EQ(run({"merge", "--in", out_, "--out", merged}).err, merged.string() + ": 2 of 2 layers\n");
  EXPECT_EQ(media::read_png(merged), composite);
  run({"merge", "--in", out_ / "layers.ora", "--out", merged, "--layers", "1,0"});
  EXPECT_EQ(media::read_png(merged), composite);
  run({"merge", "--in", out_, "--out", out_ / "composite.png", "--layers", "0"});
  EXPECT_NE(media::read_png(out_ / "composite.png"), composite);
}

// The front layer filled with a colour.
TEST_F(Export, MergeTakesEditedLayers) {
  decompose("png");
  media::Image edited = media::read_png(out_ / "layer_1.png");
  for (std::size_t i = 0; i < edited.pixels.size(); ++i)
    edited.pixels[i] = i % 4 == 1 ? 200 : i % 4 == 3 ? 255 : 0;
  media::write_png(out_ / "layer_1.png", edited);
  const auto merged = folder_.path() / "merged.png";
  run({"merge", "--in", out_, "--out", merged});
  EXPECT_EQ(media::read_png(merged), edited);
  run({"export", "--in", out_, "--format", "ora"});
  run({"merge", "--in", out_ / "layers.ora", "--out", merged});
  EXPECT_EQ(media::read_png(merged), edited);
}

TEST_F(Export, MergeGivesTheCompositeOfAPsd) {
  decompose("png,psd");
  const auto merged = folder_.path() / "merged.png";
  EXPECT_EQ(run({"merge", "--in", out_ / "layers.psd", "--out", merged}).err,
            merged.string() + ": 2 of 2 layers\n");
  EXPECT_EQ(media::read_png(merged), media::read_png(out_ / "composite.png"));
}

// Three layers, the middle one hidden, the front one moved and half visible; 4 × 3.
std::string edited_psd() {
  media::PsdTestLayer back;
  back.name = "sky";
  media::PsdTestLayer hidden;
  hidden.flags |= 2;
  hidden.mode = "mul ";
  media::PsdTestLayer front;
  front.name = "house";
  front.left = 2;
  front.top = 1;
  front.opacity = 128;
  return media::PsdTestDocument{.layers = {back, hidden, front}}.bytes();
}

TEST_F(Export, TakesAnEditedPsd) {
  const auto psd = folder_.path() / "edited.psd";
  common::write_file_atomically(psd, edited_psd());
  const auto documents = folder_.path() / "documents";
  const Outcome outcome =
      run({"export", "--in", psd, "--out", documents, "--format", "psd,pptx,ora,zip,html"});
  EXPECT_EQ(outcome.err,
            documents.string() + ": layers.psd, layers.pptx, layers.ora, layers.zip, layers.html\n");
  EXPECT_EQ(content(psd), edited_psd());
  const media::Document ora = media::read_ora(documents / "layers.ora");
  const media::Document again = media::read_psd(documents / "layers.psd").document;
  ASSERT_EQ(ora.layers.size(), 2U);
  ASSERT_EQ(again.layers.size(), 2U);
  const media::Document before = media::read_psd(psd).document;
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(ora.layers[i].name, before.layers[i].name);
    EXPECT_EQ(again.layers[i].name, before.layers[i].name);
    EXPECT_EQ(again.layers[i].read(), before.layers[i].read());
  }
  EXPECT_THAT(content(documents / "layers.zip"), HasSubstr("layer_1.png"));
  EXPECT_THAT(content(documents / "layers.zip"), HasSubstr("composite.png"));
  // The composites are one.
  const auto merged = folder_.path() / "merged.png";
  run({"merge", "--in", psd, "--out", merged});
  EXPECT_EQ(media::read_png(merged), media::composite(before));
  run({"merge", "--in", psd, "--out", merged, "--layers", "1"});
  EXPECT_EQ(media::read_png(merged), before.layers[1].read());
  // And the same from an edited OpenRaster.
  const auto more = folder_.path() / "more";
  run({"export", "--in", documents / "layers.ora", "--out", more, "--format", "psd"});
  EXPECT_EQ(content(more / "layers.psd"), content(documents / "layers.psd"));
}

TEST_F(Export, DropsEmptyLayersOfAnEditedPsd) {
  media::PsdTestLayer empty;
  empty.name = "nothing";
  empty.left = 100;
  common::write_file_atomically(folder_.path() / "edited.psd",
                                media::PsdTestDocument{.layers = {{}, empty}}.bytes());
  const auto psd = folder_.path() / "edited.psd";
  const auto kept = folder_.path() / "kept";
  EXPECT_EQ(run({"export", "--in", psd, "--out", kept, "--format", "ora"}).err,
            kept.string() + ": layers.ora\n" + kept.string() + ": layer 1 is empty\n");
  EXPECT_THAT(names_in(kept / "layers.ora"), ElementsAre("a", "nothing"));
  const auto dropped = folder_.path() / "dropped";
  run({"export", "--in", psd, "--out", dropped, "--format", "ora", "--drop-empty"});
  EXPECT_THAT(names_in(dropped / "layers.ora"), ElementsAre("a"));
}

// "10" lies on "9".
TEST_F(Export, MergeCountsLayersAsNumbers) {
  media::Image layer = media::make_image(2, 1);
  for (int i = 0; i < 11; ++i) {
    for (int x = 0; x < 2; ++x) {
      layer.row(0)[4 * x] = static_cast<std::uint8_t>(i);
      layer.row(0)[4 * x + 3] = 255;
    }
    std::filesystem::create_directories(out_);
    media::write_png(out_ / ("layer_" + std::to_string(i) + ".png"), layer);
  }
  common::write_file_atomically(out_ / "layer_7 (copy).png", "not counted");
  const auto merged = folder_.path() / "merged.png";
  run({"merge", "--in", out_, "--out", merged});
  EXPECT_EQ(media::read_png(merged).row(0)[0], 10);
  run({"merge", "--in", out_, "--out", merged, "--layers", "8-9,2"});
  EXPECT_EQ(media::read_png(merged).row(0)[0], 9);
}

}  // namespace
}  // namespace layerpipe::launch
