// `layerpipe export` and `layerpipe merge`: folders that are no finished run, reports that are not as they
// should be, layers that do not belong together.
#include <nlohmann/json.hpp>

#include "tests/launch/refusals/finished_run.h"
#include "tests/launch/refusals/refusal_case.h"
#include "tests/media/psd_builder.h"

namespace layerpipe::testing {
namespace {

namespace fs = std::filesystem;

const std::string kFinished = "Give the folder of a finished run, as layerpipe decompose wrote it.";
const std::string kCheckFile = "Check that the file exists and may be read.";
const std::string kLayersOrDocument =
    "Give a folder with layers as layerpipe decompose writes them, or an .ora, .psd or .psb file.";
const std::string kList = "Give numbers and ranges with commas between them, such as 0,2-3.";

// A finished run in FOLDER/run, of two layers as large as the picture, which is 64 × 64.
void make_run(const Workplace& w, const std::string& folder = "run") {
  w.write(folder + "/run.json", kFinishedRun);
  for (const char* name : {"layer_0.png", "layer_1.png", "composite.png"})
    w.copy_here(folder + "/" + name, "parity/plain/input.png");
}

// A document of one layer, which can be read.
std::string plain_psd() {
  return media::PsdTestDocument{}.bytes();
}

RefusalCase of_export(const std::string& name, const std::string& deed,
                      const std::function<void(Workplace&)>& spoil, const std::string& message,
                      const std::string& cure = kFinished) {
  return {name,
          "Documents from a finished run",
          deed,
          [spoil](Workplace& w) {
            make_run(w);
            w.use({"export", "--in", w.folder() / "run", "--out", w.out(), "--format", "psd"});
            spoil(w);
          },
          message,
          cure};
}

// With another run in FOLDER/again, which is nested.
RefusalCase of_nest(const std::string& name, const std::string& deed,
                    const std::function<void(Workplace&)>& spoil, const std::string& message,
                    const std::string& cure) {
  return of_export(
      name, deed,
      [spoil](Workplace& w) {
        make_run(w, "again");
        w.set("--nest", w.folder() / "again");
        spoil(w);
      },
      message, cure);
}

// `patch` (RFC 7386) of run.json.
RefusalCase of_report(const std::string& name, const std::string& deed, const std::string& patch,
                      const std::string& message, const std::string& cure = kGiveARun) {
  return of_export(
      name, deed, [patch](Workplace& w) { w.patch_json("run/run.json", patch); },
      "FOLDER/run/run.json" + message, cure);
}

RefusalCase of_merge(const std::string& name, const std::string& deed,
                     const std::function<void(Workplace&)>& spoil, const std::string& message,
                     const std::string& cure) {
  return {name,
          "Layers put together",
          deed,
          [spoil](Workplace& w) {
            make_run(w);
            w.use({"merge", "--in", w.folder() / "run", "--out", w.folder() / "merged.png"});
            spoil(w);
          },
          message,
          cure};
}

std::vector<RefusalCase> exports() {
  const std::string formats = "Take psd, pptx, ora, zip or html, or several with commas between them.";
  return {
      {"ExportAlone", "Documents from a finished run", "`layerpipe export` alone",
       [](Workplace& w) { w.use({"export"}); }, "--in, --format are missing", "See layerpipe export --help."},
      of_export(
          "ExportOfPictures", "`--format png`, which the run has",
          [](Workplace& w) { w.set("--format", "png"); }, "--format png is not known", formats),
      of_export(
          "ExportOfAFile", "a file in place of the run's folder",
          [](Workplace& w) { w.set("--in", w.picture()); },
          "--in PICTURE is a PNG picture, not an OpenRaster or Photoshop document", kLayersOrDocument),
      of_export(
          "ExportOfADocumentToNowhere", "an edited document without `--out`",
          [](Workplace& w) {
            w.write("edited.psd", plain_psd());
            w.use({"export", "--in", w.folder() / "edited.psd", "--format", "psd"});
          },
          "--in FOLDER/edited.psd is a document, for which --out is missing",
          "Name a folder for the new documents with --out."),
      of_export(
          "ExportOfADocumentOverAnother", "an edited document into a folder that has such a file",
          [](Workplace& w) {
            w.write("edited.psd", plain_psd());
            w.write("there/layers.psd", "kept");
            w.use({"export", "--in", w.folder() / "edited.psd", "--out", w.folder() / "there", "--format",
                   "psd"});
          },
          "--out FOLDER/there: in the way of the documents lies layers.psd",
          "Choose another folder, or give --overwrite: files that are written anew are replaced then, and "
          "others stay."),
      of_export(
          "ExportOfADocumentOverItself", "an edited document into its own folder, under its own name",
          [](Workplace& w) {
            w.write("there/layers.psd", plain_psd());
            w.use({"export", "--in", w.folder() / "there" / "layers.psd", "--out", w.folder() / "there",
                   "--format", "html,psd", "--overwrite"});
          },
          "the document would be written over FOLDER/there/layers.psd", "Choose another folder for --out."),
      of_export(
          "ExportOfADocumentBesideARun", "an edited document into the folder of a run that is still at work",
          [](Workplace& w) {
            w.write("edited.psd", plain_psd());
            w.hold("there", "process 7 on elsewhere");
            w.use({"export", "--in", w.folder() / "edited.psd", "--out", w.folder() / "there", "--format",
                   "psd"});
          },
          "another run writes into FOLDER/there: process 7 on elsewhere",
          "Wait until it has ended, or choose another folder."),
      of_export(
          "ExportOfNoRun", "a folder without run.json", [](Workplace& w) { w.set("--in", w.model()); },
          "--in MODEL has no run.json"),
      of_export(
          "ExportOfUnfinishedResults", "several results, one of them not finished",
          [](Workplace& w) {
            make_run(w, "runs/0");
            fs::create_directories(w.folder() / "runs" / "1");
            w.set("--in", w.folder() / "runs");
          },
          "--in FOLDER/runs: result 1 has no run.json, so it was not finished",
          "Run layerpipe decompose again, or give the folder of one result."),
      of_export(
          "ExportToAFile", "`--out` is a file", [](Workplace& w) { w.write("out", "kept"); },
          "--out OUT cannot be made a folder: Not a directory", "Choose another folder."),
      of_export(
          "ExportOverADocumentOfAnother", "a document in `--out` that no run wrote",
          [](Workplace& w) { w.write("out/layers.psd", "edited for hours"); },
          "--out OUT: in the way of the documents lies layers.psd",
          "Choose another folder, or give --overwrite: files that are written anew are replaced then, and "
          "others stay."),
      of_export(
          "ExportIntoARunAtWork", "`--out` of a run that is still at work",
          [](Workplace& w) { w.hold("out", "process 7 on elsewhere"); },
          "another run writes into OUT: process 7 on elsewhere",
          "Wait until it has ended, or choose another folder."),
      of_export(
          "ExportWhereNothingMayBeWritten", "`--out` may not be written",
          [](Workplace& w) {
            fs::create_directories(w.out());
            w.set_environment("LD_PRELOAD=" LAYERPIPE_SMALL_MACHINE);
            w.set_environment("LAYERPIPE_TEST_FORBIDDEN=" + w.out().string());
          },
          "--out OUT may not be written", "Choose another folder."),
      of_export(
          "ExportOfALostLayer", "a layer that is not there any more",
          [](Workplace& w) { w.remove_file("run/layer_1.png"); },
          "cannot open FOLDER/run/layer_1.png: No such file or directory (errno 2)", kCheckFile),
      of_export(
          "ExportThroughALink", "a folder that was received, with a link in place of a numbered folder",
          [](Workplace& w) {
            std::filesystem::rename(w.folder() / "run", w.folder() / "another's run");
            std::filesystem::create_directory(w.folder() / "run");
            std::filesystem::create_directory_symlink(w.folder() / "another's run", w.folder() / "run" / "0");
            w.remove("--out");
          },
          "FOLDER/run/0 is a link, so its documents would be written elsewhere", "Give --out."),
      of_export(
          "ExportOfALostComposite", "a ZIP without the composite that belongs into it",
          [](Workplace& w) {
            w.remove_file("run/composite.png");
            w.set("--format", "psd,zip");
          },
          "FOLDER/run/composite.png, which belongs into the ZIP, is not there",
          "Make it again: layerpipe merge --in FOLDER/run --out FOLDER/run/composite.png"),
      of_export(
          "ExportOfALayerOfAnotherSize", "a layer that was saved smaller",
          [](Workplace& w) { w.copy_here("run/layer_1.png", "media/kinds/rgba_8.png"); },
          "FOLDER/run/layer_1.png is 13 × 7 pixels, but run.json says that layers are 64 × 64",
          "Save it at 64 × 64 pixels again."),
      of_export(
          "ExportOfALargerLayer", "a layer that was saved larger",
          [](Workplace& w) {
            fs::copy_file(demo_picture(), w.folder() / "run" / "layer_1.png",
                          fs::copy_options::overwrite_existing);
          },
          "FOLDER/run/layer_1.png is 640 × 448 pixels, but run.json says that layers are 64 × 64",
          "Save it at 64 × 64 pixels again."),
      of_export(
          "ExportWithAGapInTheNumbers", "a layer that was added, but not with the next number",
          [](Workplace& w) { w.copy_here("run/layer_3.png", "parity/plain/input.png"); },
          "FOLDER/run has layer_3.png, but no layer_2.png",
          "Put the missing layer back, or number the layers anew, from 0."),
      of_nest(
          "NestOfAnotherPicture", "`--nest` with a run of another picture",
          [](Workplace& w) { w.patch_json("again/run.json", R"({"picture_hash": "00"})"); },
          "--nest FOLDER/again: its picture, picture.png, is no layer of the run as it is now",
          "Give the run of a layer of --in; a layer that has changed since has to be taken apart again."),
      of_nest(
          "NestOfAnEarlierVersion", "`--nest` with a run of an earlier layerpipe", [](Workplace&) {},
          "--nest FOLDER/again: its run.json does not tell the hash of its picture",
          "An earlier layerpipe wrote it: take the layer apart again."),
      of_nest(
          "NestOfNoRun", "`--nest` with a folder that is no run",
          [](Workplace& w) { w.set("--nest", w.model()); }, "--nest MODEL has no run.json", kFinished),
      of_export(
          "ExportOfADamagedLayer", "a layer that ends too early",
          [](Workplace& w) { w.cut("run/layer_1.png", 100); },
          "FOLDER/run/layer_1.png is cut short: the PNG in it does not end within its 100 bytes",
          "Export the picture again, or copy it again from where it came."),
  };
}

std::vector<RefusalCase> reports() {
  const std::string no_png =
      "Run layerpipe decompose again with --format png, or with the formats that you want.";
  RefusalCase without_pictures =
      of_report("ReportWithoutPictures", "a run that wrote no PNG files", R"({"files": ["layers.psd"]})",
                " lists no PNG files, from which documents are made");
  without_pictures.cure = no_png;
  return {
      without_pictures,
      of_export(
          "ReportCutShort", "a run.json that ends too early",
          [](Workplace& w) { w.cut("run/run.json", 100); },
          "FOLDER/run/run.json is not JSON: parse error at line 3, column 37: syntax error while parsing "
          "value - "
          "invalid string: missing closing quote; last read: '\"a'",
          kGiveARun),
      of_export(
          "ReportOfNothing", "a run.json that holds a list",
          [](Workplace& w) { w.write("run/run.json", "[]"); }, "FOLDER/run/run.json is [], not a JSON object",
          kGiveARun),
      of_export(
          "ReportNestedDeeply", "a run.json of a thousand levels",
          [](Workplace& w) { w.write("run/run.json", std::string(1000, '[')); },
          "FOLDER/run/run.json is nested deeper than 64 levels", kGiveARun),
      of_export(
          "ReportTooLarge", "a run.json of 17 MiB",
          [](Workplace& w) { w.write("run/run.json", std::string(17 << 20, ' ')); },
          "FOLDER/run/run.json has 17825792 bytes; at most 16777216 are accepted",
          "Check that this is the right file."),
      of_report("ReportWithoutAPrompt", "a run.json without its prompt", R"({"options": {"prompt": null}})",
                ": \"options.prompt\" is missing"),
      of_report("ReportWithAPromptOfNumbers", "a number in place of the prompt",
                R"({"options": {"prompt": {"value": 7}}})", ": \"options.prompt.value\" is 7, not a text"),
      of_report("ReportWithAHiddenName", "a path with the character 0 in it", R"({"picture": "a\u0000b"})",
                ": \"picture\" is \"a\\u0000b\", not a text without the character 0"),
      of_report("ReportOfLayersWithoutWidth", "layers without a width", R"({"layer_size": {"width": 0}})",
                ": \"layer_size.width\" is 0, not a whole number from 1 to 65500"),
      of_report(
          "ReportOfHugeLayers", "layers of more pixels than are read",
          R"({"layer_size": {"width": 16384, "height": 16384}})",
          ": \"layer_size\" is {\"height\":16384,\"width\":16384}, not a size of at most 178956970 pixels"),
      of_report("ReportWithoutASeed", "a negative seed", R"({"seed": -1})",
                ": \"seed\" is -1, not a whole number from 0"),
      of_report("ReportOfFilesTwice", "a file listed twice", R"({"files": ["layer_0.png", "layer_0.png"]})",
                ": \"files\" is [\"layer_0.png\",\"layer_0.png\"], not a list of different texts"),
      of_report("ReportWithALayerMissing", "a layer missing in the list of files",
                R"({"files": ["layer_0.png", "layer_2.png", "composite.png"]})",
                ": \"files\" has 2 layers, but no layer_1.png", kFinished),
  };
}

std::vector<RefusalCase> merges() {
  const auto list = [](const std::string& name, const std::string& deed, const std::string& layers,
                       const std::string& message, const std::string& cure = kList) {
    return of_merge(
        name, deed,
        [layers](Workplace& w) {
          w.add({"--layers", layers});
        },
        message, cure);
  };
  const std::string no_number = " is not a layer or a range of layers";
  return {
      {"MergeAlone", "Layers put together", "`layerpipe merge` alone", [](Workplace& w) { w.use({"merge"}); },
       "--in, --out are missing", "See layerpipe merge --help."},
      of_merge(
          "MergeOfNothing", "a folder without layers", [](Workplace& w) { w.set("--in", w.model()); },
          "--in MODEL has no layer_0.png", kLayersOrDocument),
      of_merge(
          "MergeOfWhatIsNotThere", "a folder that is not there",
          [](Workplace& w) { w.set("--in", w.folder() / "nowhere"); },
          "cannot open FOLDER/nowhere: No such file or directory (errno 2)", kCheckFile),
      of_merge(
          "MergeOfAPicture", "a picture in place of a document",
          [](Workplace& w) { w.set("--in", w.picture()); },
          "--in PICTURE is a PNG picture, not an OpenRaster or Photoshop document", kLayersOrDocument),
      of_merge(
          "MergeOfAText", "a text in place of a document",
          [](Workplace& w) {
            w.write("notes.ora", "three layers");
            w.set("--in", w.folder() / "notes.ora");
          },
          "--in FOLDER/notes.ora is not an OpenRaster or Photoshop document", kLayersOrDocument),
      {.name = "MergeOfATranslucentGroup",
       .section = "Layers put together",
       .deed = "a document with two layers in a group of half the opacity",
       .prepare = {},
       .message = "a.ora: the group \"glass\" has the opacity 0.5 and 2 visible layers; such groups are read "
                  "with one",
       .cure = "Open it in the program that it comes from and save it with plain layers.",
       .tested_by = "media/ora_stack_test.cpp: TEST(OraStack, RefusesATranslucentGroupOfSeveralLayers)"},
      of_merge(
          "MergeOfADocumentInCmyk", "a Photoshop document in the colours of print",
          [](Workplace& w) {
            w.write("edited.psd", media::PsdTestDocument{.colors = 4}.bytes());
            w.set("--in", w.folder() / "edited.psd");
          },
          "FOLDER/edited.psd is a Photoshop document in CMYK; only RGB is read",
          "Convert it to RGB (in Photoshop: Image > Mode > RGB Color) and save it again."),
      of_merge(
          "MergeOfADocumentOf16Bits", "a Photoshop document of 16 bits",
          [](Workplace& w) {
            w.write("edited.psd", media::PsdTestDocument{.bits = 16}.bytes());
            w.set("--in", w.folder() / "edited.psd");
          },
          "FOLDER/edited.psd is a Photoshop document of 16 bits a channel; only 8 are read",
          "Convert it to 8 bits (in Photoshop: Image > Mode > 8 Bits/Channel) and save it again."),
      of_merge(
          "MergeOfAFlatDocument", "a Photoshop document without layers",
          [](Workplace& w) {
            w.write("edited.psd", media::PsdTestDocument{.layers = {}}.bytes());
            w.set("--in", w.folder() / "edited.psd");
          },
          "FOLDER/edited.psd has no layers",
          "Save it with its layers: what was flattened cannot be taken apart again."),
      of_merge(
          "MergeOfABlendingMode", "a Photoshop document with a layer that multiplies",
          [](Workplace& w) {
            media::PsdTestLayer shadow;
            shadow.name = "shadow";
            shadow.mode = "mul ";
            w.write("edited.psd", media::PsdTestDocument{.layers = {{}, shadow}}.bytes());
            w.set("--in", w.folder() / "edited.psd");
          },
          "FOLDER/edited.psd: the layer \"shadow\" has the blending mode Multiply; only Normal is read",
          "Set it to Normal, or merge it with the layers below, and save the document again."),
      of_merge(
          "MergeOfASmartObject", "a Photoshop document with more than pixels",
          [](Workplace& w) {
            w.write("edited.psd",
                    media::PsdTestDocument{.layers = {media::PsdTestLayer{}.with("SoLd", "x")}}.bytes());
            w.set("--in", w.folder() / "edited.psd");
          },
          "FOLDER/edited.psd: the layer \"a\" is a smart object; only plain pixels are read",
          "In the program that it comes from, turn it into plain pixels (rasterize it) or merge it with the "
          "layer "
          "below, and save the document again."),
      of_merge(
          "MergeWithALayerMissing", "a layer that was taken away",
          [](Workplace& w) { w.remove_file("run/layer_0.png"); },
          "--in FOLDER/run has layer_1.png, but no layer_0.png",
          "Put the missing layer back, or number the layers anew, from 0."),
      of_merge(
          "MergeOfDifferentSizes", "layers of different sizes",
          [](Workplace& w) { w.copy_here("run/layer_1.png", "media/kinds/rgba_8.png"); },
          "FOLDER/run/layer_1.png is 13 × 7 pixels, but FOLDER/run/layer_0.png is 64 × 64",
          "Save all layers at one size."),
      of_merge(
          "MergeOverALayer", "`--out` over a layer",
          [](Workplace& w) { w.set("--out", w.folder() / "run" / "layer_1.png"); },
          "the composite would be written over FOLDER/run/layer_1.png", "Choose another file for --out."),
      of_merge(
          "MergeIntoAFolder", "`--out` is a folder",
          [](Workplace& w) {
            fs::create_directories(w.folder() / "a.png");
            w.set("--out", w.folder() / "a.png");
          },
          "--out FOLDER/a.png is a folder", "Give the name of a file in it."),
      of_merge(
          "MergeIntoAnotherFormat", "`--out` with the name of another format",
          [](Workplace& w) { w.set("--out", w.folder() / "merged.jpg"); },
          "--out FOLDER/merged.jpg does not end in .png", "The composite is written as PNG."),
      of_merge(
          "MergeIntoNowhere", "`--out` in a folder that is not there",
          [](Workplace& w) { w.set("--out", w.folder() / "nowhere" / "a.png"); },
          "--out FOLDER/nowhere/a.png: there is no folder FOLDER/nowhere",
          "Make it, or choose another file."),
      of_merge(
          "MergeWhereNothingMayBeWritten", "`--out` in a folder that may not be written",
          [](Workplace& w) {
            w.set_environment("LD_PRELOAD=" LAYERPIPE_SMALL_MACHINE);
            w.set_environment("LAYERPIPE_TEST_FORBIDDEN=" + w.folder().string());
          },
          "--out FOLDER/merged.png: the folder FOLDER may not be written", "Choose another file."),
      list("NoLayers", "an empty list of layers", "", "--layers: \"\"" + no_number),
      list("LayersWithACommaTooMany", "a comma too many", "0,", "--layers: \"\"" + no_number),
      list("LayersByName", "a word in the list of layers", "back", "--layers: \"back\"" + no_number),
      list("NegativeLayer", "a negative layer", "-1", "--layers: \"-1\"" + no_number),
      list("LayersWithoutAnEnd", "a range without an end", "0-", "--layers: \"0-\"" + no_number),
      list("LayersBeyondAllNumbers", "a layer beyond 64 bits", "99999999999999999999",
           "--layers: \"99999999999999999999\"" + no_number),
      list("LayersBackwards", "a range that runs backwards", "1-0", "--layers: 1-0 runs backwards",
           "Write 0-1; layers keep the order of the stack."),
      list("LayersOutOfBounds", "a layer beyond the last one", "0-2",
           "--layers: 0-2 is beyond the last layer, 1, of FOLDER/run"),
      list("LayerTwice", "a layer twice", "0-1,1", "--layers names layer 1 twice"),
  };
}

}  // namespace

std::vector<RefusalCase> export_cases() {
  std::vector<RefusalCase> all = exports();
  for (const auto& cases : {reports(), merges()}) all.insert(all.end(), cases.begin(), cases.end());
  return all;
}

}  // namespace layerpipe::testing
