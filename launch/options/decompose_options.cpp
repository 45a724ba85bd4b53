#include "launch/options/decompose_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "common/errors.h"
#include "launch/options/job_options.h"
#include "launch/options/model_options.h"
#include "launch/options/option_values.h"
#include "launch/options/overwrite_option.h"
#include "launch/options/run_options.h"

namespace layerpipe::launch {
namespace {

void read_optional_path(const OptionValues& values, const std::string& option,
                        std::optional<std::filesystem::path>& path) {
  if (values.given(option)) values.read_path(option, path.emplace());
}

results::RecordedOption record_option(const CLI::Option& option) {
  const bool given = option.count() > 0;
  const bool is_flag = option.get_items_expected_max() == 0;
  const std::string otherwise = is_flag ? "false" : option.get_default_str();
  return {.name = option.get_lnames().front(),
          .values = given ? option.results() : std::vector<std::string>{otherwise},
          .source = given ? "command line" : "default"};
}

// In place of the default of the option that sets the same; the parts of one option ("residency") together.
void record_setting(const runtime::FileSetting& setting, std::vector<results::RecordedOption>& records) {
  constexpr const char* kSource = "config file";
  const std::string_view option = option_of(setting.key);
  const auto record = std::find_if(records.begin(), records.end(),
                                   [&](const results::RecordedOption& one) { return one.name == option; });
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

// Every option that a person can give.
std::vector<const CLI::Option*> options_of(const CLI::App& command) {
  std::vector<const CLI::Option*> options;
  for (const CLI::Option* option : command.get_options()) {
    if (!option->get_lnames().empty() && option != command.get_help_ptr()) options.push_back(option);
  }
  return options;
}

std::vector<results::RecordedOption> record_options(const CLI::App& command,
                                                    const runtime::RunConfig& run_config) {
  std::vector<results::RecordedOption> records;
  for (const CLI::Option* option : options_of(command)) records.push_back(record_option(*option));
  for (const runtime::FileSetting& setting : run_config.file_settings) record_setting(setting, records);
  return records;
}

}  // namespace

void add_decompose_options(CLI::App& command) {
  const OptionGroup needed(command, "Needed");
  add_model_option(needed);
  add_job_option(needed, "image");
  add_job_option(needed, "prompt");
  needed.add("--out", "FOLDER", "Folder for the results");

  const OptionGroup result(command, "Result");
  for (const char* field :
       {"layers", "resolution", "any_resolution", "steps", "num_images", "seed", "seed_device"})
    add_job_option(result, field);

  const OptionGroup guidance(command, "Guidance");
  for (const char* field : {"negative_prompt", "cfg_scale", "cfg_normalize", "no_cfg"})
    add_job_option(guidance, field);

  const OptionGroup files(command, "Files");
  for (const char* field : {"format", "drop_empty", "original_size", "init_latents"})
    add_job_option(files, field);
  files.add("--dump-latents", "FILE", "Write latents and embeddings of the result to this file");
  files.add("--trace", "FILE", "Write what every rank did when to this file, for Perfetto");
  add_variant_option(files);
  add_component_file_options(files);
  add_overwrite_option(files);
  add_job_option(files, "random_weights");

  const OptionGroup machine(command, "Machine");
  machine.add("--device", "DEVICE", "cuda, cpu, or auto: a GPU when there is one")
      .default_text(session::Settings().device);
  add_run_options(machine);
  machine.add_flag("--quiet", "Say nothing but errors");
  add_footer(
      command,
      "Example:\n  layerpipe decompose --model Qwen-Image-Layered --image poster.png --prompt \"a poster\" "
      "--out layers");
}

DecomposeOptions read_decompose_options(const CLI::App& command) {
  const OptionValues values(command, "layerpipe decompose");
  values.require({"--model", "--image", "--out"});
  DecomposeOptions options;
  auto& [job, settings, output, quiet] = options;
  const ModelOptions model = read_model_options(values);
  settings.model = model.folder;
  settings.variant = model.variant;
  settings.files = model.files;
  job = read_job(values);
  values.read_path("--out", output.out);
  output.formats = job.formats;
  if (job.drop_empty) output.empty_layers = results::EmptyLayers::kDrop;
  read_optional_path(values, "--dump-latents", output.dump_latents);
  read_optional_path(values, "--trace", output.trace);
  output.overwrite = read_overwrite(values);
  output.inputs = job.images;
  if (job.init_latents) output.inputs.push_back(*job.init_latents);
  settings.random_weights = job.random_weights;
  check_no_files_beside_random_weights(model, job.random_weights);
  values.read_choice("--device", settings.device, {"auto", "cuda", "cpu"});
  settings.run_config = make_run_config(read_run_options(values));
  settings.trace = output.trace;
  settings.options = record_options(command, settings.run_config);
  quiet = values.given("--quiet");
  for (const char* setting : {"--cfg-scale", "--cfg-normalize", "--negative-prompt"}) {
    if (!job.no_cfg || !values.given(setting)) continue;
    throw common::InputError(fmt::format("--no-cfg switches off the guidance that {} is for", setting),
                             "Leave one of the two out.");
  }
  session::check_job(job);
  if (output.dump_latents) session::check_for_one_result(job);
  return options;
}

std::vector<std::string> decompose_option_names() {
  CLI::App command;
  add_decompose_options(command);
  std::vector<std::string> names;
  for (const CLI::Option* option : options_of(command)) names.push_back(option->get_lnames().front());
  return names;
}

}  // namespace layerpipe::launch
