// Random weights of a model folder as files, in the layout of the published ones.
//
//   tools/make_full_size_folder.py full                                      # configs and tokenizer
//   bench_write_weights --model full --components transformer,text_encoder,vae
//
// Each component of the list gets what its networks read, by the configs of the folder: shards of at most
// 10 GB with an index. The values are those of --random-weights, so a run from the files makes the same bits.
// Of the text encoder the language model alone is written. One JSON object a line: a component, its bytes (GB
// are 10^9), and how fast they were written.
#include <fmt/format.h>
#include <sys/stat.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/command_line.h"
#include "bench/support.h"
#include "common/errors.h"
#include "common/units.h"
#include "model/config.h"
#include "model/text_encoder/text_encoder.h"
#include "model/transformer/fp8_layers.h"
#include "model/transformer/modulation_table.h"
#include "model/transformer/transformer.h"
#include "model/vae/vae.h"
#include "model/weights/component_writer.h"
#include "model/weights/weight_files.h"
#include "model/weights/weights.h"

namespace {

namespace bench = layerpipe::bench;
namespace common = layerpipe::common;
namespace fs = std::filesystem;
using namespace layerpipe::model;

// What save_pretrained() of diffusers puts into a shard at most.
constexpr std::uint64_t kShardBytes = 10'000'000'000;
constexpr std::uint64_t kMostHeaderBytes = 1 << 20;  // of headers and index together

// Random weights that write down what is asked for.
class RecordingSource : public RandomTensorSource {
 public:
  explicit RecordingSource(const std::string& component) : RandomTensorSource(component, at::kBFloat16) {}
  at::ScalarType storage_dtype(const std::string& name, at::IntArrayRef shape) const override {
    const at::ScalarType dtype = RandomTensorSource::storage_dtype(name, shape);
    const std::scoped_lock lock(mutex_);
    asked_[name] = {dtype, shape.vec()};
    return dtype;
  }
  std::map<std::string, TensorToWrite> asked() const {
    const std::scoped_lock lock(mutex_);
    return asked_;
  }

 private:
  mutable std::mutex mutex_;
  mutable std::map<std::string, TensorToWrite> asked_;
};

// The published files have all of the last block, though nothing reads what its text stream would become.
void complete_last_block(std::map<std::string, TensorToWrite>& tensors, std::int64_t blocks) {
  const auto prefix = [](std::int64_t block) { return fmt::format("transformer_blocks.{}.", block); };
  const std::string first = prefix(0);
  std::map<std::string, TensorToWrite> last;
  for (auto tensor = tensors.lower_bound(first); tensor != tensors.end() && tensor->first.starts_with(first);
       ++tensor)
    last[prefix(blocks - 1) + tensor->first.substr(first.size())] = tensor->second;
  tensors.merge(last);
}

ComponentToWrite random_component(const std::string& component, const ModelConfig& config, bool in_fp8) {
  const auto source = std::make_shared<RecordingSource>(component);
  const WeightStore store = WeightStore::dry_run(source, at::kCPU, at::kBFloat16);
  if (component == "transformer") {
    const Transformer network(store, config.transformer);
    check_modulation_weights(store, config.transformer, {0, config.transformer.num_layers});
  } else if (component == "text_encoder") {
    const TextEncoder network(store, config.text_encoder);
  } else {
    const VaeEncoder encoder(store, config.vae);
    const VaeDecoder decoder(store, config.vae);
  }
  ComponentToWrite written{source, source->asked(), [](const std::string&) { return false; }};
  if (component == "transformer") {
    const std::int64_t blocks = config.transformer.num_layers;
    complete_last_block(written.tensors, blocks);
    if (in_fp8)
      written.is_chosen = [blocks](const std::string& tensor) { return is_fp8_layer(tensor, blocks); };
  }
  return written;
}

struct Planned {
  std::string name;
  fs::path folder;
  std::string stem;
  ComponentToWrite component;
  std::uint64_t bytes;
};

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> names;
  for (std::size_t begin = 0; begin <= list.size();) {
    const std::size_t end = std::min(list.find(',', begin), list.size());
    names.push_back(list.substr(begin, end - begin));
    begin = end + 1;
  }
  return names;
}

void check_name(const std::string& name) {
  std::string known;
  for (const char* component : kComponents) {
    if (name == component) return;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", component);
  }
  throw common::InputError(fmt::format("--components: \"{}\" is none of {}", name, known),
                           "Give one or several of them with commas between.");
}

void check_absent(const Planned& planned) {
  for (const char* end : {".safetensors", ".safetensors.index.json"}) {
    const fs::path file = planned.folder / (planned.stem + end);
    if (!fs::exists(file)) continue;
    throw common::InputError(fmt::format("{} is there already", file.string()),
                             "Remove it to have the weights written again.");
  }
}

// Folders of components may be links to different disks.
void check_room(const std::vector<Planned>& all) {
  const auto disk_of = [](const fs::path& folder) {
    struct stat status {};
    if (::stat(folder.c_str(), &status) != 0)
      throw common::InputError(fmt::format("{} cannot be read", folder.string()),
                               "Make the folder, or remove the link that leads nowhere.");
    return status.st_dev;
  };
  for (const Planned& one : all) {
    std::uint64_t needed = 0;
    for (const Planned& other : all)
      if (disk_of(other.folder) == disk_of(one.folder)) needed += other.bytes + kMostHeaderBytes;
    std::error_code error;
    const fs::space_info space = fs::space(one.folder, error);
    if (error || space.capacity == 0 || space.available >= needed) continue;  // some disks do not tell
    throw common::InputError(
        fmt::format("the disk of {} has {} free, what is written there needs {}", one.folder.string(),
                    common::format_bytes(space.available), common::format_bytes(needed)),
        "Free some space on it, give fewer components, or make the folder a link to one on another disk.");
  }
}

void write(const Planned& planned) {
  const auto begin = std::chrono::steady_clock::now();
  write_component(
      planned.component, planned.folder, planned.stem, [](std::uint64_t) {}, kShardBytes);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  const auto gb = static_cast<double>(planned.bytes) * 1e-9;
  const nlohmann::ordered_json json{{"component", planned.name},
                                    {"tensors", planned.component.tensors.size()},
                                    {"gb", gb},
                                    {"seconds", seconds.count()},
                                    {"gb_per_second", gb / seconds.count()}};
  fmt::print("{}\n", json.dump());
  std::fflush(stdout);
}

int run(int argc, char** argv) {
  fs::path folder;
  std::string components = "transformer,text_encoder,vae";
  bool in_fp8 = false;
  bench::CommandLine app("Writes random weights into a model folder that has none.");
  app.add("--model", folder, "Model folder with its configs, as tools/make_full_size_folder.py makes it");
  app.add("--components", components, "transformer, text_encoder, vae: those to write, all by default");
  app.add_flag("--fp8", in_fp8, "The transformer's matrices in e4m3, as layerpipe quantize makes them");
  app.parse(argc, argv);
  if (folder.empty()) throw common::InputError("--model is missing", "Give a model folder with its configs.");
  const std::vector<std::string> names = split(components);
  for (const std::string& name : names) check_name(name);
  const ModelConfig config = load_model_config(folder);
  std::vector<Planned> all;
  for (const std::string& name : names) {
    ComponentToWrite component = random_component(name, config, in_fp8);
    const std::uint64_t bytes = measure_component(component).bytes;
    all.push_back({name, folder / name, weight_file_stem(name), std::move(component), bytes});
    check_absent(all.back());
  }
  check_room(all);
  for (const Planned& one : all) write(one);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return bench::guarded("bench_write_weights", [&] { return run(argc, argv); });
}
