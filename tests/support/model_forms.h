// Weight files taken apart and put together again, to make model folders in the forms in which people have
// them.
#pragma once

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "common/files.h"

namespace layerpipe::testing {

// A safetensors file: its header, and the bytes behind it.
struct WeightParts {
  nlohmann::json header;
  std::string data;
};

inline WeightParts read_weights(const std::filesystem::path& file) {
  const std::string content = common::read_text_file(file);
  std::uint64_t length = 0;
  std::memcpy(&length, content.data(), sizeof length);
  return {nlohmann::json::parse(content.substr(sizeof length, length)),
          content.substr(sizeof length + length)};
}

inline void write_weights(const std::filesystem::path& file, const WeightParts& parts) {
  std::string header = parts.header.dump();
  header.resize((header.size() + 7) / 8 * 8, ' ');
  const std::uint64_t length = header.size();
  common::write_file_atomically(
      file, std::string(reinterpret_cast<const char*>(&length), sizeof length) + header + parts.data);
}

// The same weights under the names that `rename` gives them.
inline void rename_tensors(const std::filesystem::path& file,
                           const std::function<std::string(const std::string&)>& rename) {
  WeightParts parts = read_weights(file);
  nlohmann::json header = nlohmann::json::object();
  for (const auto& [name, entry] : parts.header.items())
    header[name == "__metadata__" ? name : rename(name)] = entry;
  parts.header = header;
  write_weights(file, parts);
}

// One more tensor of zeros at the end, of `count` elements with `width` bytes each.
inline void add_tensor(const std::filesystem::path& file, const std::string& name,
                       const std::string& dtype = "BF16", std::size_t count = 16, std::size_t width = 2) {
  WeightParts parts = read_weights(file);
  const std::size_t begin = parts.data.size();
  parts.data.append(count * width, '\0');
  parts.header[name] = {{"dtype", dtype}, {"shape", {count}}, {"data_offsets", {begin, parts.data.size()}}};
  write_weights(file, parts);
}

// The file as two, with every other tensor in the second one; gives what belongs into an index.
inline nlohmann::json split_weights(const std::filesystem::path& file, const std::filesystem::path& first,
                                    const std::filesystem::path& second) {
  const WeightParts whole = read_weights(file);
  WeightParts parts[2];
  nlohmann::json map = nlohmann::json::object();
  std::size_t count = 0;
  for (const auto& [name, entry] : whole.header.items()) {
    if (name == "__metadata__") continue;
    WeightParts& part = parts[count % 2];
    const auto begin = entry.at("data_offsets").at(0).get<std::size_t>();
    const auto end = entry.at("data_offsets").at(1).get<std::size_t>();
    const std::size_t at = part.data.size();
    part.data.append(whole.data, begin, end - begin);
    part.header[name] = entry;
    part.header[name]["data_offsets"] = {at, part.data.size()};
    map[name] = (count++ % 2 == 0 ? first : second).filename().string();
  }
  std::filesystem::remove(file);
  write_weights(first, parts[0]);
  write_weights(second, parts[1]);
  return {{"metadata", {{"total_size", whole.data.size()}}}, {"weight_map", map}};
}

// The tensors of a folder's safetensors files, each by its name and as a file of its own would have it.
inline std::map<std::string, WeightParts> read_tensors(const std::filesystem::path& folder) {
  std::map<std::string, WeightParts> tensors;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    if (file.path().extension() != ".safetensors") continue;
    const WeightParts whole = read_weights(file.path());
    for (const auto& [name, entry] : whole.header.items()) {
      if (name == "__metadata__") continue;
      const auto begin = entry.at("data_offsets").at(0).get<std::size_t>();
      const auto end = entry.at("data_offsets").at(1).get<std::size_t>();
      tensors[name] = {entry, whole.data.substr(begin, end - begin)};
    }
  }
  return tensors;
}

// The file of a block in a folder that copy_with_repeated_blocks() has made, from the model folder on.
inline std::filesystem::path file_of_block(std::int64_t block) {
  return std::filesystem::path("transformer") / ("block_" + std::to_string(block) + ".safetensors");
}

// A copy of a model folder whose transformer has so many blocks with weights: those of the original, again
// and again. Every block lies in a file of its own. Gives `to` back.
inline std::filesystem::path copy_with_repeated_blocks(const std::filesystem::path& from,
                                                       const std::filesystem::path& to, std::int64_t blocks) {
  namespace fs = std::filesystem;
  using Json = nlohmann::json;
  fs::copy(from, to, fs::copy_options::recursive);
  const fs::path folder = to / "transformer";
  Json config = Json::parse(common::read_text_file(folder / "config.json"));
  const auto original = config.at("num_layers").get<std::int64_t>();
  std::map<fs::path, WeightParts> files;
  Json map = Json::object();
  const auto put = [&](const fs::path& file, const std::string& name, const WeightParts& tensor) {
    WeightParts& parts = files[file];
    parts.header[name] = tensor.header;
    parts.header[name]["data_offsets"] = {parts.data.size(), parts.data.size() + tensor.data.size()};
    parts.data += tensor.data;
    map[name] = file.filename().string();
  };
  const std::string prefix = "transformer_blocks.";
  for (const auto& [name, tensor] : read_tensors(folder)) {
    if (!name.starts_with(prefix)) {
      put(folder / "others.safetensors", name, tensor);
      continue;
    }
    const std::size_t dot = name.find('.', prefix.size());
    for (std::int64_t block = std::stoll(name.substr(prefix.size())); block < blocks; block += original)
      put(to / file_of_block(block), prefix + std::to_string(block) + name.substr(dot), tensor);
  }
  for (const auto& entry : fs::directory_iterator(folder)) fs::remove(entry.path());
  for (const auto& [file, parts] : files) write_weights(file, parts);
  config["num_layers"] = blocks;
  common::write_file_atomically(folder / "config.json", config.dump(2));
  common::write_file_atomically(folder / "diffusion_pytorch_model.safetensors.index.json",
                                Json{{"metadata", Json::object()}, {"weight_map", map}}.dump());
  return to;
}

}  // namespace layerpipe::testing
