#include "runtime/plan/cost.h"

#include <algorithm>
#include <functional>

#include "model/pipeline/pipeline.h"
#include "model/text_encoder/text_encoder.h"
#include "model/text_encoder/text_encoder_cost.h"
#include "model/transformer/modulation.h"
#include "model/transformer/timestep_embedder.h"
#include "model/transformer/transformer.h"
#include "model/vae/vae.h"
#include "model/vae/vae_cost.h"
#include "model/vae/vae_strips.h"
#include "model/weights/fp8_source.h"
#include "runtime/device/overhead.h"

namespace layerpipe::runtime {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

// The two edges of a rank over NCCL with two CTAs each: 0.46 GiB by the driver's count, on two H200s.
constexpr std::uint64_t kNcclOpen = 536 * kMiB;
// Pinned buffers that weights go through on their way to a GPU (model/weights/uploader.h).
constexpr std::uint64_t kUploadBuffers = 96 * kMiB;

// How many bytes of registered pages take one of the device: 0.037 GiB for 18.2 on an H200, by the driver's
// count.
constexpr std::uint64_t kRegisteredPerTableByte = 400;

// What units take that pass. A place is taken by tensors of different sizes again and again, and LibTorch's
// allocator cuts what was a large one's up for small ones: up to 0.1 GiB beside two places of 0.42 on an
// H200.
void add_passing(partition::ChainCost& cost, const CostWorkload& workload) {
  if (workload.device.is_cpu()) return;
  std::uint64_t largest = 0;
  for (const partition::UnitCost& unit : cost.units) largest = std::max(largest, unit.weight_bytes);
  cost.passing_bytes = largest / 4;
  cost.passing_per_table_byte = kRegisteredPerTableByte;
}

// What a GPU holds of a tensor as it came, while it is converted or quantised there.
std::uint64_t unconverted_bytes(const model::TensorWeight& tensor, const at::Device& device) {
  return tensor.is_converted && !device.is_cpu() ? reserved_bytes(tensor.moved_bytes, device) : 0;
}

// What there is beside a tensor on the device while it comes there in another dtype, or is quantised.
std::uint64_t conversion_bytes_of(const model::TensorWeight& tensor, const CostWorkload& workload) {
  const std::uint64_t moved = tensor.moved_bytes;
  if (!workload.device.is_cpu()) {
    // The memory of one that was converted before is cut up by the results of smaller ones, so that the
    // largest needs its own again.
    constexpr std::uint64_t kTimes = 2;
    return kTimes * unconverted_bytes(tensor, workload.device);
  }
  const auto threads = static_cast<std::uint64_t>(workload.threads);
  if (tensor.is_converted) {  // each thread's part of the result is of a size
    const std::uint64_t part =
        model::kReadPartBytes * moved / std::max<std::uint64_t>(tensor.device_bytes, 1);
    return std::min(moved, threads * part);
  }
  if (tensor.file_bytes == moved) return 0;
  // Codes of one byte: a part as it is in the file, and in fp32.
  const std::uint64_t codes = std::min<std::uint64_t>(moved, threads * model::Fp8Source::kReadElements);
  return codes * (tensor.file_bytes / moved + sizeof(float));
}

// Adds up what parts of a network take.
class Scales {
 public:
  Scales(const ModelFolder& model, partition::Network network, const CostWorkload& workload)
      : store_(model::WeightStore::weighing(
            model.source(network, workload.linears), workload.device, workload.dtype,
            [this, workload](const model::TensorWeight& tensor) { add(tensor, workload); })) {}
  Scales(const Scales&) = delete;
  Scales& operator=(const Scales&) = delete;

  const model::WeightStore& store() const { return store_; }
  // A unit of the weights that `load` asks the store for.
  partition::UnitCost weigh(const std::function<void()>& load, double operations = 0) {
    unit_ = {};
    unconverted_bytes_ = 0;
    load();
    unit_.operations = operations;
    return unit_;
  }
  // Of the tensor of all that have been weighed that takes most beside it while it comes.
  std::uint64_t conversion_bytes() const { return conversion_bytes_; }
  // Of the last unit's tensors, the largest that a GPU holds as it came as well.
  std::uint64_t unconverted_bytes() const { return unconverted_bytes_; }

 private:
  void add(const model::TensorWeight& tensor, const CostWorkload& workload) {
    unit_.weight_bytes += reserved_bytes(tensor.device_bytes, workload.device);
    unit_.moved_bytes += tensor.moved_bytes;
    unit_.file_bytes += tensor.file_bytes;
    conversion_bytes_ = std::max(conversion_bytes_, conversion_bytes_of(tensor, workload));
    unconverted_bytes_ = std::max(unconverted_bytes_, runtime::unconverted_bytes(tensor, workload.device));
  }

  partition::UnitCost unit_;
  std::uint64_t conversion_bytes_ = 0;
  std::uint64_t unconverted_bytes_ = 0;
  model::WeightStore store_;
};

// What there is of a matrix in the compute dtype beside it while it makes a row: where it is quantised, a
// piece on a GPU (16 MiB in bf16 at most), and one for each thread on a CPU.
std::uint64_t dequantised_bytes(const model::TensorSource& source, const std::string& name, std::int64_t out,
                                std::int64_t in, const model::ComputeTarget& target) {
  if (!source.quantised_form(name, {out, in})) return 0;
  return static_cast<std::uint64_t>(target.at_once(out)) *
         model::ops::quantised_workspace_bytes(in, out, 1, target, model::ops::Product::kWeightOnly);
}

// What the modulation of all blocks and of the head takes, by row, and while rows are made.
partition::TableCost table_cost(const ModelFolder& model, const CostWorkload& workload, Scales& scales,
                                const model::ComputeTarget& target) {
  constexpr std::uint64_t kGpuSegment = 2 * kMiB;  // reserved_bytes() of a tensor is a multiple of that
  const model::TransformerConfig& config = model.config().transformer;
  const std::int64_t dim = config.inner_dim();
  const auto source = model.source(partition::Network::kTransformer, workload.linears);
  std::uint64_t largest = scales.weigh([&] { model::TimestepEmbedder(scales.store(), config); }).weight_bytes;
  for (const model::ModulationLayer& layer : modulation_layers(config, {0, config.num_layers})) {
    const std::uint64_t bytes =
        scales.weigh([&] { load_linear(scales.store(), layer.name, dim, layer.outputs); }).weight_bytes;
    // It comes first, and is multiplied afterwards.
    const std::uint64_t beside =
        std::max(scales.unconverted_bytes(),
                 dequantised_bytes(*source, layer.name + ".weight", layer.outputs, dim, target));
    largest = std::max(largest, bytes + beside);
  }
  return {.unit_row_bytes = block_modulation_bytes(config, target),
          .last_row_bytes = head_modulation_bytes(config, target),
          .rounding_bytes = target.device.is_cpu() ? 0 : kGpuSegment,
          .making_bytes = largest + row_making_bytes(config, target),
          .making_row_bytes = conditioning_bytes(config, target)};
}

partition::ChainCost transformer_cost(const ModelFolder& model, const CostWorkload& workload,
                                      const model::ComputeTarget& target) {
  const model::TransformerConfig& config = model.config().transformer;
  const model::TransformerTokens tokens = transformer_tokens(model.config(), workload);
  Scales scales(model, partition::Network::kTransformer, workload);
  const model::WeightStore& store = scales.store();
  partition::ChainCost cost;
  for (std::int64_t block = 0; block < config.num_layers; ++block) {
    cost.units.push_back(scales.weigh([&] { load_transformer_block(store, config, block); },
                                      block_operations(config, tokens, block)));
  }
  cost.first =
      scales.weigh([&] { model::StreamEmbedder(store, config); }, stream_embedder_operations(config, tokens));
  cost.last = scales.weigh([&] { model::OutputHead(store, config); }, output_head_operations(config, tokens));
  cost.conversion_bytes = scales.conversion_bytes();
  cost.workspace_bytes = block_workspace_bytes(config, tokens, target);
  const bool may_multiply_fp8 = workload.linears == Linears::kFp8 && !workload.device.is_cpu();
  if (model.source(partition::Network::kTransformer, workload.linears)->is_quantised()) {
    cost.workspace_bytes += quantised_block_workspace_bytes(
        config, tokens, target,
        may_multiply_fp8 ? model::ops::Product::kFp8 : model::ops::Product::kWeightOnly);
  }
  cost.boundary_bytes = stream_bytes(config, tokens, target);
  // LibTorch's allocator held 0.2 GiB beside the tensors of 1024 px on an H200.
  if (!workload.device.is_cpu()) cost.alone_bytes = cost.boundary_bytes + 64 * kMiB;
  const auto branches = static_cast<std::uint64_t>(workload.branches);
  // Both branches read the same table of the image.
  cost.state_bytes = rotary_bytes(config, tokens.image) + branches * rotary_bytes(config, tokens.text);
  const std::uint64_t latents = latent_bytes(config, tokens.latent, target);
  // Latents, condition and the prompts; then latents and the branches' predictions, and what the guidance and
  // the scheduler's step lay between.
  cost.first_state_bytes =
      latent_bytes(config, tokens.image, target) + branches * prompt_bytes(config, tokens.text, target);
  cost.last_state_bytes = (1 + branches) * latents;
  cost.table = table_cost(model, workload, scales, target);
  add_passing(cost, workload);
  return cost;
}

partition::ChainCost text_encoder_cost(const ModelFolder& model, const CostWorkload& workload,
                                       const model::ComputeTarget& target) {
  const model::TextEncoderConfig& config = model.config().text_encoder;
  const std::int64_t tokens =
      workload.prompt_tokens + pipeline_of(model.config().pipeline).prompt_template().dropped_tokens;
  Scales scales(model, partition::Network::kTextEncoder, workload);
  const model::WeightStore store = language_model_scope(scales.store());
  partition::ChainCost cost;
  for (std::int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
    cost.units.push_back(
        scales.weigh([&] { load_text_layer(store, config, layer); }, text_layer_operations(config, tokens)));
  }
  cost.last = scales.weigh([&] { store.get("norm.weight", {config.hidden_size}); });
  cost.conversion_bytes = scales.conversion_bytes();
  cost.workspace_bytes = text_layer_workspace_bytes(config, tokens, target);
  if (model.source(partition::Network::kTextEncoder)->is_quantised())
    cost.workspace_bytes += quantised_text_layer_workspace_bytes(config, tokens, target);
  cost.boundary_bytes = text_hidden_bytes(config, tokens, target);
  add_passing(cost, workload);
  return cost;
}

partition::VaeCost vae_cost(const ModelFolder& model, const CostWorkload& workload,
                            const model::ComputeTarget& target) {
  const model::VaeConfig& config = model.config().vae;
  const model::Pipeline& pipeline = pipeline_of(model.config().pipeline);
  const model::TokenGrid grid = pipeline.token_grid(model.config(), workload.picture, workload.layers);
  const std::int64_t scale = config.spatial_compression_ratio();
  const model::VaeShape picture{1, workload.picture.height / scale, workload.picture.width / scale};
  model::VaeShape layers = picture;
  layers.frames = pipeline.decoded_frames(grid).size();
  Scales encoder(model, partition::Network::kVaeEncoder, workload);
  Scales decoder(model, partition::Network::kVaeDecoder, workload);
  const model::VaeWork strips = largest_encoder_strips(config, picture, target);
  const model::VaeWork middle = middle_work(config, picture, target);
  partition::VaeCost cost;
  cost.encoder_weight_bytes = encoder.weigh([&] { model::VaeEncoder(encoder.store(), config); }).weight_bytes;
  cost.decoder_weight_bytes = decoder.weigh([&] { model::VaeDecoder(decoder.store(), config); }).weight_bytes;
  cost.encode_bytes =
      picture_bytes(config, picture, target) + strips.bytes + 2 * middle_bytes(config, picture, target);
  // Buffers of many sizes come and go: LibTorch's allocator held 0.10 GiB beside 0.50 at 1024 px on an H200.
  if (!workload.device.is_cpu()) cost.encode_bytes += cost.encode_bytes / 4;
  cost.encode_whole_bytes = middle.bytes;
  cost.decode_bytes = decoder_work(config, layers, target).bytes;
  cost.encode_operations = strips.operations;
  cost.encode_whole_operations = middle.operations;
  cost.decode_operations = largest_decoder_strips(config, layers, target).operations;
  cost.decode_whole_operations = middle_work(config, layers, target).operations;
  cost.strips = static_cast<std::int64_t>(model::vae_strips(picture.height).size());
  cost.decode_tasks = layers.frames * cost.strips;
  return cost;
}

partition::OverheadCost overhead_cost(const CostWorkload& workload) {
  partition::OverheadCost cost;
  if (workload.device.is_cpu()) return cost;
  cost.context_bytes = first_use_bytes(workload.device);
  cost.streaming_bytes = streaming_bytes(workload.device);
  if (workload.over_nccl) {
    cost.channel_bytes = kNcclOpen;
  }
  cost.host_bytes = kUploadBuffers;
  return cost;
}

}  // namespace

model::TransformerTokens transformer_tokens(const model::ModelConfig& config, const CostWorkload& workload) {
  const model::TokenGrid grid =
      pipeline_of(config.pipeline).token_grid(config, workload.picture, workload.layers);
  return {grid.latent_tokens(), grid.image_tokens(), workload.prompt_tokens};
}

partition::ModelCost model_cost(const ModelFolder& model, const CostWorkload& workload) {
  const model::ComputeTarget target{workload.device, workload.dtype, workload.threads, workload.cpu_has_bf16};
  return {.transformer = transformer_cost(model, workload, target),
          .text_encoder = text_encoder_cost(model, workload, target),
          .vae = vae_cost(model, workload, target),
          .overhead = overhead_cost(workload)};
}

}  // namespace layerpipe::runtime
