// The run.json of archives, and the files that come to a run later. Both work on the text, so that what they
// do not know stays.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "results/report.h"

namespace layerpipe::results {

// The run.json that goes into an archive: what made the result, without times, and of paths only the last
// part, since an archive is handed on; which layers are empty; and the archive's files. `report` is a text
// that parse_run_record accepts.
std::string archive_report(std::string_view report, const WrittenFiles& written);

// The same text with these names added to its files where they are not there yet.
std::string with_files(std::string_view report, std::span<const std::string> names);

// "layers" of "/home/somebody/layers/".
std::string last_part(const std::string& path);

}  // namespace layerpipe::results
