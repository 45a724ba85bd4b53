// What run.json says about a finished result, for those who make something of its layers.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/report.h"

namespace layerpipe::launch {

struct RunRecord {
  std::string prompt;
  std::filesystem::path picture;  // the input
  runtime::PixelSize picture_size;
  runtime::PixelSize layer_size;
  // What to show to a person: ("Seed", "777").
  std::vector<std::pair<std::string, std::string>> parameters;
  std::size_t png_layers = 0;  // how many layer_k.png were written
  bool has_composite = false;
  std::string portable;  // archive_report's part of the text
};

// Reads the text of a run.json, which messages call `name`. Only what is used is looked at, and that
// strictly: the file may come from anywhere. Sizes are those that pictures may have (media/image.h); of the
// files only layer_0.png … and composite.png count. Throws InputError naming the file and the key.
RunRecord parse_run_record(std::string_view text, const std::string& name);

// The same for a file of at most 16 MiB.
RunRecord read_run_record(const std::filesystem::path& file);

// The run.json that goes into an archive: what made the result, without times, and of paths only the last
// part, since an archive is handed on; which layers are empty; and the archive's files.
std::string archive_report(const RunRecord& record, const runtime::WrittenFiles& written);

// The text of a run.json, which parse_run_record accepts, with these names added to its files where they are
// not there yet.
std::string with_files(std::string_view report, std::span<const std::string> names);

}  // namespace layerpipe::launch
