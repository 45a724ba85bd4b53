// From a run.json to the command line that makes its picture again.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "launch/commands/rerun_command.h"
#include "results/run_record.h"

namespace layerpipe::launch {

// The words of `layerpipe decompose` for the one result that `record` tells of, with every option that
// decides its bits as it was then, whatever is the default now. What only says who computes what, or where
// things are written, is left out: it changes no bit. `options` may name another place for model and picture,
// and another device. Throws InputError that names the run.json when another layerpipe wrote it: another
// command, options that this one does not know, no hashes of the layers.
std::vector<std::string> decompose_words(const results::RunRecord& record, const RerunOptions& options);

}  // namespace layerpipe::launch
