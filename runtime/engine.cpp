#include "runtime/engine.h"

#include <ATen/Context.h>
#include <ATen/DeviceAccelerator.h>
#include <ATen/Functions.h>

#include <algorithm>

#include "common/errors.h"
#include "model/scheduler.h"
#include "model/text_encoder/prompt.h"
#include "model/transformer/transformer.h"
#include "model/vae/vae.h"
#include "model/weights/safetensors.h"
#include "runtime/memory.h"
#include "runtime/memory_errors.h"

namespace layerpipe::runtime {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Work on a GPU is only done when the device says so; times and messages follow that.
void wait_for(const at::Device& device) {
  if (!device.is_cpu()) at::accelerator::synchronizeDevice(device.has_index() ? device.index() : 0);
}

void check_finite(const at::Tensor& tensor, const std::string& what) {
  if (!at::isfinite(tensor).all().item<bool>()) {
    throw common::InputError(what + " are not finite numbers",
                             "The weights may be damaged, or need another dtype: try --dtype fp32.");
  }
}

// fp32 means fp32: LibTorch lets convolutions on a GPU round their inputs to TF32 unless told otherwise.
void forbid_tf32() {
  at::globalContext().setAllowTF32CuBLAS(false);
  at::globalContext().setAllowTF32CuDNN(false);
}

std::shared_ptr<const model::TensorSource> open(const EngineConfig& config, const std::string& component) {
  if (config.weights == WeightOrigin::kRandom) {
    return std::make_shared<model::RandomTensorSource>(component, at::kBFloat16);
  }
  return std::make_shared<model::SafetensorsSource>(config.model_folder / component,
                                                    model::weight_file_stem(component));
}

model::TokenGrid grid_of(const Request& request, const model::ModelConfig& model) {
  const std::int64_t pixels_per_token = model.vae.spatial_compression_ratio() * model.transformer.patch_size;
  return {.frames = request.layers + 1,
          .height = request.picture.size(0) / pixels_per_token,
          .width = request.picture.size(1) / pixels_per_token,
          .has_condition = true};
}

}  // namespace

// What the phases of one call share.
struct Engine::Run {
  std::span<const Request> requests;
  std::vector<Result> results;
  const ProgressListener& listener;
  const std::atomic<bool>& stop_requested;
  Phase phase = Phase::kEncode;
  Clock::time_point phase_start{};
  std::int64_t total = 0;
  std::int64_t done = 0;

  void begin(std::int64_t units) {
    total = units;
    done = 0;
    tell_computed(0);
  }
  void advance(std::size_t request) {
    ++done;
    tell_computed(request);
  }
  void tell_computed(std::size_t request) const {
    tell(
        {.phase = phase, .work = Progress::Work::kCompute, .done = done, .total = total, .request = request});
  }
  void tell(const Progress& progress) const {
    const bool was_last =
        phase == Phase::kDecode && progress.work == Progress::Work::kCompute && done == total;
    if (stop_requested.load() && !was_last) throw common::InterruptedError();
    if (listener) listener(progress);
  }
};

Engine::Engine(EngineConfig config)
    : config_(std::move(config)),
      model_(model::load_model_config(config_.model_folder)),
      tokenizer_(model::Tokenizer::load(config_.model_folder / "tokenizer")) {
  if (tokenizer_.vocab_size() > model_.text_encoder.vocab_size) {
    throw common::InputError((config_.model_folder / "tokenizer").string() + " has " +
                                 std::to_string(tokenizer_.vocab_size()) + " tokens, the text encoder " +
                                 std::to_string(model_.text_encoder.vocab_size),
                             "Check that both belong to the same model.");
  }
  for (const char* component : {"text_encoder", "transformer", "vae"})
    sources_[component] = open(config_, component);
  measure_networks();
  if (config_.dtype == at::kFloat && !config_.device.is_cpu()) forbid_tf32();
}

// Builds every network without its weights: what is missing in the files is found here, before the work.
void Engine::measure_networks() {
  const auto dry_run = [this](Network network) {
    return model::WeightStore::dry_run(
        sources_.at(component_of(network)), config_.device, config_.dtype,
        [this, network](std::uint64_t bytes) { weight_bytes_[network] += bytes; });
  };
  for (const Network network : kNetworks) weight_bytes_[network] = 0;
  model::TextEncoder(dry_run(Network::kTextEncoder), model_.text_encoder);
  model::VaeEncoder(dry_run(Network::kVaeEncoder), model_.vae);
  model::Transformer(dry_run(Network::kTransformer), model_.transformer);
  model::VaeDecoder(dry_run(Network::kVaeDecoder), model_.vae);
}

void Engine::check_memory() const {
  const MemoryUse memory = memory_use(config_.device);
  for (const Network network : kNetworks) {
    if (weight_bytes(network) > memory.free)
      throw does_not_fit(network, weight_bytes(network), config_.device, memory);
  }
}

void Engine::check(const Request& request) const {
  if (model_.pipeline != model::PipelineClass::kLayered) {
    throw common::InputError(config_.model_folder.string() + " holds a " + model::to_string(model_.pipeline) +
                                 ", which makes pictures from text",
                             "To take a picture apart, give a QwenImageLayeredPipeline to --model.");
  }
  if (model_.vae.input_channels != 4) {
    throw common::InputError("the VAE reads " + std::to_string(model_.vae.input_channels) +
                                 " channels; taking a picture apart needs 4 (RGBA)",
                             "Give the folder of a Qwen-Image-Layered model to --model.");
  }
  const model::TokenGrid grid = grid_of(request, model_);
  common::ensure(grid.height > 0 && grid.width > 0, "a request's picture is smaller than one token");
  if (!request.init_latents.defined()) return;
  const std::vector<std::int64_t> expected{grid.latent_tokens(), model_.transformer.in_channels};
  if (request.init_latents.sizes() != at::IntArrayRef(expected)) {
    throw common::InputError("init_latents have " + std::to_string(request.init_latents.size(0)) +
                                 " tokens of " + std::to_string(request.init_latents.size(1)) +
                                 " channels; this picture needs " + std::to_string(expected[0]) + " of " +
                                 std::to_string(expected[1]),
                             "Make them for the same picture size and number of layers.");
  }
}

// Loads a network of type T, telling how far it is.
template <typename T, typename Config>
T Engine::load(Run& run, Network network, const Config& config) {
  const auto start = Clock::now();
  Progress progress{.phase = run.phase,
                    .work = Progress::Work::kLoad,
                    .done = 0,
                    .total = static_cast<std::int64_t>(weight_bytes(network)),
                    .network = network};
  if (progress.total > 0) run.tell(progress);
  T loaded({sources_.at(component_of(network)), config_.device, config_.dtype,
            [&](std::uint64_t bytes) {
              progress.done += static_cast<std::int64_t>(bytes);
              if (bytes > 0) run.tell(progress);
            }},
           config);
  wait_for(config_.device);
  figures_[run.phase].load_seconds += seconds_since(start);
  return loaded;
}

void Engine::begin_phase(Run& run, Phase phase) {
  release_unused(config_.device);  // what the phase before has let go
  reset_peak(config_.device);
  run.phase = phase;
  run.phase_start = Clock::now();
}

void Engine::end_phase(const Run& run) {
  wait_for(config_.device);
  PhaseFigures& figures = figures_[run.phase];
  figures.seconds = seconds_since(run.phase_start);
  figures.peak_bytes = memory_use(config_.device).peak;
}

void Engine::run(std::span<const Request> requests, const ProgressListener& listener, const ResultSink& sink,
                 const std::atomic<bool>& stop_requested) {
  for (const Request& request : requests) check(request);
  check_memory();
  Run run{requests, std::vector<Result>(requests.size()), listener, stop_requested};
  figures_ = {};
  try {
    encode(run);
    denoise(run);
    decode(run, sink);
  } catch (const c10::OutOfMemoryError& error) {
    std::uint64_t weights = 0;
    for (const Network network : kNetworks) {
      if (phase_of(network) == run.phase) weights = std::max(weights, weight_bytes(network));
    }
    throw out_of_memory(run.phase, weights, config_.device, error.what_without_backtrace());
  }
}

void Engine::encode(Run& run) {
  begin_phase(run, Phase::kEncode);
  {
    const auto encoder = load<model::TextEncoder>(run, Network::kTextEncoder, model_.text_encoder);
    run.begin(2 * static_cast<std::int64_t>(run.requests.size()));
    std::map<std::string, at::Tensor> known;  // equal prompts are encoded once
    const auto embed = [&](const std::string& prompt) {
      at::Tensor& embeds = known[prompt];
      if (!embeds.defined())
        embeds = model::encode_prompt(tokenizer_, encoder, model_.pipeline, prompt).cpu();
      return embeds;
    };
    for (std::size_t i = 0; i < run.requests.size(); ++i) {
      const Request& request = run.requests[i];
      run.results[i].prompt_embeds = embed(request.prompt);
      if (request.uses_guidance()) run.results[i].negative_prompt_embeds = embed(*request.negative_prompt);
      check_finite(run.results[i].prompt_embeds, "the prompt's embeddings");
      run.advance(i);
    }
  }
  const auto encoder = load<model::VaeEncoder>(run, Network::kVaeEncoder, model_.vae);
  for (std::size_t i = 0; i < run.requests.size(); ++i) {
    if (i > 0 && run.requests[i].picture.is_same(run.requests[i - 1].picture)) {
      run.results[i].image_latents = run.results[i - 1].image_latents;
    } else {
      const at::Tensor picture =
          model::picture_to_tensor(run.requests[i].picture).to(config_.device, config_.dtype);
      const at::Tensor latents = model::normalise_latents(encoder.forward(picture), model_.vae);
      run.results[i].image_latents = model::pack_latents(latents).cpu();
      check_finite(run.results[i].image_latents, "the picture's latents");
    }
    run.advance(i);
  }
  end_phase(run);
}

void Engine::denoise(Run& run) {
  begin_phase(run, Phase::kDenoise);
  const auto transformer = load<model::Transformer>(run, Network::kTransformer, model_.transformer);
  std::int64_t steps = 0;
  for (const Request& request : run.requests) steps += request.steps;
  run.begin(steps);
  const auto on_device = [&](const at::Tensor& x) { return x.to(config_.device, config_.dtype); };

  for (std::size_t i = 0; i < run.requests.size(); ++i) {
    const Request& request = run.requests[i];
    Result& result = run.results[i];
    const model::TokenGrid grid = grid_of(request, model_);
    result.init_latents =
        request.init_latents.defined()
            ? request.init_latents.to(config_.dtype)
            : model::draw_noise({grid.frames, model_.vae.z_dim, 2 * grid.height, 2 * grid.width},
                                request.seed, request.seed_device, config_.dtype)
                  .cpu();
    const model::Schedule schedule = model::make_schedule(model_.scheduler, model_.pipeline, request.steps,
                                                          model::layered_mu(grid.frame_tokens()));
    const auto rotary_for =
        [&, image = model::image_rotary_table(grid, model_.transformer.axes_dims_rope, config_.device)](
            const at::Tensor& prompt_embeds) {
          return model::JointRotary{image, model::text_rotary_table(grid, model_.transformer.axes_dims_rope,
                                                                    prompt_embeds.size(0), config_.device)};
        };
    const at::Tensor condition = on_device(result.image_latents);
    const at::Tensor prompt_embeds = on_device(result.prompt_embeds);
    const model::JointRotary rotary = rotary_for(prompt_embeds);
    at::Tensor negative_embeds;
    model::JointRotary negative_rotary;
    if (request.uses_guidance()) {
      negative_embeds = on_device(result.negative_prompt_embeds);
      negative_rotary = rotary_for(negative_embeds);
    }

    at::Tensor latents = on_device(result.init_latents);
    for (std::int64_t step = 0; step < request.steps; ++step) {
      const auto start = Clock::now();
      const double timestep = schedule.timesteps[static_cast<std::size_t>(step)];
      at::Tensor prediction = transformer.forward({latents, condition, prompt_embeds, timestep}, rotary);
      if (request.uses_guidance()) {
        const at::Tensor negative =
            transformer.forward({latents, condition, negative_embeds, timestep}, negative_rotary);
        prediction = model::guide(prediction, negative, request.cfg_scale, request.cfg_normalize);
      }
      latents = model::euler_step(schedule, step, latents, prediction);
      wait_for(config_.device);
      result.step_seconds.push_back(seconds_since(start));
      run.advance(i);
    }
    result.latents = latents.cpu();
    check_finite(result.latents, "the latents of result " + std::to_string(i));
  }
  end_phase(run);
}

void Engine::decode(Run& run, const ResultSink& sink) {
  begin_phase(run, Phase::kDecode);
  const auto decoder = load<model::VaeDecoder>(run, Network::kVaeDecoder, model_.vae);
  run.begin(static_cast<std::int64_t>(run.requests.size()));
  for (std::size_t i = 0; i < run.requests.size(); ++i) {
    Result result = std::move(run.results[i]);
    const model::TokenGrid grid = grid_of(run.requests[i], model_);
    const at::Tensor latents = model::unpack_latents(result.latents, grid).to(config_.device);
    // The first frame is the whole picture, made along with its layers.
    const at::Tensor layers = latents.narrow(0, 1, grid.frames - 1);
    result.decoded = decoder.forward(model::denormalise_latents(layers, model_.vae)).cpu();
    check_finite(result.decoded, "the layers of result " + std::to_string(i));
    end_phase(run);
    const auto decoded = Clock::now();
    sink(i, std::move(result));
    run.phase_start += Clock::now() - decoded;  // what the sink takes is not decoding
    run.advance(i);
  }
}

}  // namespace layerpipe::runtime
