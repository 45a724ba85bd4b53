#include "model/pipeline/pipeline.h"

#include "common/errors.h"
#include "model/pipeline/pipelines.h"

namespace layerpipe::model {

TokenGrid Pipeline::token_grid(const ModelConfig& model, const common::Size& picture,
                               std::int64_t layers) const {
  const std::int64_t pixels_per_token = model.vae.spatial_compression_ratio() * model.transformer.patch_size;
  return {.frames = frames(layers),
          .height = picture.height / pixels_per_token,
          .width = picture.width / pixels_per_token,
          .has_condition = has_condition()};
}

LatentShape Pipeline::latent_shape(const ModelConfig& model, const TokenGrid& grid) const {
  return {.frames = grid.frames,
          .channels = model.vae.z_dim,
          .height = model.transformer.patch_size * grid.height,
          .width = model.transformer.patch_size * grid.width};
}

Schedule Pipeline::schedule(const SchedulerConfig& config, std::int64_t steps,
                            std::int64_t frame_tokens) const {
  common::ensure(steps >= 1, "a schedule needs at least one step");
  return make_schedule(config, noise_levels(steps), mu(config, frame_tokens));
}

const Pipeline& pipeline_of(PipelineClass pipeline) {
  switch (pipeline) {
    case PipelineClass::kLayered:
      return layered_pipeline();
    case PipelineClass::kTextToImage:
      return text_to_image_pipeline();
  }
  throw common::InternalError("there is no such pipeline");
}

}  // namespace layerpipe::model
