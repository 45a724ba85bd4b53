#include "runtime/plan/whole_plan.h"

namespace layerpipe::runtime {

partition::Plan whole_plan(const model::ModelConfig& model) {
  partition::Plan plan;
  plan.fits = true;
  plan.residency = {partition::Residency::kPhased, partition::Residency::kPhased,
                    partition::Residency::kPhased};
  partition::StagePlan stage;
  stage.blocks = {0, model.transformer.num_layers};
  stage.text_layers = {0, model.text_encoder.num_hidden_layers};
  stage.vae_percent = 100;
  plan.stages = {stage};
  return plan;
}

}  // namespace layerpipe::runtime
