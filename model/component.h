// A component of a model folder: its weights beside its config.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "model/weights/safetensors.h"

namespace layerpipe::model {

// The weights of one component: those of its file in `files`, or of its own folder. Throws as
// SafetensorsSource does, and InputError where config.json says that fp8 weights have scales and they have
// none: without them they stand for other numbers.
std::shared_ptr<const SafetensorsSource> open_component(const std::filesystem::path& model,
                                                        const std::string& component,
                                                        const std::string& variant,
                                                        const ComponentFiles& files);

}  // namespace layerpipe::model
