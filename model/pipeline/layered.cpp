// A picture taken apart. Source: diffusers, QwenImageLayeredPipeline.
#include <cmath>

#include "common/errors.h"
#include "model/pipeline/pipelines.h"

namespace layerpipe::model {
namespace {

constexpr std::int64_t kRgbaChannels = 4;

class LayeredPipeline : public Pipeline {
 public:
  void check_takes_picture(const ModelConfig& model, const std::string&) const override {
    if (model.vae.input_channels == kRgbaChannels) return;
    throw common::InputError("the VAE reads " + std::to_string(model.vae.input_channels) +
                                 " channels; taking a picture apart needs 4 (RGBA)",
                             "Give the folder of a Qwen-Image-Layered model to --model.");
  }

  // The first frame is the whole picture, made along with its layers.
  common::Range decoded_frames(const TokenGrid& grid) const override { return {1, grid.frames}; }

  // sqrt(condition tokens / 256).
  double mu(const SchedulerConfig&, std::int64_t frame_tokens) const override {
    constexpr double kBaseTokens = 256.0;
    return std::pow(static_cast<double>(frame_tokens) / kBaseTokens, 0.5);
  }

  PromptTemplate prompt_template() const override { return describe_image_template(); }

 private:
  std::int64_t frames(std::int64_t layers) const override { return layers + 1; }
  bool has_condition() const override { return true; }

  std::vector<double> noise_levels(std::int64_t steps) const override {
    std::vector<double> levels = linspace(1.0, 0.0, steps + 1);
    levels.pop_back();
    return levels;
  }
};

}  // namespace

const Pipeline& layered_pipeline() {
  static const LayeredPipeline pipeline;
  return pipeline;
}

}  // namespace layerpipe::model
