// The run.json of archives, and the files that come to a run later. Both work on the text, so that what they
// do not know stays.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "results/run_record.h"

namespace layerpipe::results {

// The run.json that goes into an archive: what made the result, without times, and of paths only the last
// part, since an archive is handed on; which layers are empty; and the archive's files. `report` is a text
// that parse_run_record accepts.
std::string archive_report(std::string_view report, std::span<const std::size_t> empty_layers,
                           std::span<const std::string> files);

// The same text with these files added, or what is said of them brought up to date: as files of the result,
// or only as files that go with it (RunRecord::written). A text that is sealed is sealed again.
enum class Listed { kAsFiles, kAsWritten };
std::string with_files(std::string_view report, std::span<const WrittenFile> files, Listed listed);

}  // namespace layerpipe::results
