// `layerpipe report` and `layerpipe rerun`: files that are no run.json, and runs that cannot be made again.
// tests/results/run_record_test.cpp has every key of the file.
#include "tests/launch/refusals/finished_run.h"
#include "tests/launch/refusals/refusal_case.h"

namespace layerpipe::testing {
namespace {

namespace fs = std::filesystem;

RefusalCase of_command(const std::string& command, const std::string& name, const std::string& section,
                       const std::string& deed, const std::function<void(Workplace&)>& spoil,
                       const std::string& message, const std::string& cure) {
  return {name,
          section,
          deed,
          [command, spoil](Workplace& w) {
            w.write("run/run.json", kFinishedRun);
            w.patch_json("run/run.json", R"({"picture": ")" + w.picture().string() +
                                             R"(", "model": {"folder": ")" + w.model().string() + "\"}}");
            w.use({command, w.folder() / "run" / "run.json"});
            spoil(w);
          },
          message,
          cure};
}

const std::string kNameAnother =
    "Name another file with --out, or give --overwrite: files that are written anew are replaced then, and "
    "others stay.";

RefusalCase of_report(const std::string& name, const std::string& deed,
                      const std::function<void(Workplace&)>& spoil, const std::string& message,
                      const std::string& cure = kGiveARun) {
  return of_command("report", name, "The page of a run", deed, spoil, message, cure);
}

RefusalCase of_rerun(const std::string& name, const std::string& deed,
                     const std::function<void(Workplace&)>& spoil, const std::string& message,
                     const std::string& cure = kGiveARun) {
  return of_command("rerun", name, "A picture made again", deed, spoil, message, cure);
}

// `patch` (RFC 7386) of run.json.
std::function<void(Workplace&)> patch(const std::string& patch) {
  return [patch](Workplace& w) { w.patch_json("run/run.json", patch); };
}

std::vector<RefusalCase> pages() {
  return {
      of_report(
          "PageOfNothing", "`layerpipe report` alone", [](Workplace& w) { w.use({"report"}); },
          "run.json is missing", "See layerpipe report --help."),
      of_report(
          "PageOfTwoRuns", "two files", [](Workplace& w) { w.add({"more.json"}); },
          "\"more.json\" belongs to no option of layerpipe report",
          "Put a text of several words into quotes. See layerpipe report --help."),
      of_report(
          "PageOfALostRun", "a run.json that is not there",
          [](Workplace& w) { w.remove_file("run/run.json"); },
          "cannot open FOLDER/run/run.json: No such file or directory (errno 2)",
          "Check that the file exists and may be read."),
      of_report(
          "PageOfAFolder", "the folder in place of its run.json",
          [](Workplace& w) {
            w.use({"report", w.folder() / "run"});
          },
          "FOLDER/run is not a regular file", "Give the path of a file."),
      of_report(
          "PageOfAPicture", "a picture in place of a run.json",
          [](Workplace& w) {
            w.use({"report", w.picture()});
          },
          "PICTURE is not UTF-8: byte 0x89 at offset 0"),
      of_report(
          "PageOfARunCutShort", "a run.json that ends too early",
          [](Workplace& w) { w.write("run/run.json", "{\"command\": \"decom"); },
          "FOLDER/run/run.json is not JSON: parse error at line 1, column 19: syntax error while parsing "
          "value "
          "- invalid string: missing closing quote; last read: '\"decom'"),
      of_report(
          "PageOfAnotherJson", "some other JSON file",
          [](Workplace& w) {
            w.use({"report", w.model() / "model_index.json"});
          },
          "MODEL/model_index.json: \"versions\" is missing"),
      of_report("PageOfNegativeSeconds", "seconds below zero", patch(R"({"seconds": {"encode": -1}})"),
                "FOLDER/run/run.json: \"seconds.encode\" is -1, not a number from 0"),
      of_report("PageOfARankTooFew", "a rank of the plan without figures", patch(R"({"ranks": []})"),
                "FOLDER/run/run.json: \"ranks\" has not a rank for each stage of the plan"),
      of_report(
          "PageBesideARunAtWork", "a folder that another run writes into",
          [](Workplace& w) { w.hold("run", "process 7 on elsewhere"); },
          "another run writes into FOLDER/run: process 7 on elsewhere",
          "Wait until it has ended, or choose another folder."),
      of_report(
          "PageOverAnothers", "a report.html of somebody else beside run.json",
          [](Workplace& w) { w.write("run/report.html", "written by hand"); },
          "the folder FOLDER/run: in the way of the page lies report.html", kNameAnother),
      of_report(
          "PageOverAnothersByItsName", "the same, and `--out` gives the name that the page has anyway",
          [](Workplace& w) {
            w.write("run/report.html", "written by hand");
            w.add({"--out", w.folder() / "run" / "." / "report.html"});
          },
          "the folder FOLDER/run: in the way of the page lies report.html", kNameAnother),
      of_report(
          "PageOverItsEdit", "a page that was edited since it was written",
          [](Workplace& w) {
            w.run();
            w.write("run/report.html", "edited for hours");
          },
          "the folder FOLDER/run: in the way of the page lies report.html (edited)", kNameAnother),
      of_report(
          "PageOverTheRun", "`--out` over the run.json",
          [](Workplace& w) {
            w.add({"--out", w.folder() / "run" / "run.json"});
          },
          "the page would be written over FOLDER/run/run.json", "Choose another --out."),
      of_report(
          "PageIntoAFolder", "`--out` is a folder",
          [](Workplace& w) {
            w.add({"--out", w.model()});
          },
          "--out MODEL is a folder", "Give the name of a file in it."),
      of_report(
          "PageOverAResult", "`--out` over a file of the run",
          [](Workplace& w) {
            w.write("run/layers.html", "kept");
            w.patch_json("run/run.json", R"({"files": ["layers.html"]})");
            w.add({"--out", w.folder() / "run" / "layers.html"});
          },
          "the page would be written over FOLDER/run/layers.html", "Choose another --out."),
      of_report(
          "PageOverAPicture", "`--out` is no name of a page",
          [](Workplace& w) {
            w.add({"--out", w.picture()});
          },
          "--out PICTURE does not end in .html", "The page is written as HTML."),
      of_report(
          "PageNowhere", "`--out` in a folder that is not there",
          [](Workplace& w) {
            w.add({"--out", w.folder() / "nowhere" / "page.html"});
          },
          "--out FOLDER/nowhere/page.html: there is no folder FOLDER/nowhere",
          "Make it, or choose another file."),
  };
}

std::vector<RefusalCase> reruns() {
  RefusalCase of_earlier =
      of_rerun("RerunOfAnEarlierVersion", "a run.json of an earlier layerpipe, without hashes",
               patch(R"({"layer_hashes": null, "versions": {"layerpipe": "0.0.1"}})"),
               "FOLDER/run/run.json: \"layer_hashes\" is missing, so there is nothing to "
               "compare with");
  of_earlier.cure = "layerpipe 0.0.1 wrote it, this is " LAYERPIPE_VERSION ": take that one.";
  return {
      of_rerun(
          "RerunOfNothing", "`layerpipe rerun` alone", [](Workplace& w) { w.use({"rerun"}); },
          "run.json is missing", "See layerpipe rerun --help."),
      of_rerun(
          "RerunOfALostPicture", "a picture that is not there any more",
          [](Workplace& w) { w.remove_file("picture.png"); },
          "FOLDER/run/run.json: the picture PICTURE is not there",
          "Start in the folder where the run was started, or say where it is: --image FILE."),
      of_rerun(
          "RerunOfNoPicture", "`--image` that is not there",
          [](Workplace& w) {
            w.add({"--image", w.folder() / "nowhere.png"});
          },
          "--image FOLDER/nowhere.png is not there", "Give the picture that the run was made from."),
      of_rerun("RerunOfALostModel", "a model that is not there any more",
               patch(R"({"model": {"folder": "nowhere"}})"),
               "nowhere is not a model folder: it has no model_index.json",
               "Give the folder of a model in diffusers layout to --model."),
      of_rerun("RerunOfAnotherCommand", "a run of another command", patch(R"({"command": "generate"})"),
               "FOLDER/run/run.json: \"command\" is generate, not decompose"),
      of_rerun("RerunOfAnUnknownOption", "an option that this layerpipe does not know",
               patch(R"({"options": {"lora": {"value": "a", "source": "default"}}})"),
               "FOLDER/run/run.json: \"options.lora\" is no option of layerpipe decompose"),
      of_earlier,
      of_rerun("RerunOfAnotherNumberOfLayers", "hashes of another number of layers",
               patch(R"({"layer_hashes": ["00"]})"),
               "FOLDER/run/run.json: \"layer_hashes\" has 1 entries, but \"options.layers\" is 2"),
      of_rerun("RerunWithAValueOutOfRange", "an option with a value that it cannot have",
               patch(R"({"options": {"steps": {"value": "0"}}})"),
               "FOLDER/run/run.json: --steps 0 is out of range: 1 to 1000"),
      of_rerun("RerunInAnUnknownDtype", "a dtype that this layerpipe does not know",
               patch(R"({"dtype": "fp4"})"), "FOLDER/run/run.json: --dtype fp4 is not known"),
      {.name = "RerunWithOtherBits",
       .section = "A picture made again",
       .deed = "a layer that comes out differently (stdout says by how much)",
       .prepare = {},
       .message = "FOLDER/run.json: made again, layer 1 of 2 has other bits",
       .cure = "Model, picture, versions and device are those of the run: look whether its run.json or the "
               "model's "
               "weights were changed.",
       .found = Found::kWhileWorking,
       .tested_by = "launch/rerun_test.cpp: TEST_F(Rerun, ALayerWithOtherBitsIsNamed)"},
  };
}

}  // namespace

std::vector<RefusalCase> run_cases() {
  std::vector<RefusalCase> all = pages();
  for (const RefusalCase& refusal : reruns()) all.push_back(refusal);
  return all;
}

}  // namespace layerpipe::testing
