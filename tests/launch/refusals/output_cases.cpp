// Where results go, and disks that are full. The disks are those of full_disk.cpp.
#include <string>

#include "tests/launch/refusals/refusal_case.h"

namespace layerpipe::testing {
namespace {

const std::string kChooseFolder = "Choose another folder.";

std::vector<RefusalCase> places() {
  const std::string section = "Where results go";
  const std::string long_name(300, 'x');
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
       [long_name](Workplace& w) { w.set("--out", w.folder() / long_name); },
       "--out FOLDER/" + long_name + " cannot be made a folder: File name too long", kChooseFolder},
      {"OutMayNotBeWritten", section, "`--out` may not be written",
       [](Workplace& w) {
         std::filesystem::create_directories(w.out());
         w.set_environment("LD_PRELOAD=" LAYERPIPE_FULL_DISK);
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
       "--dump-latents FOLDER/nowhere/latents.safetensors: there is no folder FOLDER/nowhere that may be "
       "written",
       "Choose another file."},
  };
}

}  // namespace

std::vector<RefusalCase> output_cases() {
  return places();
}

}  // namespace layerpipe::testing
