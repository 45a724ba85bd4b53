// `layerpipe inspect`: what a model folder holds, without reading a weight.
#pragma once

#include <filesystem>
#include <iosfwd>

namespace layerpipe::launch {

enum class InspectFormat { kTable, kJson };

// Writes to `out`. Throws InputError.
void run_inspect(const std::filesystem::path& model, InspectFormat format, std::ostream& out);

}  // namespace layerpipe::launch
