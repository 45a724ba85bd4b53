#include "runtime/report.h"

#include <torch/headeronly/version.h>

#include <nlohmann/json.hpp>

#include "common/files.h"

namespace layerpipe::runtime {

void write_report(const std::filesystem::path& path, const RunReport& report) {
  using Json = nlohmann::ordered_json;
  Json options = Json::object();
  for (const OptionRecord& option : report.options) {
    options[option.name] = {{"value", option.value}, {"source", option.source}};
  }
  const Json json = {{"layerpipe", report.version},
                     {"torch", TORCH_VERSION},
                     {"command", report.command},
                     {"options", std::move(options)},
                     {"device", report.device},
                     {"dtype", report.dtype},
                     {"picture", report.picture},
                     {"width", report.width},
                     {"height", report.height},
                     {"seed", report.seed},
                     {"seconds",
                      {{"encode", report.phase_seconds.encode},
                       {"denoise", report.phase_seconds.denoise},
                       {"decode", report.phase_seconds.decode},
                       {"steps", report.step_seconds}}},
                     {"files", report.files}};
  // A path may hold bytes that are not UTF-8; they become U+FFFD instead of an exception.
  common::write_file_atomically(path, json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

}  // namespace layerpipe::runtime
