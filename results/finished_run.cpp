#include "results/finished_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>
#include <string_view>
#include <system_error>

#include "common/errors.h"
#include "common/files.h"
#include "common/host_memory.h"
#include "common/input_file.h"
#include "media/bleed.h"
#include "media/png_reader.h"
#include "results/output_path.h"
#include "runtime/request/limits.h"

namespace layerpipe::results {
namespace {

namespace fs = std::filesystem;

constexpr const char* kCure = "Give the folder of a finished run, as layerpipe decompose wrote it.";

bool leads_to_something(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

// Nothing larger than the report says is unpacked.
media::Image read_layer(const fs::path& file, const common::Size& size) {
  const common::FileContent content(file);
  const media::PictureFile png{
      .bytes = content.bytes(), .name = file.string(), .memory = common::memory_left()};
  const auto check = [&](const common::Size& found) {
    if (found == size) return;
    throw common::InputError(fmt::format("{} is {} × {} pixels, but run.json says that layers are {} × {}",
                                         png.name, found.width, found.height, size.width, size.height),
                             fmt::format("Save it at {} × {} pixels again.", size.width, size.height));
  };
  const common::Size declared = media::declared_png_size(png);
  if (declared.width * declared.height > size.width * size.height) check(declared);
  media::Image image = media::read_png(png).image;
  check({image.width, image.height});
  media::bleed_colors(image);
  return image;
}

// How many layer_k.png are there, which count up from 0.
std::size_t count_layers(const std::vector<std::string>& listed_files, const std::string& name) {
  const std::set<std::string> files(listed_files.begin(), listed_files.end());
  std::size_t count = 0;
  while (files.contains(fmt::format("layer_{}.png", count))) ++count;
  const auto is_layer = [](const std::string& file) { return layer_number(file).has_value(); };
  const auto listed = static_cast<std::size_t>(std::count_if(files.begin(), files.end(), is_layer));
  if (listed != count) {
    throw common::InputError(
        fmt::format("{}: \"files\" has {} layers, but no layer_{}.png", name, listed, count), kCure);
  }
  if (count > static_cast<std::size_t>(runtime::kMostLayers)) {
    throw common::InputError(
        fmt::format("{}: \"files\" has {} layers, more than {}", name, count, runtime::kMostLayers), kCure);
  }
  return count;
}

// How many results the run had that wrote `report`: --num-images of each --image.
std::optional<std::size_t> count_results(const fs::path& report) {
  const RunRecord record = read_run_record(report);
  const RecordedOption* images = record.option("image");
  const RecordedOption* each = record.option("num-images");
  if (images == nullptr || each == nullptr) return std::nullopt;
  const std::string& text = each->values.front();
  std::size_t number = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), number).ec != std::errc()) return std::nullopt;
  return number * images->values.size();
}

}  // namespace

std::size_t count_layer_files(const fs::path& folder, const std::string& spoken) {
  std::set<std::size_t> numbers;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    if (const auto number = layer_number(entry->path().filename().string())) numbers.insert(*number);
  }
  if (error) throw common::InputError(spoken + " cannot be read: " + error.message(), "Check its rights.");
  std::size_t count = 0;
  for (const std::size_t number : numbers) {
    if (number != count) {
      throw common::InputError(
          fmt::format("{} has {}, but no {}", spoken, layer_name(number), layer_name(count)),
          "Put the missing layer back, or number the layers anew, from 0.");
    }
    ++count;
  }
  return count;
}

std::vector<FinishedResult> result_folders(const fs::path& run, const std::string& option) {
  const std::string spoken = option + " " + run.string();
  if (!is_folder(run)) throw common::InputError(spoken + " is not a folder", kCure);
  if (leads_to_something(run / kReportName)) return {{run, {}}};
  std::vector<FinishedResult> folders;
  std::optional<std::size_t> count;
  for (std::size_t i = 0; i != count && is_folder(run / std::to_string(i)); ++i) {
    folders.push_back({run / std::to_string(i), std::to_string(i)});
    const fs::path report = folders.back().folder / kReportName;
    if (leads_to_something(report)) {
      if (i == 0) count = count_results(report);
      continue;
    }
    throw common::InputError(
        spoken + ": result " + std::to_string(i) + " has no run.json, so it was not finished",
        "Run layerpipe decompose again, or give the folder of one result.");
  }
  if (folders.empty()) throw common::InputError(spoken + " has no run.json", kCure);
  return folders;
}

LayeredResult read_result(const fs::path& folder, const std::atomic<bool>& stop_requested) {
  const fs::path report = folder / kReportName;
  std::string text = common::read_text_file(report, kLargestRunRecord);
  LayeredResult result{.record = parse_run_record(text, report.string()),
                       .report = std::move(text),
                       .layers = {},
                       .empty_layers = {},
                       .pngs = {}};
  const std::vector<std::string>& files = result.record.files;
  std::size_t layers = count_layers(files, report.string());
  if (layers == 0 || std::find(files.begin(), files.end(), kCompositeName) == files.end()) {
    throw common::InputError(
        report.string() + " lists no PNG files, from which documents are made",
        "Run layerpipe decompose again with --format png, or with the formats that you want.");
  }
  const std::size_t there = count_layer_files(folder, folder.string());
  if (there > layers) result.added_layers = there - layers;
  layers += result.added_layers;
  if (layers > static_cast<std::size_t>(runtime::kMostLayers)) {
    throw common::InputError(
        fmt::format("{} has {} layers, more than {}", folder.string(), layers, runtime::kMostLayers),
        "Take some away.");
  }
  for (std::size_t i = 0; i < layers; ++i) {
    const fs::path file = folder / layer_name(i);
    result.layers.emplace_back([file, size = result.record.layer_size, &stop_requested] {
      if (stop_requested.load()) throw common::InterruptedError();
      return read_layer(file, size);
    });
    result.pngs.emplace_back(file);
    if (is_empty(result.layers.back()())) result.empty_layers.push_back(i);
  }
  result.pngs.emplace_back(folder / kCompositeName);
  return result;
}

}  // namespace layerpipe::results
