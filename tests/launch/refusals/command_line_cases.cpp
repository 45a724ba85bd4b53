// Commands and options.
#include "tests/launch/refusals/refusal_case.h"

namespace layerpipe::testing {
namespace {

const std::string kCommands =
    "decompose  Take a picture apart into layers\n"
    "  plan       Show who would hold what, and whether it fits\n"
    "  export     Make documents from the layers of a finished run\n"
    "  merge      Put layers together again, after edits made elsewhere\n"
    "  inspect    Show what a model folder holds\n"
    "  quantize   Write a model folder with the transformer in 8 bits\n"
    "  report     Show what a run did, as a page\n"
    "  rerun      Make a picture again, and say whether the bits agree\n"
    "  See layerpipe COMMAND --help.";
const std::string kSeeHelp = "See layerpipe decompose --help.";

std::vector<RefusalCase> commands() {
  const std::string section = "Commands";
  return {
      {"NoCommand", section, "`layerpipe` alone", [](Workplace& w) { w.use({}); }, "a command is missing",
       kCommands},
      {"MisspeltCommand", section, "a command with a wrong letter",
       [](Workplace& w) {
         w.use({"decompse", "--model", "m"});
       },
       "decompse is not a command of layerpipe; did you mean decompose?", kCommands},
      {"UnknownCommand", section, "a command that there is not", [](Workplace& w) { w.use({"paint"}); },
       "paint is not a command of layerpipe", kCommands},
      {"OptionBeforeTheCommand", section, "an option before the command",
       [](Workplace& w) {
         w.use({"--model", "m", "inspect"});
       },
       "--model is not an option of layerpipe", "See layerpipe --help."},
      {"OptionInsteadOfACommand", section, "an option and no command",
       [](Workplace& w) {
         w.use({"--model", "m"});
       },
       "a command is missing before --model", kCommands},
  };
}

std::vector<RefusalCase> options() {
  const std::string section = "Options";
  return {
      {"MisspeltOption", section, "an option with a letter missing",
       [](Workplace& w) {
         w.add({"--resoluton", "640"});
       },
       "--resoluton is not an option of layerpipe decompose; did you mean --resolution?", kSeeHelp},
      {"MisspeltOptionWithItsValue", section,
       "the same, with its value behind =", [](Workplace& w) { w.add({"--resoluton=640"}); },
       "--resoluton is not an option of layerpipe decompose; did you mean --resolution?", kSeeHelp},
      {"OneDash", section, "an option with one dash", [](Workplace& w) { w.add({"-quiet"}); },
       "-quiet is not an option of layerpipe decompose; did you mean --quiet?", kSeeHelp},
      {"UnknownOption", section, "an option that resembles none", [](Workplace& w) { w.add({"--colour"}); },
       "--colour is not an option of layerpipe decompose", kSeeHelp},
      {"OptionOfAnotherCommand", section, "an option of another command",
       [](Workplace& w) {
         w.use({"inspect", "--model", w.model(), "--steps", "5"});
       },
       "--steps is not an option of layerpipe inspect", "See layerpipe inspect --help."},
      {"PromptWithoutQuotes", section, "a prompt of several words without quotes",
       [](Workplace& w) {
         w.remove("--prompt");
         w.add({"--prompt", "a", "red", "fox"});
       },
       "\"red\" belongs to no option of layerpipe decompose",
       "Put a text of several words into quotes. " + kSeeHelp},
      {"ValueMissingAtTheEnd", section, "an option at the end without its value",
       [](Workplace& w) { w.add({"--seed"}); }, "--seed has no value", kSeeHelp},
      {"ValueMissingBeforeAnOption", section, "an option in place of a value",
       [](Workplace& w) {
         w.add({"--seed", "--quiet"});
       },
       "--seed has no value: --quiet follows it", kSeeHelp},
      {"ValueOfAFlag", section, "a value for an option that takes none",
       [](Workplace& w) { w.add({"--quiet=no"}); }, "--quiet takes no value", kSeeHelp},
      {"OptionGivenTwice", section, "an option given twice",
       [](Workplace& w) {
         w.add({"--steps", "3"});
       },
       "--steps is given 2 times", kSeeHelp},
      {"EmptyValue", section, "an empty value", [](Workplace& w) { w.set("--out", ""); }, "--out is empty",
       kSeeHelp},
      {"EmptyPicture", section, "an empty name of a picture", [](Workplace& w) { w.set("--image", ""); },
       "--image is empty", kSeeHelp},
      {"NoModelGiven", section, "no `--model`", [](Workplace& w) { w.remove("--model"); },
       "--model is missing", kSeeHelp},
      {"NoPictureGiven", section, "no `--image`", [](Workplace& w) { w.remove("--image"); },
       "--image is missing", kSeeHelp},
      {"NothingGiven", section, "none of the options that are needed",
       [](Workplace& w) { w.use({"decompose"}); }, "--model, --image, --out are missing", kSeeHelp},
      {"InspectWithoutAModel", section, "`layerpipe inspect` alone", [](Workplace& w) { w.use({"inspect"}); },
       "--model is missing", "See layerpipe inspect --help."},
  };
}

RefusalCase of_plan(const std::string& name, const std::string& deed, const std::vector<std::string>& words,
                    const std::string& message, const std::string& cure, int exit_code = 2) {
  return {name,
          "Planning",
          deed,
          [words](Workplace& w) {
            w.use({"plan", "--model", w.model()});
            w.add(words);
          },
          message,
          cure,
          exit_code};
}

std::vector<RefusalCase> planning() {
  const std::string operations = "a number and TFLOPS, such as 165TFLOPS";
  const std::string bytes = "a number and GB/s, such as 25GB/s.";
  const std::string speed = operations + ", or " + bytes;
  const std::string size =
      "Give a number and KiB, MiB or GiB, such as 12GiB, 15.5GiB or 512MiB; behind an @ each, if they are "
      "known, " +
      operations + ", and " + bytes;
  return {
      {"PlanWithoutAModel", "Planning", "`layerpipe plan` alone", [](Workplace& w) { w.use({"plan"}); },
       "--model is missing", "See layerpipe plan --help."},
      of_plan("DeviceInDecimalUnits", "a device in decimal units", {"--devices", "24GiB,24GB"},
              "--devices: \"24GB\" is not a size", size),
      of_plan("DeviceMissing", "a comma too many", {"--devices", "24GiB,"}, "--devices: \"\" is not a size",
              size),
      of_plan("DeviceWithoutItsSpeed", "a speed without its unit", {"--devices", "24GiB@165"},
              "--devices: \"165\" is not a speed", "Give " + speed),
      of_plan("DeviceThatStandsStill", "a speed of nothing", {"--devices", "24GiB@0TFLOPS"},
              "--devices: \"0TFLOPS\" is not a speed", "Give " + speed),
      of_plan("DeviceBeyondAll", "a device larger than any", {"--devices", "24GiB,999999999GiB"},
              "--devices: 999999999GiB is out of range: 0GiB to 1024GiB",
              "Give what is free on each device."),
      of_plan("DeviceFasterThanAll", "a device faster than any", {"--devices", "24GiB@100001TFLOPS"},
              "--devices: 100001TFLOPS is out of range: up to 100000TFLOPS",
              "Give what each device does in a second."),
      of_plan("BusWithoutItsUnit", "a speed of loading without its unit", {"--devices", "24GiB@165TFLOPS@25"},
              "--devices: \"25\" is not a speed", "Give " + speed),
      of_plan("BusInBinaryUnits", "a speed of loading in binary units", {"--devices", "24GiB@25GiB/s"},
              "--devices: \"25GiB/s\" is not a speed", "Give " + speed),
      of_plan("BusFasterThanAll", "a bus faster than any", {"--devices", "24GiB@100001GB/s"},
              "--devices: 100001GB/s is out of range: up to 100000GB/s",
              "Give what comes to each device in a second."),
      of_plan("TwoSpeedsOfOneKind", "two speeds of one kind", {"--devices", "24GiB@25GB/s@30GB/s"},
              "--devices: 30GB/s is the second speed of its kind for one device",
              "Give one in TFLOPS and one in GB/s at most, such as 24GiB@165TFLOPS@25GB/s."),
      of_plan("DevicesLeftOut", "an empty list of devices", {"--devices", ""},
              "--devices: \"\" is not a size", size),
      of_plan("MoreDevicesThanBlocks", "more devices than the model has blocks",
              {"--devices", "1GiB,1GiB,1GiB"},
              "the transformer has 2 blocks for 3 ranks: rank 2 would have none", "Start at most 2 ranks."),
      of_plan("PlanAtAnUntrainedResolution", "a plan for a resolution that the model was not trained at",
              {"--devices", "24GiB", "--resolution", "512"},
              "--resolution 512 is not one that the model was trained at",
              "Take 640 or 1024, or add --any-resolution."),
  };
}

std::vector<RefusalCase> combinations() {
  const std::string section = "Options that do not go together";
  const std::string one = "--init-latents and --dump-latents are for one result";
  const std::string cure = "Give one --image and leave --num-images at 1.";
  return {
      {"NoCfgWithCfgScale", section, "`--no-cfg` with `--cfg-scale`",
       [](Workplace& w) {
         w.add({"--no-cfg", "--cfg-scale", "3"});
       },
       "--no-cfg switches off the guidance that --cfg-scale is for", "Leave one of the two out."},
      {"NoCfgWithCfgNormalize", section, "`--no-cfg` with `--cfg-normalize`",
       [](Workplace& w) {
         w.add({"--no-cfg", "--cfg-normalize"});
       },
       "--no-cfg switches off the guidance that --cfg-normalize is for", "Leave one of the two out."},
      {"NoCfgWithNegativePrompt", section, "`--no-cfg` with `--negative-prompt`",
       [](Workplace& w) {
         w.add({"--no-cfg", "--negative-prompt", "text"});
       },
       "--no-cfg switches off the guidance that --negative-prompt is for", "Leave one of the two out."},
      {"DropEmptyOfPictures", section, "`--drop-empty` without a document",
       [](Workplace& w) { w.add({"--drop-empty"}); },
       "--drop-empty has no effect on PNG files, which keep their numbers",
       "Leave it out, or add a document: --format png,psd."},
      {"DumpOfSeveralResults", section, "`--dump-latents` with several results",
       [](Workplace& w) {
         w.add({"--dump-latents", w.folder() / "d.safetensors", "--num-images", "2"});
       },
       one, cure},
      {"DumpOfSeveralPictures", section, "`--dump-latents` with several pictures",
       [](Workplace& w) {
         w.add({"--dump-latents", w.folder() / "d.safetensors", "--image", w.picture()});
       },
       one, cure},
      {"InitOfSeveralResults", section, "`--init-latents` with several results",
       [](Workplace& w) {
         w.add({"--init-latents", w.folder() / "i.safetensors", "--num-images", "2"});
       },
       one, cure},
      {"SeedTooLargeToCountUp", section, "a seed that cannot be counted up",
       [](Workplace& w) {
         w.add({"--seed", "18446744073709551615", "--num-images", "2"});
       },
       "--seed 18446744073709551615 leaves no room for 2 results, whose seeds count up",
       "Take a smaller --seed."},
  };
}

}  // namespace

std::vector<RefusalCase> command_line_cases() {
  std::vector<RefusalCase> all = commands();
  for (const auto& cases : {options(), combinations(), planning()})
    all.insert(all.end(), cases.begin(), cases.end());
  return all;
}

}  // namespace layerpipe::testing
