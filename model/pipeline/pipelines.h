// The pipelines that there are, one a source file; pipeline_of() chooses.
#pragma once

#include "model/pipeline/pipeline.h"

namespace layerpipe::model {

const Pipeline& layered_pipeline();
const Pipeline& text_to_image_pipeline();

}  // namespace layerpipe::model
