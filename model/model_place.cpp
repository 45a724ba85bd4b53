#include "model/model_place.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>
#include <regex>
#include <string>
#include <vector>

#include "common/errors.h"
#include "common/files.h"
#include "common/texts.h"

namespace layerpipe::model {
namespace {

namespace fs = std::filesystem;

constexpr const char* kIndex = "model_index.json";
constexpr const char* kRepositoryPrefix = "models--";

bool is_model(const fs::path& folder) {
  std::error_code error;
  return fs::is_regular_file(folder / kIndex, error);
}

bool is_folder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

std::vector<fs::path> folders_in(const fs::path& folder) {
  std::vector<fs::path> folders;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (is_folder(entry.path())) folders.push_back(entry.path());
  }
  std::sort(folders.begin(), folders.end());
  return folders;
}

// "layers" of "layers/" too.
fs::path without_end(const fs::path& path) {
  const fs::path normal = path.lexically_normal();
  return normal.has_filename() ? normal : normal.parent_path();
}

std::string name_of(const fs::path& folder) {
  return without_end(folder).filename().string();
}

std::string give(const fs::path& folder) {
  return "Give " + common::shell_word(folder.string()) + " to --model.";
}

// `repository` is "Qwen/Qwen-Image-Layered".
std::string download(const std::string& repository) {
  const std::string folder = repository.substr(repository.find('/') + 1);
  return "Download it: hf download " + repository + " --local-dir " + folder + ", and give --model " +
         folder + ".";
}

// The model in a repository's folder of the cache: the snapshot that "main" names, or the newest one.
std::optional<fs::path> snapshot_of(const fs::path& repository) {
  std::error_code error;
  const fs::path main = repository / "refs" / "main";
  if (fs::is_regular_file(main, error)) {
    std::string hash = common::read_text_file(main, 4096);
    hash.erase(hash.find_last_not_of(" \r\n") + 1);
    const fs::path snapshot = repository / "snapshots" / hash;
    if (is_model(snapshot)) return snapshot;
  }
  std::optional<fs::path> newest;
  fs::file_time_type time = fs::file_time_type::min();
  for (const fs::path& snapshot : folders_in(repository / "snapshots")) {
    const auto written = fs::last_write_time(snapshot, error);
    if (!is_model(snapshot) || (newest && written < time)) continue;
    newest = snapshot;
    time = written;
  }
  return newest;
}

// "Qwen/Qwen-Image-Layered" of the folder models--Qwen--Qwen-Image-Layered; empty for another folder.
std::string repository_of(const fs::path& folder) {
  const std::string name = name_of(folder);
  if (!name.starts_with(kRepositoryPrefix)) return {};
  const std::string repository = name.substr(std::string_view(kRepositoryPrefix).size());
  const auto joint = repository.find("--");
  if (joint == repository.npos) return repository;
  return (fs::path(repository.substr(0, joint)) / repository.substr(joint + 2)).string();
}

[[noreturn]] void refuse_repository(const fs::path& path, const fs::path& repository) {
  const std::string what = path.string() + " belongs to the cache of Hugging Face's hub";
  if (const auto snapshot = snapshot_of(repository)) {
    throw common::InputError(what + "; the model lies in one of its snapshots", give(*snapshot));
  }
  const std::string name = repository_of(repository);
  throw common::InputError(what + ", and none of its snapshots has a " + kIndex,
                           name.find('/') == name.npos
                               ? "Give the folder of a model in diffusers layout to --model."
                               : download(name));
}

// All models of a cache.
std::vector<fs::path> models_in_cache(const fs::path& cache) {
  std::vector<fs::path> models;
  for (const fs::path& folder : folders_in(cache)) {
    if (repository_of(folder).empty()) continue;
    if (const auto snapshot = snapshot_of(folder)) models.push_back(*snapshot);
  }
  return models;
}

bool is_cache(const fs::path& folder) {
  const auto folders = folders_in(folder);
  return std::any_of(folders.begin(), folders.end(),
                     [](const fs::path& inner) { return !repository_of(inner).empty(); });
}

[[noreturn]] void refuse_cache(const fs::path& path, const fs::path& cache) {
  const std::string what = path.string() + " is a cache of Hugging Face's hub, not a model folder";
  std::vector<std::string> models;
  for (const fs::path& model : models_in_cache(cache)) models.push_back(common::shell_word(model.string()));
  if (models.empty())
    throw common::InputError(what + "; no pipeline is in it", download("Qwen/Qwen-Image-Layered"));
  throw common::InputError(what, "Give " + common::listed(common::first_of(models), "or") + " to --model.");
}

// Where Hugging Face's programs put what they download.
std::vector<fs::path> caches() {
  struct Place {
    const char* variable;
    const char* below;
  };
  constexpr std::array kPlaces{Place{"HF_HUB_CACHE", ""}, Place{"HUGGINGFACE_HUB_CACHE", ""},
                               Place{"HF_HOME", "hub"}, Place{"XDG_CACHE_HOME", "huggingface/hub"},
                               Place{"HOME", ".cache/huggingface/hub"}};
  std::vector<fs::path> found;
  for (const Place& place : kPlaces) {
    const char* folder = std::getenv(place.variable);
    if (folder != nullptr && *folder != '\0') found.push_back(without_end(fs::path(folder) / place.below));
  }
  return found;
}

// "Qwen/Qwen-Image-Layered", also behind the hub's address; empty for what is no such name.
std::string repository_in(const std::string& text) {
  static const std::regex form(
      R"((?:https?://huggingface\.co/|hf://)?([A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*)/?)");
  std::smatch match;
  return std::regex_match(text, match, form) ? match[1].str() : std::string();
}

[[noreturn]] void refuse_repository_name(const fs::path& path, const std::string& repository) {
  const auto joint = repository.find('/');
  const std::string folder =
      kRepositoryPrefix + repository.substr(0, joint) + "--" + repository.substr(joint + 1);
  const std::string what =
      "there is no folder " + path.string() + "; it looks like the name of a model on Hugging Face's hub";
  for (const fs::path& cache : caches()) {
    if (const auto snapshot = snapshot_of(cache / folder))
      throw common::InputError(what + ", which is in the cache", give(*snapshot));
  }
  throw common::InputError(what, download(repository));
}

// A model folder one or two levels above `path`, or just below it; nothing when there is none, or more than
// one.
std::optional<fs::path> model_near(const fs::path& path) {
  fs::path above = without_end(path);
  for (int level = 0; level < 2 && above.has_filename(); ++level) {
    above = above.has_parent_path() ? above.parent_path() : fs::path(".");
    if (is_model(above)) return above;
    if (above == ".") break;
  }
  std::vector<fs::path> below = folders_in(path);
  std::erase_if(below, [](const fs::path& folder) { return !is_model(folder); });
  if (below.size() == 1) return below.front();
  return std::nullopt;
}

// The repository's folder of the cache that `path` is, or is a part of; empty for one elsewhere.
fs::path repository_around(const fs::path& path) {
  fs::path folder = without_end(path);
  if (is_folder(folder / "snapshots")) return folder;
  for (int level = 0; level < 2 && folder.has_parent_path(); ++level) {
    const bool is_snapshots = folder.filename() == "snapshots";
    folder = folder.parent_path();
    if (is_snapshots && !repository_of(folder).empty()) return folder;
  }
  return {};
}

}  // namespace

void refuse_no_model(const fs::path& path) {
  const bool is_there = fs::exists(path);
  if (!is_there) {
    const std::string repository = repository_in(path.string());
    if (!repository.empty()) refuse_repository_name(path, repository);
  }
  const fs::path folder = without_end(path);
  if (const fs::path repository = repository_around(path); !repository.empty())
    refuse_repository(path, repository);
  if (is_cache(path)) refuse_cache(path, folder);
  if (is_cache(path / "hub")) refuse_cache(path, folder / "hub");
  std::error_code error;
  const std::string what = fs::is_regular_file(path, error)
                               ? path.string() + " is a file, not a model folder"
                               : path.string() + " is not a model folder: it has no " + kIndex;
  const auto near = is_there ? model_near(path) : std::nullopt;
  throw common::InputError(what,
                           near ? give(*near) : "Give the folder of a model in diffusers layout to --model.");
}

}  // namespace layerpipe::model
