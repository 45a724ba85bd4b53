#include "session/fp8_folder.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <system_error>
#include <vector>

#include "common/errors.h"
#include "common/files.h"
#include "common/part_folder.h"
#include "common/units.h"
#include "model/component.h"
#include "model/transformer/fp8_layers.h"
#include "model/weights/component_writer.h"
#include "results/output_path.h"
#include "runtime/networks/network_set.h"

namespace layerpipe::session {
namespace {

namespace fs = std::filesystem;
using common::InputError;

constexpr const char* kTransformer = "transformer";

// A file that goes into the new folder as it is.
struct Copy {
  fs::path from;
  fs::path to;  // below the new folder
  std::uint64_t bytes = 0;
};

InputError is_there_already(const fs::path& out) {
  return InputError("--out " + out.string() + " is there already",
                    "Give a folder that is not there, or remove that one.");
}

// The folder beside its place, and those above that place. Removes what was made and not finished.
class PartFolder {
 public:
  explicit PartFolder(const fs::path& place) : place_(place) {
    const fs::path above = results::folder_of(place);
    for (fs::path folder = above; !results::is_there(folder); folder = results::folder_of(folder))
      made_.push_back(folder);
    std::error_code error;
    fs::create_directories(above, error);
    if (error) {
      remove_empty();
      throw common::output_error(above, error.value());
    }
    part_ = common::make_part_folder(above);
  }
  PartFolder(const PartFolder&) = delete;
  PartFolder& operator=(const PartFolder&) = delete;
  ~PartFolder() {
    if (part_.empty()) return;
    std::error_code error;
    fs::remove_all(part_, error);
    remove_empty();
  }
  const fs::path& path() const noexcept { return part_; }
  // Throws InputError when something came to its place meanwhile, OutputError.
  void commit() {
    std::error_code error;
    fs::rename(part_, place_, error);  // onto an empty folder too, and onto nothing else
    if (error == std::errc::directory_not_empty || error == std::errc::file_exists ||
        error == std::errc::not_a_directory)
      throw is_there_already(place_);
    if (error) throw common::output_error(place_, error.value());
    part_.clear();
  }

 private:
  void remove_empty() const noexcept {
    std::error_code error;
    for (const fs::path& folder : made_) fs::remove(folder, error);
  }

  fs::path place_;
  fs::path part_;
  std::vector<fs::path> made_;  // the innermost first
};

// "models/fp8" of "models/fp8/".
fs::path without_last_slash(const fs::path& path) {
  return path.has_filename() ? path : path.parent_path();
}

void add_copy(std::vector<Copy>& copies, const fs::path& from, const fs::path& to) {
  std::error_code error;
  const std::uint64_t bytes = fs::file_size(from, error);
  if (error)
    throw InputError("cannot read " + from.string() + ": " + error.message(),
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
std::vector<Copy> list_copies(const Fp8FolderOptions& options) {
  std::vector<Copy> copies;
  add_copy(copies, options.model / "model_index.json", "model_index.json");
  for (const char* component : {"processor", "scheduler", "text_encoder", "tokenizer", "vae"})
    add_folder(copies, options.model / component, component);
  for (const char* component : {"text_encoder", "vae"}) {
    const std::string stem = model::weight_file_stem(component);
    const auto file = options.files.find(component);
    if (file != options.files.end()) {
      add_copy(copies, file->second, fs::path(component) / (stem + ".safetensors"));
      continue;
    }
    const auto source = model::open_component(options.model, component, options.variant, options.files);
    std::vector<std::string> names = source->chosen().files;
    if (!source->chosen().index.empty()) {
      names = source->file_names();
      names.push_back(source->chosen().index);
    }
    for (const std::string& name : names)
      add_copy(copies, options.model / component / name, fs::path(component) / name);
  }
  return copies;
}

// Programs that do not know such weights refuse the folder by this, in place of making white pictures.
std::string quantised_config(const fs::path& config) {
  auto json = nlohmann::ordered_json::parse(common::read_text_file(config));
  json["quantization_config"] = {{"quant_method", "fp8"}, {"activation_scheme", "dynamic"}};
  return json.dump(2) + "\n";
}

void check_out(const fs::path& out) {
  std::error_code error;
  if (!results::is_there(out) || (fs::is_directory(out, error) && fs::is_empty(out, error))) return;
  throw is_there_already(out);
}

void check_room(const fs::path& out, std::uint64_t needed) {
  fs::path folder = results::folder_of(out);
  while (!results::is_there(folder)) folder = results::folder_of(folder);
  std::error_code error;
  const fs::space_info space = fs::space(folder, error);
  if (error || space.capacity == 0 || space.available >= needed) return;  // some disks do not tell
  throw InputError(
      fmt::format("the disk of --out {} has {} free, what is written there needs {}", out.string(),
                  common::format_bytes(space.available), common::format_bytes(needed)),
      "Free some space on it, or choose another --out.");
}

// What the transformer's weights are called in messages, and the options that give the same to decompose.
struct Named {
  std::string what;
  std::string options;
};
Named transformer_of(const Fp8FolderOptions& options) {
  const std::string model = "--model " + options.model.string();
  const auto file = options.files.find(kTransformer);
  if (file == options.files.end()) return {options.model.string(), model};
  return {file->second.string(), model + " --transformer " + file->second.string()};
}

// Everything that a run would ask the files for is asked before anything is written. Throws InputError.
void check_all_tensors(const runtime::ModelFolder& model) {
  partition::StagePlan everything;
  everything.blocks = {0, model.config().transformer.num_layers};
  everything.text_layers = {0, model.config().text_encoder.num_hidden_layers};
  everything.vae_percent = 100;
  const runtime::NetworkSet looked_up(model, everything, at::kCPU, at::kBFloat16,
                                      runtime::Linears::kAsStored);
}

}  // namespace

Fp8Folder write_fp8_folder(const Fp8FolderOptions& options,
                           const std::function<void(std::uint64_t done, std::uint64_t total)>& after_each) {
  const fs::path out = without_last_slash(options.out);
  check_out(out);
  const runtime::ModelFolder model(options.model, runtime::WeightOrigin::kFiles, options.variant,
                                   options.files);
  const Named transformer_name = transformer_of(options);
  const auto source = model::open_component(options.model, kTransformer, options.variant, options.files);
  if (source->is_quantised()) {
    throw InputError(transformer_name.what + ": the transformer's weights are quantised already (" +
                         to_string(source->quantised().begin()->second.format) + ")",
                     "Use them as they are: " + transformer_name.options);
  }
  check_all_tensors(model);
  const std::int64_t blocks = model.config().transformer.num_layers;
  const model::ComponentToWrite component = model::component_of(
      source, [blocks](const std::string& tensor) { return model::is_fp8_layer(tensor, blocks); });
  const model::ComponentSize transformer = model::measure_component(component);
  if (transformer.quantised == 0) {
    throw InputError(
        fmt::format(
            "{}: a transformer of {} blocks has none that fp8 is for: the first and the last one stay as "
            "they are",
            transformer_name.what, blocks),
        "Use it as it is: " + transformer_name.options);
  }
  const std::vector<Copy> copies = list_copies(options);
  std::uint64_t total = transformer.bytes;
  for (const Copy& copy : copies) total += copy.bytes;
  check_room(out, total);

  PartFolder part(out);
  std::uint64_t done = 0;
  const auto show = [&](std::uint64_t more) { after_each(done + more, total); };
  show(0);
  std::error_code error;
  for (const Copy& copy : copies) {
    const fs::path to = part.path() / copy.to;
    fs::create_directories(to.parent_path(), error);
    if (error) throw common::output_error(out / copy.to.parent_path(), error.value());
    common::copy_file(copy.from, to, show);
    done += copy.bytes;
  }
  const fs::path folder = part.path() / kTransformer;
  fs::create_directory(folder, error);
  if (error) throw common::output_error(out, error.value());
  common::write_file_atomically(folder / "config.json",
                                quantised_config(options.model / kTransformer / "config.json"));
  model::write_component(component, folder, model::weight_file_stem(kTransformer), show);
  part.commit();
  return {.bytes = total, .matrices = transformer.quantised};
}

}  // namespace layerpipe::session
