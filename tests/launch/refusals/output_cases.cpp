// Where results go, and disks that are full. The disks are those of small_machine.cpp.
#include <string>

#include "tests/launch/refusals/finished_run.h"
#include "tests/launch/refusals/refusal_case.h"

namespace layerpipe::testing {
namespace {

const std::string kChooseFolder = "Choose another folder.";

std::vector<RefusalCase> places() {
  const std::string section = "Where results go";
  return {
      {"OutIsAFile", section, "`--out` is a file", [](Workplace& w) { w.write("out", "kept"); },
       "--out OUT cannot be made a folder: Not a directory", kChooseFolder},
      {"OutBelowAFile", section, "`--out` below a file",
       [](Workplace& w) { w.set("--out", w.picture() / "out"); },
       "--out PICTURE/out cannot be made a folder: Not a directory", kChooseFolder},
      {"OutCannotBeMade", section, "`--out` where no folder can be made",
       [](Workplace& w) { w.set("--out", "/proc/layerpipe"); },
       "--out /proc/layerpipe cannot be made a folder: No such file or directory", kChooseFolder},
      {"OutNameTooLong", section, "a name that is too long",
       [](Workplace& w) { w.set("--out", w.folder() / long_name()); },
       "--out FOLDER/NAME cannot be made a folder: File name too long", kChooseFolder},
      {"OutMayNotBeWritten", section, "`--out` may not be written",
       [](Workplace& w) {
         std::filesystem::create_directories(w.out());
         w.set_environment("LD_PRELOAD=" LAYERPIPE_SMALL_MACHINE);
         w.set_environment("LAYERPIPE_TEST_FORBIDDEN=" + w.out().string());
       },
       "--out OUT may not be written", kChooseFolder},
      {"NumberedFolderIsAFile", section, "a file in place of a numbered folder",
       [](Workplace& w) {
         w.write("out/1", "in the way");
         w.add({"--num-images", "2"});
       },
       "--out OUT/1 cannot be made a folder: Not a directory", kChooseFolder},
      {"NumberedFolderOnAnotherDisk", section, "a link to another disk in place of a numbered folder",
       [](Workplace& w) {
         std::filesystem::create_directories(w.out() / "1");
         w.set_environment("LD_PRELOAD=" LAYERPIPE_SMALL_MACHINE);
         w.set_environment("LAYERPIPE_TEST_OTHER_DISK=" + (w.out() / "1").string());
         w.add({"--num-images", "2"});
       },
       "--out OUT: 1 lies on another disk", kChooseFolder},
      {"DumpIsAFolder", section, "`--dump-latents` is a folder",
       [](Workplace& w) {
         w.add({"--dump-latents", w.model()});
       },
       "--dump-latents MODEL is a folder", "Give the name of a file in it."},
      {"DumpFolderMissing", section, "`--dump-latents` in a folder that is not there",
       [](Workplace& w) {
         w.add({"--dump-latents", w.folder() / "nowhere" / "latents.safetensors"});
       },
       "--dump-latents FOLDER/nowhere/latents.safetensors: there is no folder FOLDER/nowhere",
       "Make it, or choose another file."},
      {"PictureInThePlaceOfAResult", section, "a picture that lies where a layer will",
       [](Workplace& w) {
         std::filesystem::create_directories(w.out());
         std::filesystem::copy_file(w.picture(), w.out() / "layer_7.png");
         w.set("--image", w.out() / "layer_7.png");
       },
       "the result would be written over OUT/layer_7.png", "Choose another --out."},
      {"DumpOverAResult", section, "`--dump-latents` where a layer will lie",
       [](Workplace& w) {
         std::filesystem::create_directories(w.out());
         w.add({"--dump-latents", w.out() / "layer_1.png"});
       },
       "--dump-latents OUT/layer_1.png is where a result will lie",
       "Choose another file for --dump-latents."},
      {"DumpOverThePicture", section, "a picture as the file of `--dump-latents`",
       [](Workplace& w) {
         w.add({"--dump-latents", w.picture()});
       },
       "the result would be written over PICTURE", "Choose another file for --dump-latents."},
  };
}

// Files that are not an earlier run's own, or are not as it wrote them.
std::vector<RefusalCase> files_in_the_way() {
  const std::string section = "Files that nobody should lose";
  const std::string overwrite =
      "Choose another folder, or give --overwrite: files that are written anew are replaced then, and others "
      "stay.";
  return {
      {"OutHasFilesOfAnother", section, "`--out` with layers that no run wrote",
       [](Workplace& w) {
         w.write("out/layer_0.png", "drawn for hours");
         w.write("out/layer_1.png", "drawn for hours");
         w.write("out/layer_2.png", "not in the way");
         w.write("out/layers.psd", "not in the way");
       },
       "--out OUT: in the way of the results lie layer_0.png and layer_1.png", overwrite},
      {"OutHasANumberedFileOfAnother", section, "a file in the place of one of several results",
       [](Workplace& w) {
         w.write("out/1/composite.png", "drawn for hours");
         w.add({"--num-images", "2"});
       },
       "--out OUT: in the way of the results lies 1/composite.png", overwrite},
      {"OutHasResultsOfAnEarlierVersion", section, "`--out` with results that were written without hashes",
       [](Workplace& w) {
         w.write("out/run.json", kFinishedRun);
         w.copy_here("out/layer_0.png", "parity/plain/input.png");
       },
       "--out OUT: in the way of the results lie layer_0.png (of a run that noted no hashes) and run.json "
       "(of "
       "a run that noted no hashes)",
       overwrite},
      {"OutHasAnEditedFile", section, "`--out` with a document that was edited since a run wrote it",
       [](Workplace& w) {
         w.add({"--format", "psd"});
         w.run();
         w.write("out/layers.psd", "edited for hours");
       },
       "--out OUT: in the way of the results lies layers.psd (edited)", overwrite},
      {"FolderInThePlaceOfALayer", section, "a folder in the place of a layer",
       [](Workplace& w) { w.write("out/layer_0.png/notes.txt", "kept"); },
       "--out OUT: in the way of the results lies layer_0.png (a folder)",
       "Choose another folder, or move what is in the way."},
      {"OutIsWrittenByAnother", section, "`--out` of a run that is still at work",
       [](Workplace& w) { w.hold("out", "process 7 on elsewhere"); },
       "another run writes into OUT: process 7 on elsewhere",
       "Wait until it has ended, or choose another folder."},
      {"ResultIsWrittenByAnother", section, "one of several results is the `--out` of another run",
       [](Workplace& w) {
         w.hold("out/1", "process 7 on elsewhere");
         w.add({"--num-images", "2"});
       },
       "another run writes into OUT/1: process 7 on elsewhere",
       "Wait until it has ended, or choose another folder."},
      {.name = "OutChangesMeanwhile",
       .section = section,
       .deed = "a result that is edited while a run is at work that replaces it",
       .prepare = {},
       .message = "--out OUT: in the way of the results lies layers.psd (edited) by now; the results lie in "
                  "OUT/unplaced",
       .cure = "Move them to their places by hand.",
       .exit_code = 6,
       .found = Found::kWhileWorking,
       .tested_by = "results/result_writer_test.cpp: TEST_F(ResultsOfAnEarlierRun, "
                    "AreNotReplacedWhenTheyAreEditedMeanwhile)"},
      {.name = "ResultsCannotBePutInTheirPlaces",
       .section = section,
       .deed = "a disk on which no file can be made any more when all results are written",
       .prepare = {},
       .message = "cannot write OUT/placement.json: Input/output error (errno 5); the results lie in "
                  "OUT/unplaced",
       .cure = "Move them to their places by hand.",
       .exit_code = 6,
       .found = Found::kWhileWorking,
       .tested_by = "results/result_folder_test.cpp: TEST_F(RefusedBySystem, KeepsWhatCannotBeNoted)"},
      {.name = "ResultsCannotBeMoved",
       .section = section,
       .deed = "the same on a disk on which nothing can be moved either",
       .prepare = {},
       .message = "cannot write OUT/placement.json: Input/output error (errno 5); the results lie in "
                  "OUT/.layerpipe-…",
       .cure =
           "Move them to their places by hand before another run writes into this folder, which takes away "
           "what lies there.",
       .exit_code = 6,
       .found = Found::kWhileWorking,
       .tested_by = "results/result_folder_test.cpp: TEST_F(RefusedBySystem, "
                    "LeavesTheStagingFolderWhereNothingElseCanBeDone)"},
      {.name = "ResultsAreMovedInPart",
       .section = section,
       .deed = "a disk that fails while results are put in their places",
       .prepare = {},
       .message =
           "cannot write OUT/layer_0.png: Input/output error (errno 5); the results that are not in their "
           "places yet lie in OUT/.layerpipe-…",
       .cure = "Check that the folder exists and may be written. The next run into this folder puts them in "
               "their places first.",
       .exit_code = 6,
       .found = Found::kWhileWorking,
       .tested_by = "results/result_folder_test.cpp: TEST_F(RefusedBySystem, EndsLaterWhatHasBegun)"},
      {.name = "OutHoldsALinkOnTheWay",
       .section = section,
       .deed = "a folder that was received, whose note leads elsewhere through a link",
       .prepare = {},
       .message = "/far is a link, so what is put in its place there would lie elsewhere",
       .cure =
           "A run was killed while it put its results in their places; they lie in OUT/.layerpipe-…. Move "
           "them, or what is in their way.",
       .tested_by = "results/result_folder_test.cpp: TEST_F(ReceivedFolder, WithLinksOnTheWayToFiles)"},
      {.name = "OutChangesAfterADeath",
       .section = section,
       .deed = "a file that came into the way of results which a killed run was putting in their places",
       .prepare = {},
       .message = "composite.png has changed since",
       .cure =
           "A run was killed while it put its results in their places; they lie in OUT/.layerpipe-…. Move "
           "them, or what is in their way.",
       .tested_by = "results/result_folder_test.cpp: TEST_F(ResultFolderTest, "
                    "SaysWhatCameBetweenTheDeathAndTheNextRun)"},
  };
}

// LAYERPIPE_SMALL_MACHINE makes it so.
std::vector<RefusalCase> full_disks() {
  const std::string section = "Disks that are full";
  const auto with = [](const std::string& setting, std::vector<std::string> words) {
    return [=](Workplace& w) {
      w.set_environment("LD_PRELOAD=" LAYERPIPE_SMALL_MACHINE);
      w.set_environment(setting);
      w.add(words);
    };
  };
  const std::string free_some = "Free some space on that disk, or write to another one.";
  RefusalCase dump_full{"DiskFillsUpInTheDump",
                        section,
                        "a disk that fills up while latents are dumped",
                        [](Workplace& w) {
                          w.set_environment("LD_PRELOAD=" LAYERPIPE_SMALL_MACHINE);
                          w.set_environment("LAYERPIPE_TEST_WRITABLE_BYTES=100000");
                          w.add({"--dump-latents", w.folder() / "latents.safetensors"});
                        },
                        "cannot write FOLDER/latents.safetensors: No space left on device (errno 28)",
                        free_some,
                        6,
                        Found::kWhileWorking};
  return {
      {"DiskTooSmall", section, "a disk with too little room for the results",
       with("LAYERPIPE_TEST_FREE_BYTES=100000", {}),
       "the disk of --out OUT has 97.7 KiB free, what is written there may need 496.9 KiB",
       "Free some space on it, or choose another --out."},
      {"DiskTooSmallForAllResults", section, "a disk with room for one result of three",
       with("LAYERPIPE_TEST_FREE_BYTES=1000000", {"--num-images", "3"}),
       "the disk of --out OUT has 976.6 KiB free, what is written there may need 1.46 MiB",
       "Free some space on it, or choose another --out."},
      {"DiskTooSmallForTheDump", section, "a disk without room for `--dump-latents`",
       [](Workplace& w) {
         w.set_environment("LD_PRELOAD=" LAYERPIPE_SMALL_MACHINE);
         w.set_environment("LAYERPIPE_TEST_FREE_BYTES=550000");
         w.add({"--dump-latents", w.folder() / "latents.safetensors"});
       },
       "the disk of --out OUT has 537.1 KiB free, what is written there may need 844.9 KiB",
       "Free some space on it, or choose another --out."},
      {"OtherDiskTooSmallForTheDump", section, "`--dump-latents` on another disk, without room",
       [](Workplace& w) {
         std::filesystem::create_directory(w.folder() / "other");
         w.set_environment("LD_PRELOAD=" LAYERPIPE_SMALL_MACHINE);
         w.set_environment("LAYERPIPE_TEST_FREE_BYTES=200000");
         w.set_environment("LAYERPIPE_TEST_OTHER_DISK=" + (w.folder() / "other").string());
         w.add({"--dump-latents", w.folder() / "other" / "latents.safetensors"});
       },
       "the disk of --dump-latents FOLDER/other/latents.safetensors has 195.3 KiB free, what is written "
       "there "
       "may need 348.0 KiB",
       "Free some space on it, or choose another --dump-latents."},
      {"DiskFillsUp", section, "a disk that fills up while a picture is written",
       with("LAYERPIPE_TEST_WRITABLE_BYTES=20000", {}),
       "cannot write OUT/layer_1.png: No space left on device (errno 28)", free_some, 6,
       Found::kWhileWorking},
      {"DiskFillsUpInTheSecondResult",
       section,
       "a disk that fills up after one result",
       with("LAYERPIPE_TEST_WRITABLE_BYTES=55000", {"--num-images", "2"}),
       "cannot write OUT/1/layer_0.png: No space left on device (errno 28)",
       free_some,
       6,
       Found::kWhileWorking,
       {"0/composite.png", "0/layer_0.png", "0/layer_1.png", "0/run.json"}},
      dump_full,
  };
}

}  // namespace

std::vector<RefusalCase> output_cases() {
  std::vector<RefusalCase> all = places();
  for (const auto& cases : {files_in_the_way(), full_disks()})
    all.insert(all.end(), cases.begin(), cases.end());
  return all;
}

}  // namespace layerpipe::testing
