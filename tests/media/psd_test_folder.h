// A folder of its own for each test that writes PSD files.
#pragma once

#include <unistd.h>

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

}  // namespace layerpipe::media
