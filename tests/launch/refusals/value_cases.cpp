// Numbers, choices and texts.
#include "tests/launch/refusals/refusal_case.h"

namespace layerpipe::testing {
namespace {

const std::string kSection = "Values of options";
const std::string kFormats = "Take png, psd, pptx, ora, zip or html, or several with commas between them.";
const std::string kSeeHelp = "See layerpipe decompose --help.";

RefusalCase value(const std::string& name, const std::string& deed, const std::string& option,
                  const std::string& text, const std::string& problem, const std::string& cure = kSeeHelp) {
  return {name,
          kSection,
          deed,
          [option, text](Workplace& w) { w.set(option, text); },
          option + " " + (text.empty() ? "" : text + " ") + problem,
          cure};
}

std::vector<RefusalCase> numbers() {
  const std::string seeds = "is out of range: 0 to 18446744073709551615";
  return {
      value("LettersBehindANumber", "letters behind a number", "--steps", "12abc", "is not a whole number"),
      value("NoNumberAtAll", "a word for a number", "--layers", "four", "is not a whole number"),
      value("FractionOfAStep", "a fraction where whole numbers count", "--steps", "1.5",
            "is not a whole number"),
      value("PowerOfTen", "a power of ten where whole numbers count", "--steps", "1e2",
            "is not a whole number"),
      value("BlankBeforeANumber", "a blank before a number", "--steps", " 5", "is not a whole number"),
      value("NumberLeftOut", "an empty number", "--steps", "", "is empty"),
      value("NoStep", "no step", "--steps", "0", "is out of range: 1 to 1000"),
      value("TooManySteps", "too many steps", "--steps", "1001", "is out of range: 1 to 1000"),
      value("NegativeSteps", "a negative number", "--steps", "-1", "is out of range: 1 to 1000"),
      value("NumberOfManyDigits", "a number beyond 64 bits", "--steps", "99999999999999999999",
            "is out of range: 1 to 1000"),
      value("NoLayer", "no layer", "--layers", "0", "is out of range: 1 to 32"),
      value("TooManyLayers", "too many layers", "--layers", "33", "is out of range: 1 to 32"),
      value("NoResult", "no result", "--num-images", "0", "is out of range: 1 to 1000"),
      value("TooManyResults", "too many results", "--num-images", "1001", "is out of range: 1 to 1000"),
      value("NegativeSeed", "a negative seed", "--seed", "-1", seeds),
      value("SeedBeyond64Bits", "a seed beyond 64 bits", "--seed", "18446744073709551616", seeds),
      value("FractionOfASeed", "a fraction for a seed", "--seed", "1.5", "is not a whole number"),
      value("GuidanceNotANumber", "NaN for a number", "--cfg-scale", "nan", "is not a number"),
      value("GuidanceWithAComma", "a decimal comma", "--cfg-scale", "4,5", "is not a number"),
      value("GuidanceInfinite", "infinity for a number", "--cfg-scale", "inf", "is out of range: 0 to 100"),
      value("GuidanceTooLarge", "a number beyond what a double holds", "--cfg-scale", "1e999",
            "is out of range: 0 to 100"),
      value("GuidanceNegative", "negative guidance", "--cfg-scale", "-0.5", "is out of range: 0 to 100"),
  };
}

std::vector<RefusalCase> resolutions() {
  RefusalCase untrained =
      value("UntrainedResolution", "a resolution that the model was not trained at", "--resolution", "512",
            "is not one that the model was trained at", "Take 640 or 1024, or add --any-resolution.");
  untrained.prepare = [](Workplace& w) {
    w.use({"decompose", "--model", w.model(), "--image", w.picture(), "--prompt", "a fox", "--out", w.out(),
           "--resolution", "512"});
  };
  return {
      untrained,
      value("OddResolution", "a resolution that is not a multiple of 32", "--resolution", "500",
            "is not a multiple of 32", "Take 480."),
      value("ResolutionTooSmall", "too small a resolution", "--resolution", "32",
            "is out of range: 64 to 2048"),
      value("ResolutionTooLarge", "too large a resolution", "--resolution", "2080",
            "is out of range: 64 to 2048"),
      value("ResolutionNegative", "a negative resolution", "--resolution", "-64",
            "is out of range: 64 to 2048"),
  };
}

std::vector<RefusalCase> choices() {
  return {
      value("UnknownDtype", "a precision that there is not", "--dtype", "fp16", "is not known",
            "Take bf16 or fp32 or fp8."),
      value("Fp8OfTwoBlocks", "8 bits for a transformer of two blocks", "--dtype", "fp8",
            "is for no layer of a transformer of 2 blocks: the first and the last one stay as they are",
            "Take bf16."),
      value("UnknownFormat", "a format that there is not", "--format", "gif", "is not known", kFormats),
      value("FormatInCapitals", "a format in capitals", "--format", "PSD", "is not known", kFormats),
      {"OneUnknownFormat", kSection, "a format that there is not among others",
       [](Workplace& w) { w.set("--format", "png,psb"); }, "--format psb is not known", kFormats},
      {"FormatTwice", kSection, "a format twice", [](Workplace& w) { w.set("--format", "psd,ora,psd"); },
       "--format names psd twice", kFormats},
      value("FormatMissing", "a comma too many between formats", "--format", "png,", "has a comma too many",
            kFormats),
      value("NoFormat", "an empty list of formats", "--format", "", "is empty", kFormats),
      value("UnknownDevice", "a device that there is not", "--device", "gpu", "is not known",
            "Take auto or cuda or cpu."),
      value("UnknownSeedDevice", "another device for the noise", "--seed-device", "gpu", "is not known",
            "Take cpu or cuda."),
      value("UnknownStrategy", "a strategy that there is not", "--strategy", "quickest", "is not known",
            "Take balanced or fastest or explicit."),
      value("UnknownResidency", "a residency that there is not", "--residency", "cpu", "is not known",
            "Take auto or resident or phased or streamed."),
  };
}

std::vector<RefusalCase> quantities() {
  const std::string sizes = "Give a number and KiB, MiB or GiB, such as 12GiB, 15.5GiB or 512MiB.";
  const std::string durations = "Give a number and s or ms, such as 120s, 1.5s or 500ms.";
  return {
      value("LimitInGigabytes", "a size in GB", "--memory-limit", "24GB", "is not a size", sizes),
      value("LimitWithoutUnit", "a size without its unit", "--memory-limit", "24", "is not a size", sizes),
      value("NegativeLimit", "a negative size", "--memory-limit", "-1GiB", "is not a size", sizes),
      value("NoMemory", "no memory at all", "--memory-limit", "0GiB", "is out of range: 1MiB to 1024GiB",
            sizes),
      value("LimitLeftOut", "an empty size", "--memory-limit", "", "is empty"),
      value("TimeoutWithoutUnit", "a duration without its unit", "--timeout", "120", "is not a duration",
            durations),
      value("TimeoutInMinutes", "a duration in minutes", "--timeout", "2min", "is not a duration", durations),
      value("NoTime", "no time at all", "--timeout", "0s", "is out of range: 100ms to 86400s", durations),
      value("MoreThanADay", "more than a day", "--timeout", "100000s", "is out of range: 100ms to 86400s",
            durations),
  };
}

std::vector<RefusalCase> texts() {
  const std::string section = "Prompts";
  const std::string missing = "--prompt is missing: this version of layerpipe does not caption pictures";
  const std::string describe = "Describe the picture in a sentence: --prompt \"a red kite over the sea\".";
  const std::string utf8 = "Write it in UTF-8: \"locale charmap\" says what this terminal writes.";
  return {
      {"NoPrompt", section, "no prompt", [](Workplace& w) { w.remove("--prompt"); }, missing, describe},
      {"BlankPrompt", section, "a prompt of blanks", [](Workplace& w) { w.set("--prompt", " \t\n"); },
       missing, describe},
      {"PromptInLatin1", section, "a prompt in Latin-1",
       [](Workplace& w) { w.set("--prompt", "caf\xE9 au lait"); },
       "--prompt is not UTF-8: byte 0xE9 at offset 3", utf8},
      {"PromptCutInALetter", section, "a prompt that ends within a letter",
       [](Workplace& w) { w.set("--prompt", "caf\xC3"); }, "--prompt is not UTF-8: byte 0xC3 at offset 3",
       utf8},
      {"NegativePromptInLatin1", section, "a negative prompt in Latin-1",
       [](Workplace& w) {
         w.set("--negative-prompt",
               "\xFC"
               "ber");
       },
       "--negative-prompt is not UTF-8: byte 0xFC at offset 0", utf8},
  };
}

}  // namespace

std::vector<RefusalCase> value_cases() {
  std::vector<RefusalCase> all = numbers();
  for (const auto& cases : {resolutions(), choices(), quantities(), texts()}) {
    all.insert(all.end(), cases.begin(), cases.end());
  }
  return all;
}

}  // namespace layerpipe::testing
