#include "launch/options/decompose_options.h"

#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <limits>

#include "common/errors.h"
#include "launch/options/format_options.h"
#include "launch/options/option_values.h"
#include "launch/options/run_options.h"
#include "launch/options/work_options.h"
#include "runtime/request/limits.h"

namespace layerpipe::launch {
namespace {

constexpr double kLargestCfgScale = 100;
constexpr std::uint64_t kLargestSeed = std::numeric_limits<std::uint64_t>::max();

bool is_blank(const std::string& text) {
  return text.find_first_not_of(" \t\r\n") == std::string::npos;
}

void read_optional_path(const OptionValues& values, const std::string& option,
                        std::optional<std::filesystem::path>& path) {
  if (values.given(option)) values.read_path(option, path.emplace());
}

results::OptionRecord record_option(const CLI::Option& option) {
  using Kind = results::OptionRecord::Kind;
  const bool given = option.count() > 0;
  const bool is_flag = option.get_items_expected_max() == 0;
  const std::string otherwise = is_flag ? "false" : option.get_default_str();
  const std::string type = option.get_type_name();
  const bool is_path = type.starts_with("FILE") || type.starts_with("FOLDER");
  return {.name = option.get_lnames().front(),
          .values = given ? option.results() : std::vector<std::string>{otherwise},
          .source = given ? "command line" : "default",
          .kind = is_path ? Kind::kPath : Kind::kValue};
}

// In place of the default of the option that sets the same; the parts of one option ("residency") together.
void record_setting(const runtime::FileSetting& setting, std::vector<results::OptionRecord>& records) {
  constexpr const char* kSource = "config file";
  const std::string_view option = option_of(setting.key);
  const auto record = std::find_if(records.begin(), records.end(),
                                   [&](const results::OptionRecord& one) { return one.name == option; });
  if (record == records.end()) {
    records.push_back({.name = setting.key, .values = setting.values, .source = kSource});
    return;
  }
  if (record->source != kSource) record->values.clear();
  record->source = kSource;
  const std::string part = setting.key.substr(setting.key.rfind('.') + 1);
  for (const std::string& value : setting.values) {
    record->values.push_back(part == option ? value : part + ": " + value);
  }
}

// Checks what concerns several options, or is more than a range.
void check(const session::DecomposeOptions& options) {
  if (options.output.empty_layers == results::EmptyLayers::kDrop &&
      !results::has_documents(options.output.formats)) {
    throw common::InputError("--drop-empty has no effect on PNG files, which keep their numbers",
                             "Leave it out, or add a document: --format png,psd.");
  }
  if (is_blank(options.prompt)) {
    throw common::InputError("--prompt is missing: this version of layerpipe does not caption pictures",
                             "Describe the picture in a sentence: --prompt \"a red kite over the sea\".");
  }
  check_resolution(options.work);
  const auto last = static_cast<std::uint64_t>(options.num_images - 1);
  if (options.seed > kLargestSeed - last) {
    throw common::InputError(fmt::format("--seed {} leaves no room for {} results, whose seeds count up",
                                         options.seed, options.num_images),
                             "Take a smaller --seed.");
  }
  const bool several = options.images.size() > 1 || options.num_images > 1;
  if (several && (options.init_latents || options.output.dump_latents)) {
    throw common::InputError("--init-latents and --dump-latents are for one result",
                             "Give one --image and leave --num-images at 1.");
  }
}

}  // namespace

void add_decompose_options(CLI::App& command) {
  const session::DecomposeOptions defaults;
  const OptionGroup needed(command, "Needed");
  needed.add("--model", "FOLDER", "Model folder in diffusers layout");
  needed.add_list("--image", "FILE ...", "Picture (PNG, JPEG or WebP); several make several results");
  needed.add("--prompt", "TEXT", "What the picture shows");
  needed.add("--out", "FOLDER", "Folder for the results");

  const OptionGroup result(command, "Result");
  add_work_options(result);
  result
      .add("--num-images", "N",
           fmt::format("Results per picture, 1 to {}, with seeds counting up", runtime::kMostImages))
      ->default_str(std::to_string(defaults.num_images));
  result.add("--seed", "N", "Seed of the noise")->default_str(std::to_string(defaults.seed));
  result.add("--seed-device", "DEVICE", "Where the noise is drawn, cpu or cuda; the two differ")
      ->default_str(defaults.seed_device);

  const OptionGroup guidance(command, "Guidance");
  guidance.add("--negative-prompt", "TEXT", "What guidance steers away from")
      ->default_str(defaults.negative_prompt);
  guidance
      .add("--cfg-scale", "X",
           fmt::format("Strength of guidance, 0 to {}; 1 or less switches it off", kLargestCfgScale))
      ->default_str(fmt::format("{}", defaults.cfg_scale));
  guidance.add_flag("--cfg-normalize", "Keep the length of the conditional prediction");
  guidance.add_flag("--no-cfg", "No guidance: half the time, weaker adherence to the prompt");

  const OptionGroup files(command, "Files");
  files
      .add("--format", "FORMATS",
           fmt::format("What to write the layers as: {}; several with commas between them",
                       results::list_of(results::kFormats)))
      ->default_str(to_string(defaults.output.formats.front()));
  files.add_flag("--drop-empty", kDropEmptyHelp);
  files.add_flag("--original-size",
                 "Write the layers at the picture's own size instead of the one that the model works at");
  files.add("--init-latents", "FILE", "Start from these packed latents instead of noise");
  files.add("--dump-latents", "FILE", "Write latents and embeddings of the result to this file");
  files.add("--trace", "FILE", "Write what every rank did when to this file, for Perfetto");
  files.add_flag("--random-weights", "Use random weights instead of the model's files");

  const OptionGroup machine(command, "Machine");
  machine.add("--device", "DEVICE", "cuda, cpu, or auto: a GPU when there is one")
      ->default_str(defaults.device);
  add_run_options(machine);
  machine.add_flag("--quiet", "Say nothing but errors");
  command.footer(
      "Example:\n  layerpipe decompose --model Qwen-Image-Layered --image poster.png --prompt \"a poster\" "
      "--out layers");
}

session::DecomposeOptions read_decompose_options(const CLI::App& command) {
  const OptionValues values(command, "layerpipe decompose");
  values.require({"--model", "--image", "--out"});
  session::DecomposeOptions options;
  values.read_path("--model", options.model);
  values.read_paths("--image", options.images);
  values.read_text("--prompt", options.prompt);
  values.read_path("--out", options.output.out);
  options.work = read_work_options(values);
  values.read_whole_number("--num-images", options.num_images, 1, runtime::kMostImages);
  values.read_whole_number("--seed", options.seed, 0, kLargestSeed);
  values.read_choice("--seed-device", options.seed_device, {"cpu", "cuda"});
  values.read_text("--negative-prompt", options.negative_prompt);
  values.read_number("--cfg-scale", options.cfg_scale, 0, kLargestCfgScale);
  options.cfg_normalize = values.given("--cfg-normalize");
  options.no_cfg = values.given("--no-cfg");
  read_formats(values, "--format", results::kFormats, options.output.formats);
  results::check_built(options.output.formats);
  if (values.given("--drop-empty")) options.output.empty_layers = results::EmptyLayers::kDrop;
  options.original_size = values.given("--original-size");
  read_optional_path(values, "--init-latents", options.init_latents);
  read_optional_path(values, "--dump-latents", options.output.dump_latents);
  read_optional_path(values, "--trace", options.output.trace);
  options.random_weights = values.given("--random-weights");
  values.read_choice("--device", options.device, {"auto", "cuda", "cpu"});
  options.run_config = make_run_config(read_run_options(values));
  options.quiet = values.given("--quiet");
  options.output.inputs = options.images;
  if (options.init_latents) options.output.inputs.push_back(*options.init_latents);
  for (const char* setting : {"--cfg-scale", "--cfg-normalize", "--negative-prompt"}) {
    if (!options.no_cfg || !values.given(setting)) continue;
    throw common::InputError(fmt::format("--no-cfg switches off the guidance that {} is for", setting),
                             "Leave one of the two out.");
  }
  check(options);
  return options;
}

std::vector<results::OptionRecord> record_options(const CLI::App& command,
                                                  const runtime::RunConfig& run_config) {
  std::vector<results::OptionRecord> records;
  for (const CLI::Option* option : command.get_options()) {
    if (option->get_lnames().empty() || option == command.get_help_ptr()) continue;
    records.push_back(record_option(*option));
  }
  for (const runtime::FileSetting& setting : run_config.file_settings) record_setting(setting, records);
  return records;
}

}  // namespace layerpipe::launch
