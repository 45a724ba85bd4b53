#include "model/weights/component_writer.h"

#include <ATen/core/Tensor.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "common/files.h"

namespace layerpipe::model {
namespace {

// A tensor of the source, and what it becomes.
struct Source {
  std::string name;
  std::vector<std::int64_t> shape;
  std::map<std::string, TensorToWrite> written;  // the matrix and its scale, or itself
};

std::uint64_t bytes_of(const std::map<std::string, TensorToWrite>& tensors) {
  std::uint64_t bytes = 0;
  for (const auto& [name, tensor] : tensors) bytes += tensor.bytes();
  return bytes;
}

bool is_quantised(const Source& tensor) {
  return tensor.written.size() == 2;
}

std::string scale_of(const std::string& weight) {
  return weight + std::string(kScaleSuffix);
}

// By name, so that a block's tensors lie together.
std::vector<Source> list(const ComponentToWrite& component) {
  std::vector<Source> all;
  for (const auto& [name, info] : component.tensors) {
    Source& tensor = all.emplace_back(Source{name, info.shape, {{name, info}}});
    if (info.shape.size() != 2 || !component.is_chosen(name)) continue;
    tensor.written[name].dtype = at::kFloat8_e4m3fn;
    tensor.written[scale_of(name)] = {at::kFloat, {info.shape.front()}};
  }
  return all;
}

std::vector<std::vector<Source>> shards_of(const std::vector<Source>& all, std::uint64_t most_bytes) {
  std::vector<std::vector<Source>> shards(1);
  std::uint64_t bytes = 0;
  for (const Source& tensor : all) {
    const std::uint64_t more = bytes_of(tensor.written);
    if (bytes > 0 && bytes + more > most_bytes) {
      shards.emplace_back();
      bytes = 0;
    }
    shards.back().push_back(tensor);
    bytes += more;
  }
  return shards;
}

// "stem-00002-of-00005.safetensors"
std::string shard_name(const std::string& stem, std::size_t index, std::size_t count) {
  if (count == 1) return stem + ".safetensors";
  char numbers[64];
  std::snprintf(numbers, sizeof numbers, "-%05zu-of-%05zu", index + 1, count);
  return stem + numbers + ".safetensors";
}

}  // namespace

ComponentToWrite component_of(const std::shared_ptr<const SafetensorsSource>& source,
                              const Fp8Source::Choice& is_chosen) {
  ComponentToWrite component{source, {}, is_chosen};
  for (const auto& [name, info] : source->tensors())
    component.tensors[name] = {info.storage_dtype, info.shape};
  return component;
}

ComponentSize measure_component(const ComponentToWrite& component) {
  ComponentSize measured;
  for (const Source& tensor : list(component)) {
    measured.bytes += bytes_of(tensor.written);
    if (is_quantised(tensor)) ++measured.quantised;
  }
  return measured;
}

void write_component(const ComponentToWrite& component, const std::filesystem::path& folder,
                     const std::string& stem, const std::function<void(std::uint64_t bytes)>& after_each,
                     std::uint64_t most_shard_bytes) {
  const Fp8Source quantised(component.source, component.is_chosen);
  const auto shards = shards_of(list(component), most_shard_bytes);
  nlohmann::json weight_map = nlohmann::json::object();
  std::uint64_t done = 0;
  for (std::size_t i = 0; i < shards.size(); ++i) {
    std::map<std::string, TensorToWrite> entries;
    for (const Source& tensor : shards[i]) entries.insert(tensor.written.begin(), tensor.written.end());
    const std::string file = shard_name(stem, i, shards.size());
    SafetensorsWriter writer(folder / file, entries, {{"format", "pt"}});
    for (const Source& tensor : shards[i]) {
      if (is_quantised(tensor)) {
        const QuantisedValues read = quantised.read_quantised(tensor.name, tensor.shape);
        writer.put(tensor.name, read.values);
        writer.put(scale_of(tensor.name), read.scale);
      } else {
        writer.put(tensor.name, component.source->read(tensor.name, tensor.shape));
      }
      done += bytes_of(tensor.written);
      after_each(done);
    }
    writer.commit();
    for (const auto& [name, entry] : entries) weight_map[name] = file;
  }
  if (shards.size() == 1) return;
  const nlohmann::json index{{"metadata", {{"total_size", done}}}, {"weight_map", weight_map}};
  common::write_file_atomically(folder / (stem + ".safetensors.index.json"), index.dump(2) + "\n");
}

}  // namespace layerpipe::model
