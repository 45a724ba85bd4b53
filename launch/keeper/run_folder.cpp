#include "launch/keeper/run_folder.h"

#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>

namespace layerpipe::launch {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSharedMemory = "/dev/shm";

bool can_be_made(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  return fs::is_directory(folder, error) && ::access(folder.c_str(), W_OK | X_OK) == 0;
}

}  // namespace

std::vector<fs::path> temporary_folders() {
  std::vector<fs::path> folders;
  const char* wanted = std::getenv("TMPDIR");
  if (wanted != nullptr && *wanted != '\0') folders.emplace_back(wanted);
  for (const char* usual : {"/tmp", "/var/tmp", kSharedMemory}) {
    if (folders.empty() || folders.front() != usual) folders.emplace_back(usual);
  }
  return folders;
}

std::optional<std::string> reason_against(const fs::path& folder, std::uintmax_t space) {
  std::error_code error;
  if (!fs::exists(folder, error)) return "is not there";
  if (!fs::is_directory(folder, error)) return "is not a folder";
  // Permissions do not tell what a network's file system, or /proc, allows.
  std::string probe = folder / "layerpipe.XXXXXX";
  struct statvfs system {};
  if (::mkdtemp(probe.data()) == nullptr || ::rmdir(probe.c_str()) != 0 ||
      ::statvfs(folder.c_str(), &system) != 0)
    return "cannot be written to: " + std::generic_category().message(errno);
  const std::uintmax_t available = static_cast<std::uintmax_t>(system.f_bavail) * system.f_frsize;
  if (available < space) {
    return "has " + std::to_string(available >> 20U) + " MiB left, and " + std::to_string(space >> 20U) +
           " MiB are needed";
  }
  return {};
}

std::optional<fs::path> choose_folder(const std::vector<fs::path>& candidates, std::uintmax_t space,
                                      std::vector<UnusableFolder>& passed_over) {
  for (const fs::path& folder : candidates) {
    const std::optional<std::string> reason = reason_against(folder, space);
    if (!reason) return folder;
    passed_over.push_back({folder, *reason});
  }
  return {};
}

fs::path make_run_folder(const fs::path& parent) {
  std::string name = fs::absolute(parent) / "layerpipe.XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) throw std::system_error(errno, std::generic_category(), name);
  return name;
}

std::optional<fs::path> rank_folder(const fs::path& run_folder) {
  std::error_code error;
  if (fs::is_directory(run_folder, error)) {
    if (can_be_made(run_folder / "ranks")) return run_folder / "ranks";
    return {};
  }
  std::vector<fs::path> places{run_folder.parent_path()};
  for (const fs::path& place : temporary_folders()) places.push_back(place);
  for (const fs::path& place : places) {
    const fs::path folder = place / (run_folder.filename().string() + ".ranks");
    if (fs::is_directory(place, error) && can_be_made(folder)) return folder;
  }
  return {};
}

fs::path shared_memory_folder(const fs::path& run_folder) {
  std::error_code error;
  if (!fs::is_directory(kSharedMemory, error)) return {};
  return fs::path(kSharedMemory) / run_folder.filename();
}

}  // namespace layerpipe::launch
