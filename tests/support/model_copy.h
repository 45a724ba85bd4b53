// Model folders made from others.
#pragma once

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace layerpipe::testing {

// A copy of a model folder whose transformer says that it has so many blocks: for runs with random weights,
// which need no others. Gives `to` back.
inline std::filesystem::path copy_with_blocks(const std::filesystem::path& from,
                                              const std::filesystem::path& to, int blocks) {
  std::filesystem::copy(from, to, std::filesystem::copy_options::recursive);
  const auto config = to / "transformer" / "config.json";
  nlohmann::json settings = nlohmann::json::parse(std::ifstream(config));
  settings.at("num_layers") = blocks;
  std::ofstream(config) << settings;
  return to;
}

}  // namespace layerpipe::testing
