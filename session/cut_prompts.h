// Prompts that are longer than what the model reads.
#pragma once

#include <string>
#include <vector>

#include "runtime/networks/model_folder.h"
#include "session/inputs.h"

namespace layerpipe::session {

// Notes in each result's record what the model does not read of its prompts, the negative one only where it
// is used, and gives a sentence for each such prompt.
std::vector<std::string> note_cut_prompts(const runtime::ModelFolder& model, Work& work);

}  // namespace layerpipe::session
