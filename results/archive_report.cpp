#include "results/archive_report.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <vector>

#include "results/file_content.h"
#include "results/run_record.h"

namespace layerpipe::results {
namespace {

using Json = nlohmann::json;

// The options whose values are paths.
constexpr std::array<std::string_view, 7> kPathOptions = {"model",        "image", "out",      "init-latents",
                                                          "dump-latents", "trace", "partition"};

void shorten(Json& path) {
  if (path.is_string()) path = last_part(path.get<std::string>());
}

// What is the same whenever and wherever the run is made again.
std::string portable_part(const Json& report) {
  Json portable = Json::object();
  for (const char* key : {"versions", "command", "options", "cut_prompts", "model", "device", "dtype",
                          "picture", "picture_size", "working_size", "layer_size", "seed"}) {
    if (report.contains(key)) portable[key] = report.at(key);
  }
  shorten(portable.at("picture"));
  shorten(portable.at("model").at("folder"));
  for (auto& [name, option] : portable.at("options").items()) {
    if (std::find(kPathOptions.begin(), kPathOptions.end(), name) == kPathOptions.end()) continue;
    if (!option.is_object() || !option.contains("value")) continue;
    Json& value = option.at("value");
    shorten(value);
    if (value.is_array()) std::for_each(value.begin(), value.end(), shorten);
  }
  return portable.dump();
}

std::string text_of(const nlohmann::ordered_json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

std::string archive_report(std::string_view report, std::span<const std::size_t> empty_layers,
                           std::span<const std::string> files) {
  auto json = nlohmann::ordered_json::parse(portable_part(Json::parse(report)));
  json["empty_layers"] = std::vector(empty_layers.begin(), empty_layers.end());
  json["files"] = std::vector(files.begin(), files.end());
  return text_of(json);
}

std::string with_files(std::string_view report, std::span<const WrittenFile> files, Listed listed) {
  auto json = nlohmann::ordered_json::parse(report);
  json.erase(kSealKey);
  for (const WrittenFile& file : files) {
    auto& names = json.at("files");
    if (listed == Listed::kAsFiles && std::find(names.begin(), names.end(), file.name) == names.end())
      names.push_back(file.name);
    auto& written = json["written"];
    const auto of_file = [&](const auto& one) { return one.at("name") == file.name; };
    if (const auto known = std::find_if(written.begin(), written.end(), of_file); known != written.end())
      written.erase(known);
    written.push_back({{"name", file.name}, {"bytes", file.content.bytes}, {"hash", file.content.hash}});
  }
  return is_sealed(std::string(report)) ? sealed(text_of(json)) : text_of(json);
}

}  // namespace layerpipe::results
