#include "results/output_path.h"

#include <unistd.h>

#include "common/errors.h"

namespace layerpipe::results {

namespace fs = std::filesystem;

bool is_folder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(fs::symlink_status(path, error));
}

fs::path folder_of(const fs::path& file) {
  return file.has_parent_path() ? file.parent_path() : fs::path(".");
}

void check_output_file(const std::string& option, const fs::path& file) {
  if (is_folder(file)) throw common::InputError(option + " is a folder", "Give the name of a file in it.");
  const fs::path folder = folder_of(file);
  if (!is_folder(folder)) {
    throw common::InputError(option + ": there is no folder " + folder.string(),
                             "Make it, or choose another file.");
  }
  if (::access(folder.c_str(), W_OK) != 0) {
    throw common::InputError(option + ": the folder " + folder.string() + " may not be written",
                             "Choose another file.");
  }
}

}  // namespace layerpipe::results
