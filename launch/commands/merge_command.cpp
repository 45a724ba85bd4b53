#include "launch/commands/merge_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <system_error>
#include <vector>

#include "common/errors.h"
#include "launch/options/option_values.h"
#include "launch/terminal/terminal.h"
#include "media/composite.h"
#include "media/png_reader.h"
#include "media/png_writer.h"
#include "results/documents.h"
#include "results/edited_document.h"
#include "results/finished_run.h"
#include "results/output_path.h"
#include "results/writing_memory.h"
#include "runtime/device/memory.h"

namespace layerpipe::launch {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLayersForm =
    "Give a folder with layers as layerpipe decompose writes them, or an .ora, .psd or .psb file.";
constexpr const char* kListForm = "Give numbers and ranges with commas between them, such as 0,2-3.";

struct MergeOptions {
  fs::path in;
  std::optional<std::string> layers;  // as read_layer_list takes it; all without
  fs::path out;
};

struct Stack {
  std::vector<std::function<media::Image()>> layers;  // from the back
  std::vector<std::string> names;                     // for messages
};

std::optional<std::size_t> whole_number(std::string_view text) {
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

Stack stack_of_folder(const fs::path& folder) {
  const std::string spoken = "--in " + folder.string();
  const std::size_t count = results::count_layer_files(folder, spoken);
  if (count == 0) throw common::InputError(spoken + " has no layer_0.png", kLayersForm);
  Stack stack;
  for (std::size_t number = 0; number < count; ++number) {
    const fs::path file = folder / results::layer_name(number);
    stack.layers.emplace_back([file] { return media::read_png(file); });
    stack.names.push_back(file.string());
  }
  return stack;
}

Stack stack_of_document(const fs::path& file) {
  auto [document, remarks] = results::open_edited_document("--in", file);
  for (const std::string& remark : remarks) say(fmt::format("{}: {}\n", file.string(), remark));
  Stack stack;
  for (std::size_t i = 0; i < document.layers.size(); ++i) {
    stack.layers.push_back(std::move(document.layers[i].read));
    stack.names.push_back(fmt::format("{}: layer {}", file.string(), i));
  }
  return stack;
}

void check_out(const fs::path& out, const fs::path& in, const Stack& stack) {
  const std::string option = "--out " + out.string();
  if (out.extension() != ".png")
    throw common::InputError(option + " does not end in .png", "The composite is written as PNG.");
  results::check_output_file(option, out);
  std::error_code error;
  bool is_input = fs::equivalent(out, in, error);
  for (const std::string& name : stack.names) is_input = is_input || fs::equivalent(out, name, error);
  if (is_input) {
    throw common::InputError("the composite would be written over " + out.string(),
                             "Choose another file for --out.");
  }
}

media::Image composite_of(const Stack& stack, const std::vector<std::size_t>& numbers,
                          const std::atomic<bool>& stop_requested) {
  std::optional<media::Compositor> compositor;
  int width = 0;
  int height = 0;
  for (const std::size_t number : numbers) {
    if (stop_requested.load()) throw common::InterruptedError();
    const media::Image layer = stack.layers[number]();
    if (!compositor) {
      width = layer.width;
      height = layer.height;
      results::check_memory(fmt::format("merging layers of {} × {} pixels", width, height),
                            results::merging_bytes({width, height}), runtime::memory_use(at::kCPU));
      compositor.emplace(width, height);
    }
    if (layer.width != width || layer.height != height) {
      throw common::InputError(
          fmt::format("{} is {} × {} pixels, but {} is {} × {}", stack.names[number], layer.width,
                      layer.height, stack.names[numbers.front()], width, height),
          "Save all layers at one size.");
    }
    compositor->add(layer);
  }
  return compositor->picture();
}

void add_merge_options(CLI::App& command) {
  const OptionGroup needed(command, "Needed");
  needed.add(
      "--in", "PATH",
      "Folder with layer_0.png (the back), layer_1.png …, or a document: OpenRaster (.ora) or Photoshop "
      "(.psd, .psb)");
  needed.add("--out", "FILE", "PNG file for the composite");
  const OptionGroup what(command, "What to merge");
  what.add("--layers", "LIST",
           "Only these layers, such as 0,2-3, counted from the back; they keep the order of the stack. "
           "Hidden layers of a document are neither counted nor merged")
      .default_text("all");
  add_footer(command, "Example:\n  layerpipe merge --in layers --layers 0,2-3 --out without-1.png");
}

MergeOptions read_merge_options(const CLI::App& command) {
  const OptionValues values(command, "layerpipe merge");
  values.require({"--in", "--out"});
  MergeOptions options;
  values.read_path("--in", options.in);
  values.read_path("--out", options.out);
  if (values.given("--layers")) values.read_text("--layers", options.layers.emplace());
  return options;
}

// The numbers of a list such as "0,2-3", ascending: layers lie on each other in the order of the stack,
// whatever the order of the list. Throws InputError naming --layers when an entry is no number or range,
// turns round, goes beyond the `count` layers that `name` has, or names one again.
std::vector<std::size_t> read_layer_list(const std::string& list, std::size_t count,
                                         const std::string& name) {
  std::set<std::size_t> numbers;
  for (std::size_t start = 0; start <= list.size();) {
    const std::size_t end = std::min(list.find(',', start), list.size());
    const std::string entry = list.substr(start, end - start);
    start = end + 1;
    const std::size_t dash = entry.find('-');
    const auto first = whole_number(std::string_view(entry).substr(0, dash));
    const auto last =
        dash == std::string::npos ? first : whole_number(std::string_view(entry).substr(dash + 1));
    if (!first || !last) {
      throw common::InputError(fmt::format("--layers: \"{}\" is not a layer or a range of layers", entry),
                               kListForm);
    }
    if (*first > *last) {
      throw common::InputError(
          fmt::format("--layers: {} runs backwards", entry),
          fmt::format("Write {}-{}; layers keep the order of the stack.", *last, *first));
    }
    if (*last >= count) {
      throw common::InputError(
          fmt::format("--layers: {} is beyond the last layer, {}, of {}", entry, count - 1, name), kListForm);
    }
    for (std::size_t number = *first; number <= *last; ++number) {
      if (!numbers.insert(number).second) {
        throw common::InputError(fmt::format("--layers names layer {} twice", number), kListForm);
      }
    }
  }
  return {numbers.begin(), numbers.end()};
}

// Writes the composite of a folder's layer_0.png, layer_1.png and so on, or of the visible layers of an
// OpenRaster or Photoshop document, numbered from the back. Throws InputError naming the file when layers are
// missing, cannot be read or differ in size; OutputError; InterruptedError once `stop_requested`.
void run_merge(const MergeOptions& options, const std::atomic<bool>& stop_requested) {
  const Stack stack =
      results::is_folder(options.in) ? stack_of_folder(options.in) : stack_of_document(options.in);
  if (stack.layers.empty()) {
    throw common::InputError("--in " + options.in.string() + " has no visible layer",
                             "Show a layer and save it again.");
  }
  check_out(options.out, options.in, stack);
  const std::string all = fmt::format("0-{}", stack.layers.size() - 1);
  const auto numbers =
      read_layer_list(options.layers.value_or(all), stack.layers.size(), options.in.string());
  media::write_png(options.out, composite_of(stack, numbers, stop_requested),
                   {{"Title", "Composite"}, {"Software", "layerpipe " LAYERPIPE_VERSION}});
  say(fmt::format("{}: {} of {} layers\n", options.out.string(), numbers.size(), stack.layers.size()));
}

}  // namespace

Command merge_command() {
  return {.name = "merge",
          .help = "Put layers together again, after edits made elsewhere",
          .add_options = add_merge_options,
          .read = [](const CLI::App& command) -> PreparedCommand {
            return {.timeout_of_ranks = {},
                    .load = Load::kLight,
                    .run = [options = read_merge_options(command)](const CommandContext& context) {
                      run_merge(options, context.stop_requested);
                    }};
          }};
}

}  // namespace layerpipe::launch
