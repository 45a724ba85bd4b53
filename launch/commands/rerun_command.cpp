#include "launch/commands/rerun_command.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <ostream>
#include <span>

#include "comm/communicator.h"
#include "comm/run_collectively.h"
#include "common/errors.h"
#include "common/files.h"
#include "common/visible.h"
#include "launch/options/decompose_options.h"
#include "launch/options/model_options.h"
#include "launch/options/option_values.h"
#include "launch/options/run_options.h"
#include "launch/terminal/run_display.h"
#include "launch/terminal/terminal.h"
#include "media/png_reader.h"
#include "model/latents.h"
#include "results/documents.h"
#include "results/layer_pixels.h"
#include "results/run_record.h"
#include "session/job.h"
#include "session/session.h"
#include "session/settings.h"

namespace layerpipe::launch {
namespace {

namespace fs = std::filesystem;

struct RerunOptions {
  fs::path run;        // run.json
  ModelOptions model;  // its folder is empty: where it was; no variant: that of the run
  fs::path image;      // empty: where it was
  std::string device;  // empty: of the kind that it was
  std::chrono::milliseconds timeout{120000};
  bool quiet = false;
};

constexpr const char* kGiveARun = "Give a run.json as layerpipe decompose wrote it.";

// What the result depends on and is not as it was, in words.
std::vector<std::string> changes_since(const results::RunRecord& record, const results::RunRecord& now) {
  std::vector<std::string> changes;
  const auto compare = [&](const std::string& what, const std::string& then, const std::string& is) {
    if (!then.empty() && then != is)
      changes.push_back(
          fmt::format("{} was {}, now it is {}", what, common::visible(then), common::visible(is)));
  };
  compare("the fingerprint of the model folder", record.fingerprint, now.fingerprint);
  compare("the picture's hash", record.picture_hash, now.picture_hash);
  compare("the version of layerpipe", record.version("layerpipe"), now.version("layerpipe"));
  compare("the version of torch", record.version("torch"), now.version("torch"));
  compare("the device", record.device_name, now.device_name);
  return changes;
}

struct Difference {
  std::size_t pixels = 0;
  int most = 0;  // of a channel
};

// Compares two pictures of one size. What cannot be seen in both is no difference.
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

  void begin(const session::Machinery& /*machinery*/, const session::Work& work,
             const std::function<void()>& /*moved*/) override {
    changes_ = changes_since(record_, work.records.front());
    if (options_.quiet) return;
    for (const std::string& change : changes_)
      say(fmt::format("{}: {}; the bits may differ\n", options_.run.string(), change));
  }
  void take(std::size_t /*index*/, const results::RunRecord& /*record*/, const runtime::Result& result,
            const std::function<void(const results::WritingProgress&)>& /*told*/) override {
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
    for (const std::string& line : lines_) out << common::visible(line) << '\n';
    if (different_.empty()) {
      out << fmt::format("{}: made again, with the same bits in all layers\n",
                         common::visible(options_.run.string()));
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

// Rank 0 reads it for all ranks.
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

[[noreturn]] void refuse(const results::RunRecord& record, const RerunOptions& options,
                         const std::string& what) {
  const std::string version = record.version("layerpipe");
  throw common::InputError(fmt::format("{}: {}", options.run.string(), what),
                           version.empty() || version == LAYERPIPE_VERSION
                               ? kGiveARun
                               : fmt::format("layerpipe {} wrote it, this is {}: take that one.",
                                             common::visible(version), LAYERPIPE_VERSION));
}

// Refuses what another layerpipe wrote: another command, options that this one does not know, no hashes of
// the layers.
void check_record(const results::RunRecord& record, const RerunOptions& options) {
  if (record.command != "decompose")
    refuse(record, options, fmt::format("\"command\" is {}, not decompose", record.command));
  const std::vector<std::string> known = decompose_option_names();
  for (const results::RecordedOption& option : record.options) {
    // Keys of a partition config ("partition.reserve") have a dot.
    const bool is_known = option.name.find('.') != std::string::npos ||
                          std::find(known.begin(), known.end(), option.name) != known.end();
    if (!is_known)
      refuse(record, options, fmt::format("\"options.{}\" is no option of layerpipe decompose", option.name));
  }
  if (record.layer_hashes.empty())
    refuse(record, options, "\"layer_hashes\" is missing, so there is nothing to compare with");
}

// What makes the one result again that the record tells of, whatever is the default now. What only says which
// files are written is left out: it changes no bit.
session::Job job_of(const results::RunRecord& record, const RerunOptions& options) {
  session::Job job = record.job.empty() ? session::job_of_options(record.options)
                                        : session::job_of_run(record.job, options.run.string(), kGiveARun);
  const session::Job defaults;
  job.formats = defaults.formats;
  job.drop_empty = defaults.drop_empty;
  job.images = {options.image.empty() ? fs::path(record.picture) : options.image};
  job.seed = record.seed;
  job.num_images = 1;
  session::check_job(job);
  if (static_cast<std::size_t>(job.layers) != record.layer_hashes.size()) {
    refuse(record, options,
           fmt::format("\"layer_hashes\" has {} entries, but \"options.layers\" is {}",
                       record.layer_hashes.size(), job.layers));
  }
  return job;
}

// Of the weight files that the run read; empty when it was not told which.
std::string variant_of(const results::RunRecord& record) {
  const results::RecordedOption* option = record.option("variant");
  if (option == nullptr || option->values.size() != 1) return {};
  check_variant_name(option->values.front());
  return option->values.front();
}

// The files that held components in place of the folder; those that are given now go before.
model::ComponentFiles files_of(const results::RunRecord& record, const RerunOptions& options) {
  model::ComponentFiles files = options.model.files;
  for (const auto& [name, component] : kComponentFileOptions) {
    const results::RecordedOption* option = record.option(name);
    if (option == nullptr || option->values.size() != 1 || option->values.front().empty()) continue;
    files.emplace(component, option->values.front());
  }
  return files;
}

std::vector<std::string> paths_of(const model::ComponentFiles& files) {
  std::vector<std::string> paths;
  for (const auto& [component, file] : files) paths.push_back(file.string());
  return paths;
}

// What it is made on. Who computes what changes no bit, so of the run only the dtype and the kind of device
// are taken.
session::Settings settings_of(const results::RunRecord& record, const RerunOptions& options,
                              const session::Job& job) {
  check_dtype(record.dtype);
  session::Settings settings;
  settings.model = options.model.folder.empty() ? fs::path(record.model_folder) : options.model.folder;
  settings.variant = options.model.variant.empty() ? variant_of(record) : options.model.variant;
  settings.files = files_of(record, options);
  settings.random_weights = job.random_weights;
  settings.device = !options.device.empty() ? options.device : record.on_cpu() ? "cpu" : "cuda";
  settings.run_config.dtype = record.dtype;
  settings.run_config.comm.timeout = options.timeout;
  settings.options = {{"model", {settings.model.string()}, "command line"},
                      {"variant", {settings.variant}, "command line"},
                      {"files", paths_of(settings.files), "command line"},
                      {"device", {settings.device}, "command line"},
                      {"job", {session::to_json(job)}, "command line"}};
  return settings;
}

struct Rerun {
  session::Job job;
  session::Settings settings;
};

Rerun rerun_of(const results::RunRecord& record, const RerunOptions& options) {
  check_record(record, options);
  Rerun rerun;
  try {
    rerun.job = job_of(record, options);
    rerun.settings = settings_of(record, options, rerun.job);
  } catch (const common::InputError& error) {
    const std::string name = options.run.string();
    const std::string what = error.what();
    if (what.starts_with(name + ": ")) throw;  // it names the file already
    throw common::InputError(fmt::format("{}: {}", name, what), kGiveARun);
  }
  check_no_files_beside_random_weights(options.model, rerun.job.random_weights);
  return rerun;
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

// Of those that the run had; what is given now says itself what is wrong with it.
void check_component_files(const session::Settings& settings, const RerunOptions& options) {
  for (const auto& [name, component] : kComponentFileOptions) {
    const auto file = settings.files.find(std::string(component));
    std::error_code error;
    if (file == settings.files.end() || options.model.files.contains(file->first) ||
        fs::exists(file->second, error))
      continue;
    throw common::InputError(
        fmt::format("{}: the file {} that --{} gave is not there", options.run.string(),
                    file->second.string(), name),
        fmt::format("Start in the folder where the run was started, or say where it is: --{} FILE.", name));
  }
}

void add_rerun_options(CLI::App& command) {
  const OptionGroup needed(command, "Needed");
  needed.add("run.json", "FILE", "What layerpipe decompose wrote beside its layers");
  const OptionGroup places(command, "Places");
  add_model_option(places, "The model, where it is not where it was");
  add_variant_option(places, "those of the run");
  add_component_file_options(places, "the file of the run, where it had one");
  places.add("--image", "FILE", "The picture, where it is not where it was");
  const OptionGroup machine(command, "Machine");
  machine.add("--device", "DEVICE", "cuda, cpu or auto [default: the kind that the run had]");
  add_timeout_option(machine);
  machine.add_flag("--quiet", "Say nothing but the answer and errors");
  add_footer(command, "Example:\n  layerpipe rerun layers/run.json");
}

RerunOptions read_rerun_options(const CLI::App& command) {
  const OptionValues values(command, "layerpipe rerun");
  values.require({"run.json"});
  RerunOptions options;
  values.read_path("run.json", options.run);
  options.model = read_model_options(values);
  values.read_path("--image", options.image);
  values.read_choice("--device", options.device, {"auto", "cuda", "cpu"});
  if (const auto timeout = read_timeout(values)) options.timeout = *timeout;
  options.quiet = values.given("--quiet");
  return options;
}

// Runs on every rank, which need not be as many as they were; rank 0 alone reads run.json and the picture.
// Says before the work what has changed since, and writes to `context.out` whether the layers have the same
// bits: where they have not, by how much they differ from the PNG files beside run.json. Writes no file.
// Throws InputError when a layer differs, and the errors of session::Session.
void run_rerun(const RerunOptions& options, const CommandContext& context) {
  comm::Communicator& communicator = *context.communicator;
  const results::RunRecord record = read_record(options, communicator);
  Rerun run;
  comm::run_collectively(communicator, "reading the options of the run", [&] {
    run = rerun_of(record, options);
    check_component_files(run.settings, options);
    if (communicator.rank() == 0) check_picture(run.job.images.front(), options);
  });
  ComparedResult result(options, record);
  RunDisplay display(options.quiet ? Loudness::kQuiet : Loudness::kUsual, context.stop_requested);
  session::Session session(run.settings, communicator, {context.stop_requested, context.doing, display});
  session.make(run.job, result);
  comm::run_collectively(communicator, "comparing", [&] {
    if (communicator.rank() == 0) result.conclude(context.out);
  });
}

}  // namespace

Command rerun_command() {
  return {.name = "rerun",
          .help = "Make a picture again, and say whether the bits agree",
          .add_options = add_rerun_options,
          .read = [](const CLI::App& command) -> PreparedCommand {
            const RerunOptions options = read_rerun_options(command);
            return {.timeout_of_ranks = options.timeout,
                    .load = Load::kComputing,
                    .run = [options](const CommandContext& context) { run_rerun(options, context); }};
          }};
}

}  // namespace layerpipe::launch
