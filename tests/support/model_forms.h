// Weight files taken apart and put together again, to make model folders in the forms in which people have
// them.
#pragma once

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <functional>
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

}  // namespace layerpipe::testing
