#include "launch/commands/quantize_command.h"

#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "common/errors.h"
#include "common/files.h"
#include "common/part_folder.h"
#include "common/units.h"
#include "launch/options/model_options.h"
#include "launch/options/option_values.h"
#include "launch/terminal/terminal.h"
#include "model/config.h"
#include "model/transformer/fp8_layers.h"
#include "model/weights/component_writer.h"
#include "results/output_path.h"

namespace layerpipe::launch {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTransformer = "transformer";

struct QuantizeOptions {
  ModelOptions model;
  fs::path out;
};

// A file that goes into the new folder as it is.
struct Copy {
  fs::path from;
  fs::path to;  // below the new folder
  std::uint64_t bytes = 0;
};

// Removes what was not finished.
class PartFolder {
 public:
  explicit PartFolder(const fs::path& place)
      : place_(place), part_(common::make_part_folder(results::folder_of(place))) {}
  PartFolder(const PartFolder&) = delete;
  PartFolder& operator=(const PartFolder&) = delete;
  ~PartFolder() {
    std::error_code error;
    if (!part_.empty()) fs::remove_all(part_, error);
  }
  const fs::path& path() const noexcept { return part_; }
  // Throws OutputError when something came to its place meanwhile.
  void commit() {
    std::error_code error;
    fs::rename(part_, place_, error);  // onto an empty folder too, and onto nothing else
    if (error) throw common::output_error(place_, error.value());
    part_.clear();
  }

 private:
  fs::path place_;
  fs::path part_;
};

void add_copy(std::vector<Copy>& copies, const fs::path& from, const fs::path& to) {
  std::error_code error;
  const std::uint64_t bytes = fs::file_size(from, error);
  if (error)
    throw common::InputError("cannot read " + from.string() + ": " + error.message(),
                             "Check that the file exists and may be read.");
  copies.push_back({from, to, bytes});
}

// All files of a folder but weights, which are taken as they are chosen.
void add_folder(std::vector<Copy>& copies, const fs::path& folder, const fs::path& to) {
  std::error_code error;
  for (const auto& entry :
       fs::directory_iterator(folder, fs::directory_options::follow_directory_symlink, error)) {
    const std::string name = entry.path().filename().string();
    const bool is_weights = name.ends_with(".safetensors") || name.find(".safetensors.index.") != name.npos ||
                            name.ends_with(".bin") || name.ends_with(".gguf");
    if (entry.is_regular_file(error) && !is_weights && !name.starts_with('.'))
      add_copy(copies, entry.path(), to / name);
  }
}

// Everything but the transformer's weights and its config.
std::vector<Copy> list_copies(const ModelOptions& model) {
  std::vector<Copy> copies;
  add_copy(copies, model.folder / "model_index.json", "model_index.json");
  for (const char* component : {"processor", "scheduler", "text_encoder", "tokenizer", "vae"})
    add_folder(copies, model.folder / component, component);
  for (const char* component : {"text_encoder", "vae"}) {
    const std::string stem = model::weight_file_stem(component);
    const auto file = model.files.find(component);
    if (file != model.files.end()) {
      add_copy(copies, file->second, fs::path(component) / (stem + ".safetensors"));
      continue;
    }
    const model::SafetensorsSource source(model.folder / component, stem, model.variant);
    std::vector<std::string> names = source.chosen().files;
    if (!source.chosen().index.empty()) {
      names = source.file_names();
      names.push_back(source.chosen().index);
    }
    for (const std::string& name : names)
      add_copy(copies, model.folder / component / name, fs::path(component) / name);
  }
  return copies;
}

std::shared_ptr<const model::SafetensorsSource> open_transformer(const ModelOptions& model) {
  const auto file = model.files.find(kTransformer);
  if (file != model.files.end()) return std::make_shared<model::SafetensorsSource>(file->second);
  return std::make_shared<model::SafetensorsSource>(model.folder / kTransformer,
                                                    model::weight_file_stem(kTransformer), model.variant);
}

// The config that says so to other programs.
std::string quantised_config(const fs::path& config) {
  auto json = nlohmann::ordered_json::parse(common::read_text_file(config));
  json["quantization_config"] = {{"quant_method", "fp8"}, {"activation_scheme", "dynamic"}};
  return json.dump(2) + "\n";
}

void check_out(const fs::path& out) {
  std::error_code error;
  if (!results::is_there(out) || (fs::is_directory(out, error) && fs::is_empty(out, error))) return;
  throw common::InputError("--out " + out.string() + " is there already",
                           "Give a folder that is not there, or remove that one.");
}

void check_room(const fs::path& out, std::uint64_t needed) {
  std::error_code error;
  const fs::space_info space = fs::space(results::folder_of(out), error);
  if (error || space.capacity == 0 || space.available >= needed) return;  // some disks do not tell
  throw common::InputError(
      fmt::format("the disk of --out {} has {} free, what is written there needs {}", out.string(),
                  common::format_bytes(space.available), common::format_bytes(needed)),
      "Free some space on it, or choose another --out.");
}

void run_quantize(const QuantizeOptions& options, const std::atomic<bool>& stop_requested) {
  const auto stop_if_asked = [&] {
    if (stop_requested) throw common::InterruptedError();
  };
  check_out(options.out);
  const model::ModelConfig config = model::load_model_config(options.model.folder);
  model::check_variant(options.model.folder, options.model.variant);
  const auto source = open_transformer(options.model);
  if (source->is_quantised()) {
    throw common::InputError(options.model.folder.string() +
                                 ": the transformer's weights are quantised already (" +
                                 to_string(source->quantised().begin()->second.format) + ")",
                             "Use them as they are.");
  }
  const auto is_chosen = [layers = config.transformer.num_layers](const std::string& tensor) {
    return model::is_fp8_layer(tensor, layers);
  };
  const model::ComponentToWrite component = model::component_of(source, is_chosen);
  const model::ComponentSize transformer = model::measure_component(component);
  if (transformer.quantised == 0) {
    throw common::InputError(
        fmt::format(
            "{}: a transformer of {} blocks has none that fp8 is for: the first and the last one stay as "
            "they are",
            options.model.folder.string(), config.transformer.num_layers),
        "Use it as it is.");
  }
  const std::vector<Copy> copies = list_copies(options.model);
  std::uint64_t bytes = transformer.bytes;
  for (const Copy& copy : copies) bytes += copy.bytes;
  check_room(options.out, bytes);

  std::error_code error;
  fs::create_directories(results::folder_of(options.out), error);
  PartFolder part(options.out);
  for (const Copy& copy : copies) {
    stop_if_asked();
    fs::create_directories((part.path() / copy.to).parent_path(), error);
    if (!fs::copy_file(copy.from, part.path() / copy.to, error))
      throw common::output_error(options.out / copy.to, error.value());
  }
  const fs::path folder = part.path() / kTransformer;
  if (!fs::create_directory(folder, error)) throw common::output_error(options.out, error.value());
  common::write_file_atomically(folder / "config.json",
                                quantised_config(options.model.folder / kTransformer / "config.json"));
  model::write_component(component, folder, model::weight_file_stem(kTransformer),
                         [&](std::uint64_t) { stop_if_asked(); });
  part.commit();
  say(fmt::format("{}: {}, {} matrices of the transformer in e4m3\n", options.out.string(),
                  common::format_bytes(bytes), transformer.quantised));
}

void add_quantize_options(CLI::App& command) {
  const OptionGroup needed(command, "Needed");
  add_model_option(needed);
  needed.add("--out", "FOLDER", "New model folder, which takes about two thirds of the bytes");
  const OptionGroup files(command, "Files");
  add_variant_option(files);
  add_component_file_options(files);
  add_footer(command,
             "Most of the transformer's matrices become fp8, as --dtype fp8 makes them; the rest is copied.\n"
             "Example:\n  layerpipe quantize --model Qwen-Image-Layered --out Qwen-Image-Layered-fp8");
}

QuantizeOptions read_quantize_options(const CLI::App& command) {
  const OptionValues values(command, "layerpipe quantize");
  values.require({"--model", "--out"});
  QuantizeOptions options;
  options.model = read_model_options(values);
  values.read_path("--out", options.out);
  return options;
}

}  // namespace

Command quantize_command() {
  return {.name = "quantize",
          .help = "Write a model folder with the transformer in 8 bits",
          .add_options = add_quantize_options,
          .read = [](const CLI::App& command) -> PreparedCommand {
            return {.timeout_of_ranks = {},
                    .load = Load::kComputing,
                    .run = [options = read_quantize_options(command)](const CommandContext& context) {
                      run_quantize(options, context.stop_requested);
                    }};
          }};
}

}  // namespace layerpipe::launch
