// What a model costs for one workload, as partition/ wants to know it: every weight measured through the
// model's own headers, everything else from the formulas that lie beside the networks.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "common/size.h"
#include "model/ops/cpu_bf16.h"
#include "model/pipeline/prompt_template.h"
#include "model/transformer/transformer_cost.h"
#include "partition/cost.h"
#include "runtime/networks/model_folder.h"

namespace layerpipe::runtime {

struct CostWorkload {
  common::Size picture;  // the size that it is worked on at
  std::int64_t layers = 4;
  std::int64_t prompt_tokens = model::kLongestPrompt;  // as the transformer reads them
  std::int64_t branches = 2;                           // 1 without guidance
  at::Device device = at::kCPU;                        // need not be there
  at::ScalarType dtype = at::kFloat;
  Linears linears = Linears::kAsStored;
  std::int64_t threads = 1;                        // of a rank on the CPU
  bool cpu_has_bf16 = model::ops::cpu_has_bf16();  // of all ranks on the CPU
  bool over_nccl = true;                           // the edges between GPUs
};

// What the transformer works on in one microbatch.
model::TransformerTokens transformer_tokens(const model::ModelConfig& config, const CostWorkload& workload);

// Reads headers of weight files, no weights. Throws InputError when the files lack a tensor.
partition::ModelCost model_cost(const ModelFolder& model, const CostWorkload& workload);

}  // namespace layerpipe::runtime
