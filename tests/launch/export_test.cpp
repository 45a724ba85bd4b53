// Documents from the program: those that decompose writes, and the same from a finished run; and layers put
// together.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <regex>

#include "common/errors.h"
#include "common/files.h"
#include "common/input_file.h"
#include "media/bleed.h"
#include "media/ora_reader.h"
#include "media/png_reader.h"
#include "media/png_writer.h"
#include "media/psd_reader.h"
#include "media/resize.h"
#include "media/zip_reader.h"
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
  EXPECT_EQ(after.at("written").size(), 5U);
  EXPECT_NE(after.at("record_hash"), before.at("record_hash"));
  for (const char* key : {"files", "written", "record_hash"}) after[key] = before.at(key);
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

// A run.json may name any file, and a page is handed on.
TEST_F(Export, APictureThatTheRunDidNotSeeIsLeftOut) {
  decompose("png,html");
  const auto secret = folder_.path() / "secret.png";
  const media::Image picture = media::read_png(layerpipe::testing::demo_picture());
  media::Image other = media::make_image(picture.width, picture.height);  // of the same size
  media::write_png(secret, other);
  const auto name = [&](const Json& hash) {
    Json report = this->report(out_);
    report["picture"] = secret;
    report["picture_hash"] = hash;
    common::write_file_atomically(out_ / "run.json", report.dump());
    return run({"export", "--in", out_, "--format", "html"}).err;
  };
  const std::string without =
      out_.string() + ": layers.html\n" + out_.string() + ": the page is without the original picture: ";
  const Json hash = report(out_).at("picture_hash");
  EXPECT_EQ(name(hash), without + secret.string() + " is another picture by now\n");
  EXPECT_EQ(content(out_ / "layers.html").find("id=\"png-original\""), std::string::npos);
  EXPECT_EQ(name(nullptr), without + "run.json has no picture_hash to know " + secret.string() + " by\n");
  EXPECT_EQ(name(""), without + "run.json has no picture_hash to know " + secret.string() + " by\n");
  EXPECT_EQ(content(out_ / "layers.html").find("id=\"png-original\""), std::string::npos);
  // The picture itself, wherever it lies and however it was saved.
  media::write_png(secret, picture);
  EXPECT_EQ(name(hash), out_.string() + ": layers.html\n");
  EXPECT_NE(content(out_ / "layers.html").find("id=\"png-original\""), std::string::npos);
}

TEST_F(Export, AnEditedDocumentIsKept) {
  decompose("png");
  run({"export", "--in", out_, "--format", "psd"});
  run({"export", "--in", out_, "--format", "psd,ora"});  // as it was written
  const std::string document = content(out_ / "layers.psd");
  common::write_file_atomically(out_ / "layers.psd", document + "!");
  const std::string report = content(out_ / "run.json");
  const Outcome outcome = run_program({"export", "--in", out_, "--format", "psd,zip"});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_EQ(outcome.err, "layerpipe: --out " + out_.string() +
                             ": in the way of the documents lies layers.psd (edited)\n  Choose another "
                             "folder, or give --overwrite: files that are written anew are replaced then, "
                             "and others stay.\n");
  EXPECT_TRUE(content(out_ / "layers.psd") == document + "!");
  EXPECT_FALSE(std::filesystem::exists(out_ / "layers.zip"));
  EXPECT_TRUE(content(out_ / "run.json") == report);
  run({"export", "--in", out_, "--format", "psd,zip", "--overwrite"});
  EXPECT_TRUE(content(out_ / "layers.psd") == document);
  // And decompose knows them for its own again.
  decompose("png");
  EXPECT_THAT(files_below(out_), ElementsAre("composite.png", "layer_0.png", "layer_1.png", "run.json"));
}

// An edited run.json stays one: what export adds to it does not make it the run's own again.
TEST_F(Export, AnEditedReportIsKept) {
  decompose("png");
  std::string report = content(out_ / "run.json");
  report.replace(report.find("sun and house"), 13, "moon and star");
  common::write_file_atomically(out_ / "run.json", report);
  run({"export", "--in", out_, "--format", "psd"});
  const Outcome outcome = run_program(decompose_arguments(out_));
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("in the way of the results lies run.json (edited)\n"));
  EXPECT_EQ(this->report(out_).at("job").at("prompt"), "moon and star");
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

// What a person adds counts, as it does for `layerpipe merge`.
TEST_F(Export, LayersThatWereAddedLieInFront) {
  decompose("png");
  const media::Image layer = media::read_png(out_ / "layer_0.png");
  media::Image added = media::make_image(layer.width, layer.height);
  added.pixels[3] = 255;
  media::write_png(out_ / "layer_2.png", added);
  EXPECT_EQ(run({"export", "--in", out_, "--format", "ora,zip"}).err,
            out_.string() + ": layers.ora, layers.zip\n" + out_.string() +
                ": layer_2.png is not of the run, and lies in front\n");
  EXPECT_THAT(names_in(out_ / "layers.ora"), ElementsAre("sun", "house", "Layer 2"));
  EXPECT_NE(content(out_ / "layers.zip").find(content(out_ / "layer_2.png")), std::string::npos);
  const auto merged = folder_.path() / "merged.png";
  run({"merge", "--in", out_, "--out", merged});
  const auto of_document = folder_.path() / "of_document.png";
  run({"merge", "--in", out_ / "layers.ora", "--out", of_document});
  EXPECT_EQ(media::read_png(merged), media::read_png(of_document));

  std::filesystem::rename(out_ / "layer_2.png", out_ / "layer_4.png");
  const Outcome gap = run_program({"export", "--in", out_, "--format", "ora"});
  EXPECT_EQ(gap.exit_code, 2);
  EXPECT_THAT(gap.err, HasSubstr("has layer_4.png, but no layer_2.png\n"));
}

// Layers that are taken apart again.
class Nest : public Export {
 protected:
  // A run of one picture, to `folder` below the test's own.
  std::filesystem::path decompose_to(const std::string& folder, const std::filesystem::path& picture,
                                     const std::string& prompt, const std::vector<std::string>& more = {}) {
    const std::filesystem::path out = folder_.path() / folder;
    auto arguments = decompose_arguments(out, more);
    *(std::find(arguments.begin(), arguments.end(), "--prompt") + 1) = prompt;
    *(std::find(arguments.begin(), arguments.end(), "--image") + 1) = picture;
    run(arguments);
    return out;
  }
  // The text of stack.xml with the names alone: "front (inner back) back", as a person reads it.
  std::string groups_in(const std::filesystem::path& ora) const {
    const common::FileContent file(ora);
    const auto bytes = media::ZipReader(file.bytes(), ora.string()).read("stack.xml", 1 << 20);
    std::string xml(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    xml = xml.substr(xml.find("<stack>") + 7);
    std::string text;
    for (std::smatch found;
         std::regex_search(xml, found, std::regex("<(/?)(layer|stack)( name=\"([^\"]*)\")?[^>]*>"));
         xml = found.suffix()) {
      const bool is_stack = found[2] == "stack";
      if (found[1] == "/") {
        text += ')';
      } else {
        text += (text.empty() || text.ends_with('(') ? "" : " ") + found[4].str() + (is_stack ? "(" : "");
      }
    }
    return text.substr(0, text.size() - 1);  // the root
  }
};

TEST_F(Nest, PutsAResultInThePlaceOfItsLayer) {
  decompose("png");
  const auto inner = decompose_to("inner", out_ / "layer_1.png", "wall, roof");
  const Outcome outcome = run({"export", "--in", out_, "--nest", inner, "--format", "psd,ora,pptx,zip,html"});
  EXPECT_THAT(outcome.err, ::testing::StartsWith(inner.string() + " takes the place of " +
                                                 (out_ / "layer_1.png").string() + "\n"));
  EXPECT_EQ(groups_in(out_ / "layers.ora"), "house(roof wall) sun");
  const media::Document document = media::read_ora(out_ / "layers.ora");
  EXPECT_EQ(document.layers[0].read(), media::read_png(out_ / "layer_0.png"));
  for (const std::size_t i : {0, 1})
    EXPECT_EQ(document.layers[i + 1].read(),
              media::read_png(inner / ("layer_" + std::to_string(i) + ".png")));
  EXPECT_NE(content(out_ / "layers.psd").find("house"), std::string::npos);
  EXPECT_NE(content(out_ / "layers.html").find("house / wall"), std::string::npos);
  const std::string zip = content(out_ / "layers.zip");
  for (const char* name : {"layer_1/layer_0.png", "layer_1/layer_1.png", "layer_1/composite.png",
                           "layer_1/run.json", "layer_1.png"})
    EXPECT_NE(zip.find(name), std::string::npos) << name;
  EXPECT_EQ(zip.find(folder_.path().string()), std::string::npos);
}

// Which layer it was is told by its pixels, not by names; runs of several results, and layers of layers.
TEST_F(Nest, GoesAsDeepAsLayersWereTakenApart) {
  decompose("png");
  const auto copy = folder_.path() / "some layer.png";
  std::filesystem::copy_file(out_ / "layer_1.png", copy);
  const auto inner = decompose_to("inner", copy, "wall, roof");
  const auto deep = decompose_to("deep", inner / "layer_0.png", "brick, door");
  const auto ora = folder_.path() / "documents";
  run({"export", "--in", out_, "--out", ora, "--nest", deep, inner, "--format", "ora"});
  EXPECT_EQ(groups_in(ora / "layers.ora"), "house(roof wall(door brick)) sun");

  auto arguments = decompose_arguments(folder_.path() / "both");
  const auto image = std::find(arguments.begin(), arguments.end(), "--image") + 1;
  *image = out_ / "layer_0.png";
  arguments.insert(image + 1, out_ / "layer_1.png");
  run(arguments);
  const auto of_both = folder_.path() / "documents of both";
  run({"export", "--in", out_, "--out", of_both, "--nest", folder_.path() / "both", "--format", "ora"});
  EXPECT_EQ(groups_in(of_both / "layers.ora"), "house(Layer 1 Layer 0) sun(Layer 1 Layer 0)");
}

// Taken apart at another resolution, the layers are brought to the document's size.
TEST_F(Nest, ScalesToTheDocument) {
  decompose("png");
  const auto inner = decompose_to("inner", out_ / "layer_1.png", "wall, roof", {"--original-size"});
  const auto larger = folder_.path() / "larger";
  auto arguments = decompose_arguments(larger);
  *(std::find(arguments.begin(), arguments.end(), "--image") + 1) = out_ / "layer_1.png";
  *(std::find(arguments.begin(), arguments.end(), "--resolution") + 1) = "96";
  run(arguments);
  ASSERT_EQ(media::read_png(larger / "layer_0.png").width, 96);
  for (const auto& nest : {inner, larger}) {
    run({"export", "--in", out_, "--nest", nest, "--format", "ora,psd,pptx"});
    const media::Document document = media::read_ora(out_ / "layers.ora");
    ASSERT_EQ(document.layers.size(), 3U);
    EXPECT_EQ(document.layers[2].read().width, document.width);
    media::Image expected = media::resize_lanczos(media::read_png(nest / "layer_1.png"), 64, 64);
    media::bleed_colors(expected);
    const media::Image found = document.layers[2].read();
    for (std::size_t i = 0; i < found.pixels.size(); i += 4) {
      ASSERT_EQ(found.pixels[i + 3], expected.pixels[i + 3]);
      if (found.pixels[i + 3] != 0) {
        ASSERT_EQ(found.pixels[i], expected.pixels[i]);
      }
    }
  }
}

TEST_F(Nest, RefusesWhatHasNoPlace) {
  decompose("png");
  const auto inner = decompose_to("inner", out_ / "layer_1.png", "wall, roof");
  const auto again = decompose_to("again", out_ / "layer_1.png", "a, b", {"--seed", "5"});
  const auto other = decompose_to("other", layerpipe::testing::demo_picture(), "a, b");
  const auto refused = [&](const std::vector<std::string>& nests) {
    std::vector<std::string> arguments{"export", "--in", out_, "--format", "ora", "--nest"};
    arguments.insert(arguments.end(), nests.begin(), nests.end());
    const Outcome outcome = run_program(arguments);
    EXPECT_EQ(outcome.exit_code, 2);
    EXPECT_FALSE(std::filesystem::exists(out_ / "layers.ora"));
    return outcome.err;
  };
  EXPECT_EQ(refused({other}),
            "layerpipe: --nest " + other.string() + ": its picture, " +
                layerpipe::testing::demo_picture().string() +
                ", is no layer of the run as it is now\n  Give the run of a layer of --in; a layer that has "
                "changed since has to be taken apart again.\n");
  EXPECT_EQ(refused({inner, again}), "layerpipe: --nest " + inner.string() + " and --nest " + again.string() +
                                         " were both made from " + (out_ / "layer_1.png").string() +
                                         "\n  Give one of them.\n");
  EXPECT_THAT(refused({folder_.path() / "nowhere"}), HasSubstr("/nowhere is not a folder\n"));
  EXPECT_THAT(refused({folder_.path()}), HasSubstr(" has no run.json\n"));
  media::Image edited = media::read_png(out_ / "layer_1.png");
  edited.pixels[0] ^= 255;
  edited.pixels[3] ^= 255;
  media::write_png(out_ / "layer_1.png", edited);
  EXPECT_THAT(refused({inner}), HasSubstr("is no layer of the run as it is now\n"));
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
    run({"export", "--in", out_, "--out", again, "--format", "psd,pptx,ora,zip,html", "--overwrite"});
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

// A result is whole or not there.
TEST_F(Export, AFullDiskLeavesNoFinishedRun) {
  {
    const SmallDisk disk(20000);
    auto arguments = decompose_arguments(out_, {"--format", "png,psd"});
    const Outcome outcome = run_program(arguments);
    EXPECT_EQ(outcome.exit_code, 6) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr("cannot write " + (out_ / "layers.psd").string()));
  }
  EXPECT_THAT(files_below(out_), ElementsAre());
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

// The same rules as for a run's documents: what is the same is no obstacle, what is not is kept, and all come
// or none.
TEST_F(Export, DocumentsOfAnEditedPsdReplaceNothing) {
  const auto psd = folder_.path() / "edited.psd";
  common::write_file_atomically(psd, edited_psd());
  const std::vector<std::string> arguments{"export", "--in", psd, "--out", out_, "--format", "psd,pptx,ora"};
  run(arguments);
  const auto before = content(out_ / "layers.ora");
  run(arguments);
  common::write_file_atomically(out_ / "layers.ora", std::string_view("somebody's"));
  std::filesystem::remove(out_ / "layers.psd");
  const Outcome refused = run_program(arguments);
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.err,
              HasSubstr(": in the way of the documents lies layers.ora\n  Choose another folder, "
                        "or give --overwrite: "));
  EXPECT_THAT(files_below(out_), ElementsAre("layers.ora", "layers.pptx"));
  EXPECT_EQ(content(out_ / "layers.ora"), "somebody's");
  auto overwriting = arguments;
  overwriting.emplace_back("--overwrite");
  run(overwriting);
  EXPECT_EQ(content(out_ / "layers.ora"), before);
  EXPECT_THAT(files_below(out_), ElementsAre("layers.ora", "layers.pptx", "layers.psd"));
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
