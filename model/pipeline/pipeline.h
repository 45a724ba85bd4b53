// What makes one model's way to a picture different from another's. All of it stands in this folder, so that
// a new pipeline is a new source file here, and its name in PipelineClass.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/range.h"
#include "common/size.h"
#include "model/config.h"
#include "model/latents.h"
#include "model/pipeline/prompt_template.h"
#include "model/pipeline/token_grid.h"
#include "model/scheduler.h"

namespace layerpipe::model {

// Holds nothing: every answer follows from the arguments. Thread-safe.
class Pipeline {
 public:
  virtual ~Pipeline() = default;

  // Throws InputError unless the model, which messages call `name`, takes a picture apart.
  virtual void check_takes_picture(const ModelConfig& model, const std::string& name) const = 0;

  // The grid of a picture of that size, in pixels, and its layers.
  TokenGrid token_grid(const ModelConfig& model, const common::Size& picture, std::int64_t layers) const;
  // Of the latents that are denoised, as the VAE and the noise have them.
  LatentShape latent_shape(const ModelConfig& model, const TokenGrid& grid) const;
  // Which of the grid's frames are decoded, one after the other.
  virtual common::Range decoded_frames(const TokenGrid& grid) const = 0;

  // Shifted by mu(). `frame_tokens` are those of one frame. steps ≥ 1.
  Schedule schedule(const SchedulerConfig& config, std::int64_t steps, std::int64_t frame_tokens) const;
  // The shift of the noise levels.
  virtual double mu(const SchedulerConfig& config, std::int64_t frame_tokens) const = 0;

  virtual PromptTemplate prompt_template() const = 0;

 private:
  virtual std::int64_t frames(std::int64_t layers) const = 0;
  // Whether the picture itself is a frame behind those that are denoised.
  virtual bool has_condition() const = 0;
  // The noise levels before they are shifted, `steps` of them; the one where the run ends is not among them.
  virtual std::vector<double> noise_levels(std::int64_t steps) const = 0;
};

const Pipeline& pipeline_of(PipelineClass pipeline);

}  // namespace layerpipe::model
