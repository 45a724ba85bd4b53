#include "session/fp8_folder.h"

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <system_error>
#include <vector>

#include "common/errors.h"
#include "common/files.h"
#include "common/part_folder.h"
#include "common/units.h"
#include "model/config.h"
#include "model/transformer/fp8_layers.h"
#include "model/weights/component_writer.h"
#include "results/output_path.h"

namespace layerpipe::session {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTransformer = "transformer";

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
    const model::SafetensorsSource source(options.model / component, stem, options.variant);
    std::vector<std::string> names = source.chosen().files;
    if (!source.chosen().index.empty()) {
      names = source.file_names();
      names.push_back(source.chosen().index);
    }
    for (const std::string& name : names)
      add_copy(copies, options.model / component / name, fs::path(component) / name);
  }
  return copies;
}

std::shared_ptr<const model::SafetensorsSource> open_transformer(const Fp8FolderOptions& options) {
  const auto file = options.files.find(kTransformer);
  if (file != options.files.end()) return std::make_shared<model::SafetensorsSource>(file->second);
  return std::make_shared<model::SafetensorsSource>(options.model / kTransformer,
                                                    model::weight_file_stem(kTransformer), options.variant);
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

void check_not_quantised(const Fp8FolderOptions& options, const model::SafetensorsSource& source) {
  if (!source.is_quantised()) return;
  throw common::InputError(options.model.string() + ": the transformer's weights are quantised already (" +
                               to_string(source.quantised().begin()->second.format) + ")",
                           "Use them as they are: --model " + options.model.string());
}

}  // namespace

Fp8Folder write_fp8_folder(const Fp8FolderOptions& options,
                           const std::function<void(std::uint64_t done, std::uint64_t total)>& after_each) {
  check_out(options.out);
  const model::ModelConfig config = model::load_model_config(options.model);
  model::check_variant(options.model, options.variant);
  const auto source = open_transformer(options);
  check_not_quantised(options, *source);
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
            options.model.string(), config.transformer.num_layers),
        "Use it as it is: --model " + options.model.string());
  }
  const std::vector<Copy> copies = list_copies(options);
  std::uint64_t total = transformer.bytes;
  for (const Copy& copy : copies) total += copy.bytes;
  check_room(options.out, total);

  std::error_code error;
  fs::create_directories(results::folder_of(options.out), error);
  PartFolder part(options.out);
  std::uint64_t done = 0;
  after_each(done, total);
  for (const Copy& copy : copies) {
    fs::create_directories((part.path() / copy.to).parent_path(), error);
    if (!fs::copy_file(copy.from, part.path() / copy.to, error))
      throw common::output_error(options.out / copy.to, error.value());
    done += copy.bytes;
    after_each(done, total);
  }
  const fs::path folder = part.path() / kTransformer;
  if (!fs::create_directory(folder, error)) throw common::output_error(options.out, error.value());
  common::write_file_atomically(folder / "config.json",
                                quantised_config(options.model / kTransformer / "config.json"));
  model::write_component(component, folder, model::weight_file_stem(kTransformer),
                         [&](std::uint64_t bytes) { after_each(done + bytes, total); });
  part.commit();
  return {.bytes = total, .matrices = transformer.quantised};
}

}  // namespace layerpipe::session
