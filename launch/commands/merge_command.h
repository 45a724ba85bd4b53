// `layerpipe merge`: the composite of layers that were edited elsewhere.
#pragma once

#include <atomic>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace layerpipe::launch {

struct MergeOptions {
  std::filesystem::path in;
  std::optional<std::string> layers;  // as read_layer_list takes it; all without
  std::filesystem::path out;
};

void add_merge_options(CLI::App& command);

// Throws InputError naming the option.
MergeOptions read_merge_options(const CLI::App& command);

// The numbers of a list such as "0,2-3", ascending: layers lie on each other in the order of the stack,
// whatever the order of the list. Throws InputError naming --layers when an entry is no number or range,
// turns round, goes beyond the `count` layers that `name` has, or names one again.
std::vector<std::size_t> read_layer_list(const std::string& list, std::size_t count, const std::string& name);

// Writes the composite of a folder's layer_0.png, layer_1.png and so on, or of the visible layers of an
// OpenRaster document, numbered from the back. Throws InputError naming the file when layers are missing,
// cannot be read or differ in size; OutputError; InterruptedError once `stop_requested`.
void run_merge(const MergeOptions& options, const std::atomic<bool>& stop_requested);

}  // namespace layerpipe::launch
