// A picture from text. Source: diffusers, QwenImagePipeline.
#include "common/errors.h"
#include "model/pipeline/pipelines.h"

namespace layerpipe::model {
namespace {

class TextToImagePipeline : public Pipeline {
 public:
  void check_takes_picture(const ModelConfig& model, const std::string& name) const override {
    throw common::InputError(
        name + " holds a " + to_string(model.pipeline) + ", which makes pictures from text",
        "To take a picture apart, give a QwenImageLayeredPipeline to --model.");
  }

  common::Range decoded_frames(const TokenGrid& grid) const override { return {0, grid.frames}; }

  // Linear between the scheduler's base and max shift in the number of image tokens.
  double mu(const SchedulerConfig& config, std::int64_t frame_tokens) const override {
    const auto base = static_cast<double>(config.base_image_seq_len);
    const double slope =
        (config.max_shift - config.base_shift) / (static_cast<double>(config.max_image_seq_len) - base);
    const double offset = config.base_shift - slope * base;
    return static_cast<double>(frame_tokens) * slope + offset;
  }

  PromptTemplate prompt_template() const override {
    constexpr std::int64_t kMostTokens = 1024;
    PromptTemplate words = describe_image_template();
    words.most_tokens = kMostTokens + words.dropped_tokens;
    return words;
  }

 private:
  std::int64_t frames(std::int64_t) const override { return 1; }
  bool has_condition() const override { return false; }

  std::vector<double> noise_levels(std::int64_t steps) const override {
    return linspace(1.0, 1.0 / static_cast<double>(steps), steps);
  }
};

}  // namespace

const Pipeline& text_to_image_pipeline() {
  static const TextToImagePipeline pipeline;
  return pipeline;
}

}  // namespace layerpipe::model
