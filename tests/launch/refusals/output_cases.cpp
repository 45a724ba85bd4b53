// Where results go, and disks that are full. The disks are those of small_machine.cpp.
#include <string>

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
      {"DumpOverThePicture", section, "a picture as the file of `--dump-latents`",
       [](Workplace& w) {
         w.add({"--dump-latents", w.picture()});
       },
       "the result would be written over PICTURE", "Choose another file for --dump-latents."},
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
                        Found::kWhileWorking,
                        {"composite.png", "layer_0.png", "layer_1.png"}};
  return {
      {"DiskTooSmall", section, "a disk with too little room for the results",
       with("LAYERPIPE_TEST_FREE_BYTES=100000", {}),
       "the disk of --out OUT has 97.7 KiB free, what is written there may need 496.8 KiB",
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
       "the disk of --out OUT has 537.1 KiB free, what is written there may need 844.8 KiB",
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
      {"DiskFillsUp",
       section,
       "a disk that fills up while a picture is written",
       with("LAYERPIPE_TEST_WRITABLE_BYTES=20000", {}),
       "cannot write OUT/layer_1.png: No space left on device (errno 28)",
       free_some,
       6,
       Found::kWhileWorking,
       {"layer_0.png"}},
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
  for (const RefusalCase& refusal : full_disks()) all.push_back(refusal);
  return all;
}

}  // namespace layerpipe::testing
