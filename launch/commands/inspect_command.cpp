#include "launch/commands/inspect_command.h"

#include <fmt/ranges.h>

#include <array>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "common/units.h"
#include "common/visible.h"
#include "launch/options/model_options.h"
#include "launch/options/option_values.h"
#include "model/component.h"
#include "model/config.h"

namespace layerpipe::launch {
namespace {

enum class InspectFormat { kTable, kJson };

struct InspectOptions {
  ModelOptions model;
  InspectFormat format = InspectFormat::kTable;
};

struct ComponentSummary {
  std::string name;
  std::string shape;  // in words
  std::int64_t blocks = 0;
  std::size_t files = 0;
  std::size_t tensors = 0;
  std::uint64_t parameters = 0;
  std::uint64_t bytes = 0;
  std::set<std::string> dtypes;
  std::map<std::string, std::size_t> formats;  // of quantised tensors, and how many each has
  model::WeightFiles chosen;
  std::string prefix;  // of the tensors' names, left out
  std::vector<std::string> remarks;
  std::map<std::string, std::uint64_t> parts;  // bytes of the parts that a partitioner may separate
};

// "transformer_blocks.12" of "transformer_blocks.12.attn.to_q.weight": where blocks are numbered; else the
// first word.
std::string part_of(const std::string& tensor, const std::string& numbered) {
  const auto at = tensor.find(numbered + ".");
  if (at == std::string::npos) return tensor.substr(0, tensor.find('.'));
  const auto number = at + numbered.size() + 1;
  return tensor.substr(at, tensor.find('.', number) - at);
}

ComponentSummary summarise(const ModelOptions& model, const std::string& component,
                           const std::string& numbered) {
  const auto opened = model::open_component(model.folder, component, model.variant, model.files);
  const model::SafetensorsSource& source = *opened;
  ComponentSummary summary{.name = component,
                           .files = source.file_count(),
                           .chosen = source.chosen(),
                           .prefix = source.prefix(),
                           .remarks = source.remarks()};
  for (const auto& [name, info] : source.tensors()) {
    ++summary.tensors;
    if (!model::is_of_quantisation(name))
      summary.parameters += info.bytes() / c10::elementSize(info.storage_dtype);
    summary.bytes += info.bytes();
    summary.dtypes.insert(c10::toString(info.storage_dtype));
    summary.parts[part_of(name, numbered)] += info.bytes();
  }
  // Where the file was named, it is no news that it is none of diffusers' names.
  if (model.files.contains(component)) summary.chosen.has_own_name = false;
  for (const auto& [name, tensor] : source.quantised()) ++summary.formats[to_string(tensor.format)];
  return summary;
}

std::vector<ComponentSummary> summarise_all(const ModelOptions& model, const model::ModelConfig& config) {
  model::check_variant(model.folder, model.variant);
  ComponentSummary transformer = summarise(model, "transformer", "transformer_blocks");
  transformer.blocks = config.transformer.num_layers;
  transformer.shape =
      fmt::format("{} blocks, {} heads × {}", config.transformer.num_layers,
                  config.transformer.num_attention_heads, config.transformer.attention_head_dim);
  ComponentSummary text = summarise(model, "text_encoder", "layers");
  text.blocks = config.text_encoder.num_hidden_layers;
  text.shape = fmt::format("{} layers, {} heads × {}, {} for keys", config.text_encoder.num_hidden_layers,
                           config.text_encoder.num_attention_heads, config.text_encoder.head_dim(),
                           config.text_encoder.num_key_value_heads);
  ComponentSummary vae = summarise(model, "vae", "up_blocks");
  vae.blocks = static_cast<std::int64_t>(config.vae.dim_mult.size());
  vae.shape = fmt::format("{} levels from {} channels, {} in and out, {} latent", vae.blocks,
                          config.vae.base_dim, config.vae.input_channels, config.vae.z_dim);
  return {transformer, text, vae};
}

std::string joined(const std::set<std::string>& words) {
  return fmt::format("{}", fmt::join(words, ", "));
}

// "diffusion_pytorch_model.safetensors": the index, or the file, or the first of them.
std::string file_of(const ComponentSummary& component) {
  return component.chosen.index.empty() ? component.chosen.files.front() : component.chosen.index;
}

// What is not as diffusers writes it by itself, a line each.
void write_remarks(const ComponentSummary& component, std::ostream& out) {
  if (!component.chosen.variant.empty())
    out << fmt::format("{}: the variant {}, {}\n", component.name, component.chosen.variant,
                       file_of(component));
  if (component.chosen.has_own_name)
    out << fmt::format("{}: the only safetensors file there, {}\n", component.name, file_of(component));
  if (!component.prefix.empty())
    out << fmt::format("{}: the names of its tensors, without \"{}\" in front\n", component.name,
                       component.prefix);
  for (const auto& [format, count] : component.formats)
    out << fmt::format("{}: {} tensor{} quantised: {}\n", component.name, count, count == 1 ? "" : "s",
                       format);
  for (const std::string& remark : component.remarks) out << remark << '\n';
}

void write_table(const std::filesystem::path& folder, const model::ModelConfig& config,
                 const std::vector<ComponentSummary>& components, std::ostream& out) {
  out << fmt::format("{}: {}\n\n", common::visible(folder.string()), model::to_string(config.pipeline));
  out << fmt::format("{:<13} {:>11} {:>12} {:>7} {:>6}  {:<14} {}\n", "component", "bytes", "parameters",
                     "tensors", "files", "dtype", "shape");
  std::uint64_t bytes = 0;
  std::uint64_t parameters = 0;
  for (const auto& c : components) {
    out << fmt::format("{:<13} {:>11} {:>12} {:>7} {:>6}  {:<14} {}\n", c.name, common::format_bytes(c.bytes),
                       c.parameters, c.tensors, c.files, joined(c.dtypes), c.shape);
    bytes += c.bytes;
    parameters += c.parameters;
  }
  out << fmt::format("{:<13} {:>11} {:>12}\n", "all", common::format_bytes(bytes), parameters);
  for (const auto& c : components) write_remarks(c, out);
}

void write_json(const model::ModelConfig& config, const std::vector<ComponentSummary>& components,
                std::ostream& out) {
  using Json = nlohmann::ordered_json;
  Json list = Json::array();
  for (const auto& c : components) {
    list.push_back({{"component", c.name},
                    {"shape", c.shape},
                    {"blocks", c.blocks},
                    {"bytes", c.bytes},
                    {"parameters", c.parameters},
                    {"tensors", c.tensors},
                    {"files", c.files},
                    {"dtypes", c.dtypes},
                    {"quantised", c.formats},
                    {"file", file_of(c)},
                    {"variant", c.chosen.variant},
                    {"prefix", c.prefix},
                    {"remarks", c.remarks},
                    {"part_bytes", c.parts}});
  }
  // A name of a file may hold bytes that are not UTF-8; they become U+FFFD, as in run.json.
  out << Json{{"pipeline", model::to_string(config.pipeline)}, {"components", list}}.dump(
             2, ' ', false, Json::error_handler_t::replace)
      << '\n';
}

void add_inspect_options(CLI::App& command) {
  const OptionGroup needed(command, "Needed");
  add_model_option(needed);
  const OptionGroup files(command, "Files");
  add_variant_option(files);
  add_component_file_options(files);
  const OptionGroup output(command, "Output");
  output.add_flag("--json", "Print JSON, with the bytes of every block, instead of a table");
  add_footer(command, "Example:\n  layerpipe inspect --model Qwen-Image-Layered");
}

InspectOptions read_inspect_options(const CLI::App& command) {
  const OptionValues values(command, "layerpipe inspect");
  values.require({"--model"});
  InspectOptions options;
  options.model = read_model_options(values);
  if (values.given("--json")) options.format = InspectFormat::kJson;
  return options;
}

void run_inspect(const ModelOptions& model, InspectFormat format, std::ostream& out) {
  const model::ModelConfig config = model::load_model_config(model.folder, model.files);
  const auto components = summarise_all(model, config);
  if (format == InspectFormat::kJson) {
    write_json(config, components, out);
  } else {
    write_table(model.folder, config, components, out);
  }
}

}  // namespace

Command inspect_command() {
  return {.name = "inspect",
          .help = "Show what a model folder holds",
          .add_options = add_inspect_options,
          .read = [](const CLI::App& command) -> PreparedCommand {
            return {.timeout_of_ranks = {},
                    .load = Load::kLight,
                    .run = [options = read_inspect_options(command)](const CommandContext& context) {
                      run_inspect(options.model, options.format, context.out);
                    }};
          }};
}

}  // namespace layerpipe::launch
