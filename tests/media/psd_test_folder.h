// Where tests write PSD files: a folder of its own for each, and a disk that is full.
#pragma once

#include <sys/resource.h>
#include <unistd.h>

#include <csignal>

#include "tests/media/media_test_data.h"

namespace layerpipe::media {

class PsdFolderTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "/layerpipe_psd_XXXXXX";
    folder_ = ::mkdtemp(name.data());
    file_ = folder_ / "a.psd";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path folder_;
  std::filesystem::path file_;  // in the folder; not there
};

// Files of this process may not grow beyond `bytes` for a while: as near to a full disk as a test gets.
class SmallDisk {
 public:
  explicit SmallDisk(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit small{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &small);
  }
  ~SmallDisk() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

 private:
  void (*handler_)(int);
  rlimit before_{};
};

}  // namespace layerpipe::media
