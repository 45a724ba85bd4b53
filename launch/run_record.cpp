#include "launch/run_record.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <set>

#include "common/errors.h"
#include "common/files.h"
#include "launch/work_options.h"
#include "media/image.h"
#include "model/json_text.h"

namespace layerpipe::launch {
namespace {

using Json = nlohmann::json;

constexpr std::uint64_t kLargestReport = 16 << 20;
constexpr const char* kCure = "Give the folder of a finished run, as layerpipe decompose wrote it.";
// The options whose values are paths.
constexpr std::array<std::string_view, 7> kPathOptions = {"model",        "image", "out",      "init-latents",
                                                          "dump-latents", "trace", "partition"};

// One object of the file, and what messages call it.
class Fields {
 public:
  Fields(const Json& object, std::string where) : object_(object), where_(std::move(where)) {
    if (!object_.is_object()) throw common::InputError(where_ + " is not a JSON object", kCure);
  }

  bool has(const std::string& key) const { return object_.contains(key); }
  Fields object(const std::string& key) const { return {at(key), where_ + ": \"" + key + "\""}; }

  std::string text(const std::string& key) const {
    const Json& value = at(key);
    if (!value.is_string()) refuse(key, "a text");
    const auto& text = value.get_ref<const std::string&>();
    if (text.find('\0') != std::string::npos) refuse(key, "a text without the character 0");
    return text;
  }
  std::uint64_t number(const std::string& key) const {
    const Json& value = at(key);
    if (!value.is_number_unsigned()) refuse(key, "a whole number from 0");
    return value.get<std::uint64_t>();
  }
  std::int64_t side(const std::string& key) const {
    const Json& value = at(key);
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() < 1 ||
        value.get<std::uint64_t>() > static_cast<std::uint64_t>(media::kMaxSide)) {
      refuse(key, fmt::format("a whole number from 1 to {}", media::kMaxSide));
    }
    return value.get<std::int64_t>();
  }
  std::set<std::string> texts(const std::string& key) const {
    const Json& value = at(key);
    std::set<std::string> texts;
    const bool fits = value.is_array() && std::all_of(value.begin(), value.end(), [&](const Json& one) {
                        return one.is_string() && texts.insert(one.get<std::string>()).second;
                      });
    if (!fits) refuse(key, "a list of different texts");
    return texts;
  }
  runtime::PixelSize size(const std::string& key) const {
    const Fields size = object(key);
    const runtime::PixelSize found{size.side("width"), size.side("height")};
    if (static_cast<std::uint64_t>(found.width) * static_cast<std::uint64_t>(found.height) >
        media::kMaxPixels) {
      refuse(key, fmt::format("a size of at most {} pixels", media::kMaxPixels));
    }
    return found;
  }

 private:
  const Json& at(const std::string& key) const {
    const auto found = object_.find(key);
    if (found == object_.end()) throw common::InputError(where_ + ": \"" + key + "\" is missing", kCure);
    return *found;
  }
  [[noreturn]] void refuse(const std::string& key, const std::string& expected) const {
    throw common::InputError(
        fmt::format("{}: \"{}\" is {}, not {}", where_, key, model::shown(object_.at(key)), expected), kCure);
  }

  const Json& object_;
  std::string where_;
};

// "layers" of "/home/somebody/layers/".
std::string last_part(const std::string& path) {
  const auto parts = std::filesystem::path(path).lexically_normal();
  return (parts.has_filename() ? parts : parts.parent_path()).filename().string();
}

// In the order of the command line's groups.
std::vector<std::pair<std::string, std::string>> parameters_of(const Fields& report) {
  const Fields options = report.object("options");
  const auto option = [&](const std::string& name) {
    return options.has(name) ? options.object(name).text("value") : std::string();
  };
  std::vector<std::pair<std::string, std::string>> parameters;
  const auto add = [&](const char* name, const std::string& value) {
    if (value.find_first_not_of(" \t\r\n") != std::string::npos) parameters.emplace_back(name, value);
  };
  add("Picture", last_part(report.text("picture")));
  add("Model", last_part(report.object("model").text("folder")));
  add("Seed", fmt::format("{}", report.number("seed")));
  add("Steps", option("steps"));
  const bool is_guided = option("no-cfg") != "true";
  add("Guidance", is_guided ? option("cfg-scale") : "off");
  if (is_guided) add("Negative prompt", option("negative-prompt"));
  return parameters;
}

// How many layer_k.png are there, which count up from 0.
std::size_t count_layers(const std::set<std::string>& files, const std::string& name) {
  std::size_t count = 0;
  while (files.contains(fmt::format("layer_{}.png", count))) ++count;
  const auto is_layer = [](const std::string& file) {
    constexpr std::string_view kBefore = "layer_";
    constexpr std::string_view kBehind = ".png";
    if (!file.starts_with(kBefore) || !file.ends_with(kBehind)) return false;
    std::size_t number = 0;
    const char* end = file.data() + file.size() - kBehind.size();
    return std::from_chars(file.data() + kBefore.size(), end, number).ptr == end;
  };
  const auto listed = static_cast<std::size_t>(std::count_if(files.begin(), files.end(), is_layer));
  if (listed != count) {
    throw common::InputError(
        fmt::format("{}: \"files\" has {} layers, but no layer_{}.png", name, listed, count), kCure);
  }
  if (count > static_cast<std::size_t>(kMostLayers)) {
    throw common::InputError(
        fmt::format("{}: \"files\" has {} layers, more than {}", name, count, kMostLayers), kCure);
  }
  return count;
}

void shorten(Json& path) {
  if (path.is_string()) path = last_part(path.get<std::string>());
}

// What is the same whenever and wherever the run is made again.
std::string portable_part(const Json& report) {
  Json portable = Json::object();
  for (const char* key : {"versions", "command", "options", "model", "device", "dtype", "picture",
                          "picture_size", "working_size", "layer_size", "seed"}) {
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

Json parse_report(std::string_view text, const std::string& name) {
  try {
    return model::parse_json(text, name);
  } catch (const common::InputError& error) {
    throw common::InputError(error.what(), kCure);  // the remedy is for the files of a model
  }
}

}  // namespace

RunRecord parse_run_record(std::string_view text, const std::string& name) {
  const Json json = parse_report(text, name);
  const Fields report(json, name);
  RunRecord record;
  record.prompt = report.object("options").object("prompt").text("value");
  record.picture = report.text("picture");
  record.picture_size = report.size("picture_size");
  record.layer_size = report.size("layer_size");
  record.parameters = parameters_of(report);
  const std::set<std::string> files = report.texts("files");
  record.png_layers = count_layers(files, name);
  record.has_composite = files.contains("composite.png");
  record.portable = portable_part(json);
  return record;
}

RunRecord read_run_record(const std::filesystem::path& file) {
  return parse_run_record(common::read_text_file(file, kLargestReport), file.string());
}

std::string archive_report(const RunRecord& record, const runtime::WrittenFiles& written) {
  auto json = nlohmann::ordered_json::parse(record.portable);
  json["empty_layers"] = written.empty_layers;
  json["files"] = written.files;
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string with_files(std::string_view report, std::span<const std::string> names) {
  auto json = nlohmann::ordered_json::parse(report);
  auto& files = json.at("files");
  for (const std::string& name : names) {
    if (std::find(files.begin(), files.end(), name) == files.end()) files.push_back(name);
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace layerpipe::launch
