#include "session/job_fields.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/errors.h"
#include "runtime/request/limits.h"
#include "session/option_text.h"

namespace layerpipe::session {
namespace {

constexpr double kLargestCfgScale = 100;

std::vector<JobField> make_fields() {
  using runtime::kLargestResolution;
  using runtime::kMostImages;
  using runtime::kMostLayers;
  using runtime::kMostSteps;
  using runtime::kSmallestResolution;
  constexpr Decides kPixels = Decides::kPixels;
  constexpr Decides kFiles = Decides::kFiles;
  return {{"command", ChoiceField{&Job::command, {"decompose"}}, kPixels, "COMMAND", "What to do"},
          {"image", PathsField{&Job::images}, kPixels, "FILE ...",
           "Picture (PNG, JPEG, WebP, HEIC, AVIF, TIFF, GIF or BMP); several make several results"},
          {"prompt", TextField{&Job::prompt}, kPixels, "TEXT", "What the picture shows"},
          {"layers", WholeField{&Job::layers, 1, kMostLayers}, kPixels, "N",
           fmt::format("Number of layers, 1 to {}", kMostLayers)},
          {"resolution", WholeField{&Job::resolution, kSmallestResolution, kLargestResolution}, kPixels, "N",
           "Side of a square of the area to work at: 640 or 1024"},
          {"any_resolution", FlagField{&Job::any_resolution}, kPixels, "",
           fmt::format("Allow other multiples of {} from {} to {}", runtime::kResolutionMultiple,
                       kSmallestResolution, kLargestResolution)},
          {"steps", WholeField{&Job::steps, 1, kMostSteps}, kPixels, "N",
           fmt::format("Denoising steps, 1 to {}", kMostSteps)},
          {"num_images", WholeField{&Job::num_images, 1, kMostImages}, kFiles, "N",
           fmt::format("Results per picture, 1 to {}, with seeds counting up", kMostImages)},
          {"seed", SeedField{&Job::seed}, kPixels, "N", "Seed of the noise"},
          {"seed_device", ChoiceField{&Job::seed_device, {"cpu", "cuda"}}, kPixels, "DEVICE",
           "Where the noise is drawn, cpu or cuda; the two differ"},
          {"negative_prompt", TextField{&Job::negative_prompt}, kPixels, "TEXT",
           "What guidance steers away from"},
          {"cfg_scale", NumberField{&Job::cfg_scale, 0, kLargestCfgScale}, kPixels, "X",
           fmt::format("Strength of guidance, 0 to {}; 1 or less switches it off", kLargestCfgScale)},
          {"cfg_normalize", FlagField{&Job::cfg_normalize}, kPixels, "",
           "Keep the length of the conditional prediction"},
          {"no_cfg", FlagField{&Job::no_cfg}, kPixels, "",
           "No guidance: half the time, weaker adherence to the prompt"},
          {"format", FormatsField{&Job::formats}, kFiles, "FORMATS",
           fmt::format("What to write the layers as: {}; several with commas between them",
                       results::list_of(results::kFormats))},
          {"drop_empty", FlagField{&Job::drop_empty}, kFiles, "",
           "Leave layers without a visible pixel out of documents and the ZIP; PNG files keep their numbers"},
          {"original_size", FlagField{&Job::original_size}, kPixels, "",
           "Write the layers at the picture's own size instead of the one that the model works at"},
          {"init_latents", PathField{&Job::init_latents}, kPixels, "FILE",
           "Start from these packed latents instead of noise"},
          {"random_weights", FlagField{&Job::random_weights}, kPixels, "",
           "Use random weights instead of the model's files"}};
}

// Sets a field from texts, by its kind.
struct SetFromTexts {
  Job& job;
  const std::vector<std::string>& texts;
  const std::string& option;
  const std::string& remedy;

  OptionText single() const { return {option, texts.front(), remedy}; }

  void operator()(const TextField& field) const { job.*field.member = read_text(single()); }
  void operator()(const ChoiceField& field) const {
    job.*field.member = read_choice(single(), field.choices);
  }
  void operator()(const FlagField& field) const {
    job.*field.member = read_choice(single(), {"true", "false"}) == "true";
  }
  void operator()(const WholeField& field) const {
    job.*field.member = read_whole_number(single(), field.least, field.most);
  }
  void operator()(const SeedField& field) const { job.*field.member = read_seed(single()); }
  void operator()(const NumberField& field) const {
    job.*field.member = read_number(single(), field.least, field.most);
  }
  void operator()(const PathField& field) const { job.*field.member = read_path(single()); }
  void operator()(const PathsField& field) const {
    std::vector<std::filesystem::path>& paths = job.*field.member;
    paths.clear();
    for (const std::string& text : texts) paths.push_back(read_path({option, text, remedy}));
  }
  void operator()(const FormatsField& field) const {
    job.*field.member = read_formats(single(), results::kFormats);
  }
};

// What a member holds by default, by its kind.
struct DefaultText {
  const Job job;

  std::string operator()(const TextField& field) const { return job.*field.member; }
  std::string operator()(const ChoiceField& field) const { return job.*field.member; }
  std::string operator()(const FlagField& /*field*/) const { return {}; }
  std::string operator()(const WholeField& field) const { return std::to_string(job.*field.member); }
  std::string operator()(const SeedField& field) const { return std::to_string(job.*field.member); }
  std::string operator()(const NumberField& field) const { return fmt::format("{}", job.*field.member); }
  std::string operator()(const PathField& /*field*/) const { return {}; }
  std::string operator()(const PathsField& /*field*/) const { return {}; }
  std::string operator()(const FormatsField& field) const { return to_string((job.*field.member).front()); }
};

}  // namespace

const std::vector<JobField>& job_fields() {
  static const std::vector<JobField> fields = make_fields();
  return fields;
}

const JobField& job_field(std::string_view name) {
  const std::vector<JobField>& fields = job_fields();
  const auto found =
      std::find_if(fields.begin(), fields.end(), [&](const JobField& field) { return field.name == name; });
  common::ensure(found != fields.end(), "a job has no such field");
  return *found;
}

std::string option_of(const JobField& field) {
  std::string option = "--" + field.name;
  std::replace(option.begin(), option.end(), '_', '-');
  return option;
}

void set_from_texts(Job& job, const JobField& field, const std::vector<std::string>& texts,
                    const std::string& remedy) {
  const std::string option = option_of(field);
  std::visit(SetFromTexts{job, texts, option, remedy}, field.value);
}

std::string default_text(const JobField& field) {
  return std::visit(DefaultText{}, field.value);
}

}  // namespace layerpipe::session
