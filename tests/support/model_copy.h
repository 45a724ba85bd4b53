// Model folders made from others.
#pragma once

#include <array>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/support/test_data.h"

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

// A model folder of the published sizes, without weights. Gives `to` back.
inline std::filesystem::path make_full_size_model(const std::filesystem::path& to) {
  std::filesystem::copy(test_data() / "parity" / "plain" / "model", to,
                        std::filesystem::copy_options::recursive);
  constexpr std::array<std::array<const char*, 2>, 3> kConfigs = {{{"transformer", "transformer_layered"},
                                                                   {"vae", "vae_layered"},
                                                                   {"text_encoder", "text_encoder_flat"}}};
  for (const auto& [component, config] : kConfigs) {
    std::filesystem::copy_file(test_data() / "configs" / (std::string(config) + ".json"),
                               to / component / "config.json",
                               std::filesystem::copy_options::overwrite_existing);
  }
  return to;
}

}  // namespace layerpipe::testing
