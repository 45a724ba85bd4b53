#include "launch/commands/quantize_command.h"

#include <fmt/format.h>

#include "common/errors.h"
#include "common/units.h"
#include "launch/options/model_options.h"
#include "launch/options/option_values.h"
#include "launch/terminal/byte_progress.h"
#include "launch/terminal/terminal.h"
#include "session/fp8_folder.h"

namespace layerpipe::launch {
namespace {

void run_quantize(const session::Fp8FolderOptions& options, const std::atomic<bool>& stop_requested) {
  ByteProgress progress(progress_style_for_stderr(), "quantize");
  const session::Fp8Folder made = write_fp8_folder(options, [&](std::uint64_t done, std::uint64_t total) {
    if (stop_requested) throw common::InterruptedError();
    progress.show(done, total);
  });
  say(fmt::format("{}: {}, {} matrices of the transformer in e4m3\n", options.out.string(),
                  common::format_bytes(made.bytes), made.matrices));
}

void add_quantize_options(CLI::App& command) {
  const OptionGroup needed(command, "Needed");
  add_model_option(needed);
  needed.add("--out", "FOLDER", "New model folder, which takes about four fifths of the bytes");
  const OptionGroup files(command, "Files");
  add_variant_option(files);
  add_component_file_options(files);
  add_footer(command,
             "Most of the transformer's matrices become fp8, as --dtype fp8 makes them; the rest is copied.\n"
             "Example:\n  layerpipe quantize --model Qwen-Image-Layered --out Qwen-Image-Layered-fp8");
}

session::Fp8FolderOptions read_quantize_options(const CLI::App& command) {
  const OptionValues values(command, "layerpipe quantize");
  values.require({"--model", "--out"});
  const ModelOptions model = read_model_options(values);
  session::Fp8FolderOptions options{
      .model = model.folder, .variant = model.variant, .files = model.files, .out = {}};
  values.read_path("--out", options.out);
  return options;
}

}  // namespace

Command quantize_command() {
  return {.name = "quantize",
          .help = "Write a model folder with the transformer in 8 bits",
          .add_options = add_quantize_options,
          .read = [](const CLI::App& command) -> PreparedCommand {
            return {.timeout_of_ranks = {},
                    .load = Load::kComputing,
                    .run = [options = read_quantize_options(command)](const CommandContext& context) {
                      run_quantize(options, context.stop_requested);
                    }};
          }};
}

}  // namespace layerpipe::launch
