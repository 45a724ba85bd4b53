// What somebody gave in place of a model folder.
#pragma once

#include <filesystem>

namespace layerpipe::model {

// Throws InputError for a path without a model_index.json, and names what it is instead where that can be
// seen: a cache of Hugging Face's hub or one model in it, a repository's name (which is looked up in the
// cache that the environment names: HF_HUB_CACHE, HF_HOME, XDG_CACHE_HOME, HOME), a part of a model folder, a
// folder around one, a file. The cure names the folder to give, or the command that downloads the model.
[[noreturn]] void refuse_no_model(const std::filesystem::path& path);

}  // namespace layerpipe::model
