#include "launch/decompose_options.h"

#include <CLI/CLI.hpp>
#include <charconv>
#include <cmath>
#include <limits>
#include <set>

#include "common/errors.h"

namespace layerpipe::launch {
namespace {

constexpr std::int64_t kMostLayers = 32;
constexpr std::int64_t kMostSteps = 1000;
constexpr std::int64_t kMostImages = 1000;
constexpr std::int64_t kLargestResolution = 2048;
constexpr std::int64_t kSmallestResolution = 64;
constexpr std::int64_t kResolutionMultiple = 32;

bool is_blank(const std::string& text) {
  return text.find_first_not_of(" \t\r\n") == std::string::npos;
}

// Empty when `text` is a seed, else why not. Converting alone would take −1 for 2⁶⁴ − 1.
std::string refuse_seed(const std::string& text) {
  std::uint64_t seed = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seed);
  if (error == std::errc() && end == text.data() + text.size()) return {};
  return text + " is not a number from 0 to " + std::to_string(std::numeric_limits<std::uint64_t>::max());
}

}  // namespace

void add_decompose_options(CLI::App& command, DecomposeOptions& options) {
  command.add_option("--model", options.model, "Model folder in diffusers layout")
      ->required()
      ->group("Input");
  command.add_option("--image", options.images, "Picture (PNG, JPEG or WebP); several make several results")
      ->required()
      ->group("Input");
  command.add_option("--prompt", options.prompt, "What the picture shows")->group("Input");
  command.add_option("--negative-prompt", options.negative_prompt, "What guidance steers away from")
      ->capture_default_str()
      ->group("Input");
  command
      .add_flag("--random-weights", options.random_weights, "Use random weights instead of the model's files")
      ->group("Input");
  command
      .add_option("--init-latents", options.init_latents, "Start from these packed latents instead of noise")
      ->group("Input");

  command.add_option("--out", options.out, "Folder for the results")->required()->group("Output");
  command.add_option("--format", options.format, "Format of the results")
      ->check(CLI::IsMember({"png"}))
      ->capture_default_str()
      ->group("Output");
  command
      .add_flag("--original-size", options.original_size,
                "Write the layers at the picture's own size instead of the one that the model works at")
      ->group("Output");
  command
      .add_option("--dump-latents", options.dump_latents,
                  "Write latents and embeddings of the result to this file")
      ->group("Output");
  command.add_flag("--quiet", options.quiet, "Say nothing but errors")->group("Output");

  command.add_option("--layers", options.layers, "Number of layers")
      ->check(CLI::Range(std::int64_t{1}, kMostLayers))
      ->capture_default_str()
      ->group("Result");
  command
      .add_option("--resolution", options.resolution, "Side of a square of the area to work at: 640 or 1024")
      ->capture_default_str()
      ->group("Result");
  command.add_flag("--any-resolution", options.any_resolution, "Allow other multiples of 32 from 64 to 2048")
      ->group("Result");
  command.add_option("--steps", options.steps, "Denoising steps")
      ->check(CLI::Range(std::int64_t{1}, kMostSteps))
      ->capture_default_str()
      ->group("Result");
  command.add_option("--cfg-scale", options.cfg_scale, "Strength of guidance; 1 or less switches it off")
      ->check(CLI::Range(0.0, 100.0))
      ->capture_default_str()
      ->group("Result");
  command.add_flag("--no-cfg", options.no_cfg, "No guidance: half the time, weaker adherence to the prompt")
      ->group("Result");
  command.add_flag("--cfg-normalize", options.cfg_normalize, "Keep the length of the conditional prediction")
      ->group("Result");
  command.add_option("--num-images", options.num_images, "Results per picture, with seeds counting up")
      ->check(CLI::Range(std::int64_t{1}, kMostImages))
      ->capture_default_str()
      ->group("Result");
  command.add_option("--seed", options.seed, "Seed of the noise")
      ->check(CLI::Validator(refuse_seed, {}))
      ->capture_default_str()
      ->group("Result");
  command.add_option("--seed-device", options.seed_device, "Where the noise is drawn; the two differ")
      ->check(CLI::IsMember({"cpu", "cuda"}))
      ->capture_default_str()
      ->group("Result");

  command.add_option("--device", options.device, "auto takes a GPU when there is one")
      ->check(CLI::IsMember({"auto", "cuda", "cpu"}))
      ->capture_default_str()
      ->group("Machine");
  command.add_option("--dtype", options.dtype, "Precision [bf16 on a GPU, fp32 on a CPU]")
      ->check(CLI::IsMember({"bf16", "fp32"}))
      ->group("Machine");
  command.footer(
      "Example:\n  layerpipe decompose --model Qwen-Image-Layered --image poster.png --prompt \"a poster\" "
      "--out layers");
}

void check_decompose_options(const DecomposeOptions& options) {
  if (is_blank(options.prompt)) {
    throw common::InputError("--prompt is missing: this version of layerpipe does not caption pictures",
                             "Describe the picture in a sentence: --prompt \"a red kite over the sea\".");
  }
  const std::int64_t resolution = options.resolution;
  if (!options.any_resolution && resolution != 640 && resolution != 1024) {
    throw common::InputError(
        "--resolution " + std::to_string(resolution) + " is not one that the model was trained at",
        "Take 640 or 1024, or add --any-resolution.");
  }
  if (resolution < kSmallestResolution || resolution > kLargestResolution ||
      resolution % kResolutionMultiple != 0) {
    throw common::InputError("--resolution " + std::to_string(resolution) + " is not possible",
                             "Take a multiple of 32 from 64 to 2048.");
  }
  if (!std::isfinite(options.cfg_scale)) throw common::InputError("--cfg-scale is not a number");
  const auto last = static_cast<std::uint64_t>(options.num_images - 1);
  if (options.seed > std::numeric_limits<std::uint64_t>::max() - last) {
    throw common::InputError("--seed " + std::to_string(options.seed) + " leaves no room for " +
                                 std::to_string(options.num_images) + " results, whose seeds count up",
                             "Take a smaller --seed.");
  }
  const bool several = options.images.size() > 1 || options.num_images > 1;
  if (several && (options.init_latents || options.dump_latents)) {
    throw common::InputError("--init-latents and --dump-latents are for one result",
                             "Give one --image and leave --num-images at 1.");
  }
}

std::vector<runtime::OptionRecord> record_options(const CLI::App& command) {
  using Kind = runtime::OptionRecord::Kind;
  static const std::set<std::string> kPathOptions{"model", "image", "out", "init-latents", "dump-latents"};
  std::vector<runtime::OptionRecord> records;
  for (const CLI::Option* option : command.get_options()) {
    if (option->get_lnames().empty() || option == command.get_help_ptr()) continue;
    const bool given = option->count() > 0;
    const bool is_flag = option->get_items_expected_max() == 0;
    const std::string otherwise = is_flag ? "false" : option->get_default_str();
    std::string value = given ? CLI::detail::join(option->results(), " ") : otherwise;
    const bool is_path = kPathOptions.contains(option->get_lnames().front());
    records.push_back({.name = option->get_lnames().front(),
                       .value = std::move(value),
                       .source = given ? "command line" : "default",
                       .kind = is_path ? Kind::kPath : Kind::kValue});
  }
  return records;
}

}  // namespace layerpipe::launch
