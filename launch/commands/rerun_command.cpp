#include "launch/commands/rerun_command.h"

#include <fmt/ranges.h>
#include <torch/headeronly/version.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <optional>
#include <span>

#include "comm/run_collectively.h"
#include "common/errors.h"
#include "common/files.h"
#include "launch/commands/rerun_work.h"
#include "launch/options/command_line.h"
#include "launch/options/option_values.h"
#include "launch/options/run_options.h"
#include "launch/terminal/run_display.h"
#include "launch/terminal/terminal.h"
#include "media/png_reader.h"
#include "model/latents.h"
#include "results/documents.h"
#include "results/layer_pixels.h"
#include "results/run_record.h"
#include "session/session.h"

namespace layerpipe::launch {
namespace {

namespace fs = std::filesystem;

// What the result depends on and is not as it was, in words.
std::vector<std::string> changes_since(const results::RunRecord& record, const session::Machinery& machinery,
                                       const results::ResultRecord& now) {
  std::vector<std::string> changes;
  const auto compare = [&](const std::string& what, const std::string& then, const std::string& is) {
    if (!then.empty() && then != is)
      changes.push_back(fmt::format("{} was {}, now it is {}", what, then, is));
  };
  compare("the fingerprint of the model folder", record.fingerprint, machinery.fingerprint);
  compare("the picture's hash", record.picture_hash, now.picture_hash);
  compare("the version of layerpipe", record.version("layerpipe"), LAYERPIPE_VERSION);
  compare("the version of torch", record.version("torch"), TORCH_VERSION);
  compare("the device", record.device_name, machinery.device.name);
  return changes;
}

struct Difference {
  std::size_t pixels = 0;
  int most = 0;  // of a channel
};

// What cannot be seen in both pictures, which are of one size, is no difference.
Difference difference(const media::Image& a, const media::Image& b) {
  Difference found;
  for (std::size_t at = 0; at < a.pixels.size(); at += 4) {
    if (a.pixels[at + 3] == 0 && b.pixels[at + 3] == 0) continue;
    int most = 0;
    for (std::size_t i = at; i < at + 4; ++i)
      most = std::max(most, std::abs(int{a.pixels[i]} - int{b.pixels[i]}));
    if (most > 0) ++found.pixels;
    found.most = std::max(found.most, most);
  }
  return found;
}

// "layer 2: other bits; 12 of 4096 pixels differ from layer_2.png, by 3 of 255 at most".
std::string describe(const at::Tensor& layer, std::size_t index, const results::RunRecord& record,
                     const fs::path& folder) {
  const std::string begin = fmt::format("layer {}: other bits", index);
  const std::string name = results::layer_name(index);
  std::error_code error;
  if (!fs::is_regular_file(folder / name, error))
    return fmt::format("{}; {} is not there to compare with", begin, name);
  try {
    const media::Image then = media::read_png(folder / name);
    if (then.width != record.layer_size.width || then.height != record.layer_size.height)
      return fmt::format("{}; {} is of another size than run.json says", begin, name);
    const Difference found = difference(results::layer_image(layer, {then.width, then.height}), then);
    if (found.pixels == 0) return fmt::format("{} than run.json says, but it looks like {}", begin, name);
    return fmt::format("{}; {} of {} pixels differ from {}, by {} of 255 at most", begin, found.pixels,
                       then.pixels.size() / 4, name, found.most);
  } catch (const common::InputError& unreadable) {
    return fmt::format("{}; {}", begin, unreadable.what());
  }
}

// Compares the one result with its record.
class ComparedResult : public session::ResultSink {
 public:
  ComparedResult(const RerunOptions& options, const results::RunRecord& record)
      : options_(options), record_(record) {}

  void begin(const session::Machinery& machinery, const session::Work& work) override {
    changes_ = changes_since(record_, machinery, work.records.front());
    if (options_.quiet) return;
    for (const std::string& change : changes_)
      say(fmt::format("{}: {}; the bits may differ\n", options_.run.string(), change));
  }
  void take(std::size_t /*index*/, const results::ResultRecord& /*record*/, const runtime::Result& result,
            const results::RunMetrics& /*figures*/, const std::function<void()>& /*moved*/) override {
    const std::vector<std::string> hashes = results::layer_hashes(result.decoded);
    common::ensure(hashes.size() == record_.layer_hashes.size(), "a run made another number of layers");
    const std::vector<at::Tensor> layers = model::tensor_to_pictures(result.decoded).unbind(0);
    for (std::size_t i = 0; i < hashes.size(); ++i) {
      if (hashes[i] == record_.layer_hashes[i]) {
        lines_.push_back(fmt::format("layer {}: the same bits", i));
        continue;
      }
      lines_.push_back(describe(layers[i], i, record_, options_.run.parent_path()));
      different_.push_back(i);
    }
  }

  // Says how it is, and throws InputError when a layer differs.
  void conclude(std::ostream& out) const {
    for (const std::string& line : lines_) out << line << '\n';
    if (different_.empty()) {
      out << fmt::format("{}: made again, with the same bits in all layers\n", options_.run.string());
      return;
    }
    const bool is_one = different_.size() == 1;
    throw common::InputError(
        fmt::format("{}: made again, layer{} {} of {} {} other bits", options_.run.string(),
                    is_one ? "" : "s", fmt::join(different_, ", "), lines_.size(), is_one ? "has" : "have"),
        changes_.empty()
            ? "Model, picture, versions and device are those of the run: look whether its run.json or the "
              "model's weights were changed."
            : fmt::format("This has changed since: {}.", fmt::join(changes_, "; ")));
  }

 private:
  const RerunOptions& options_;
  const results::RunRecord& record_;
  std::vector<std::string> changes_;
  std::vector<std::string> lines_;
  std::vector<std::size_t> different_;
};

// Of rank 0, on all.
results::RunRecord read_record(const RerunOptions& options, comm::Communicator& communicator) {
  std::string text;
  comm::run_collectively(communicator, "reading run.json", [&] {
    if (communicator.rank() == 0) text = common::read_text_file(options.run, results::kLargestRunRecord);
  });
  if (communicator.size() > 1) {
    const std::span<const char> mine(text);
    const auto bytes = std::as_bytes(mine);
    const auto all = communicator.broadcast({bytes.begin(), bytes.end()}, 0, "sending run.json");
    text.assign(reinterpret_cast<const char*>(all.data()), all.size());
  }
  results::RunRecord record;
  comm::run_collectively(communicator, "reading run.json",
                         [&] { record = results::parse_run_record(text, options.run.string()); });
  return record;
}

// The options of the run, and what the ranks have to agree on.
Decompose options_of(const RerunOptions& options, const results::RunRecord& record) {
  const std::vector<std::string> words = decompose_words(record, options);
  std::vector<const char*> arguments;
  for (const std::string& word : words) arguments.push_back(word.c_str());
  try {
    auto command = parse_command_line(static_cast<int>(arguments.size()), arguments.data());
    auto run = std::get<Decompose>(std::move(command));
    run.options.run_config.comm.timeout = options.timeout;
    return run;
  } catch (const common::InputError& error) {
    throw common::InputError(fmt::format("{}: {}", options.run.string(), error.what()),
                             "Give a run.json as layerpipe decompose wrote it.");
  }
}

void check_picture(const fs::path& picture, const RerunOptions& options) {
  std::error_code error;
  if (fs::exists(picture, error)) return;
  if (!options.image.empty())
    throw common::InputError(fmt::format("--image {} is not there", picture.string()),
                             "Give the picture that the run was made from.");
  throw common::InputError(
      fmt::format("{}: the picture {} is not there", options.run.string(), picture.string()),
      "Start in the folder where the run was started, or say where it is: --image FILE.");
}

}  // namespace

void add_rerun_options(CLI::App& command) {
  const OptionGroup needed(command, "Needed");
  needed.add("run.json", "FILE", "What layerpipe decompose wrote beside its layers");
  const OptionGroup places(command, "Places");
  places.add("--model", "FOLDER", "The model, where it is not where it was");
  places.add("--image", "FILE", "The picture, where it is not where it was");
  const OptionGroup machine(command, "Machine");
  machine.add("--device", "DEVICE", "cuda, cpu or auto [default: the kind that the run had]");
  add_timeout_option(machine);
  machine.add_flag("--quiet", "Say nothing but the answer and errors");
  command.footer("Example:\n  layerpipe rerun layers/run.json");
}

RerunOptions read_rerun_options(const CLI::App& command) {
  const OptionValues values(command, "layerpipe rerun");
  values.require({"run.json"});
  RerunOptions options;
  values.read_path("run.json", options.run);
  values.read_path("--model", options.model);
  values.read_path("--image", options.image);
  values.read_choice("--device", options.device, {"auto", "cuda", "cpu"});
  if (const auto timeout = read_timeout(values)) options.timeout = *timeout;
  options.quiet = values.given("--quiet");
  return options;
}

void run_rerun(const RerunOptions& options, comm::Communicator& communicator,
               const std::atomic<bool>& stop_requested, std::ostream& out, std::string& doing) {
  const results::RunRecord record = read_record(options, communicator);
  std::optional<Decompose> run;
  comm::run_collectively(communicator, "reading the options of the run", [&] {
    run = options_of(options, record);
    if (communicator.rank() == 0) check_picture(run->options.images.front(), options);
  });
  ComparedResult result(options, record);
  RunDisplay display(options.quiet ? Loudness::kQuiet : Loudness::kUsual, stop_requested);
  session::make_results(run->options, run->records, result, communicator, {stop_requested, doing, display});
  comm::run_collectively(communicator, "comparing", [&] {
    if (communicator.rank() == 0) result.conclude(out);
  });
}

}  // namespace layerpipe::launch
