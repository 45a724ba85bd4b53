// One run at a time writes results into a folder.
#pragma once

#include <filesystem>

#include "common/descriptor.h"

namespace layerpipe::results {

// Holds a folder as long as the object lives. A file in it is locked with flock(), so the system lets go when
// the process ends, however it ends; what a killed one leaves is an empty promise, and the next one takes it
// over. The file goes with the object. Where the file system keeps no locks (Lustre without "flock", some of
// FUSE) nothing is held, and is_held() says so. On NFS the server keeps them, so that they hold between
// hosts.
class FolderLock {
 public:
  static constexpr const char* kFileName = ".layerpipe.lock";

  // `folder` is there. Throws InputError naming the folder and who holds it; OutputError when the file cannot
  // be made.
  explicit FolderLock(const std::filesystem::path& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

  bool is_held() const noexcept { return is_held_; }

 private:
  std::filesystem::path file_;
  common::Descriptor descriptor_;
  bool is_held_ = false;
};

}  // namespace layerpipe::results
