// Where the committed fixtures lie.
#pragma once

#include <filesystem>

namespace layerpipe::testing {

inline std::filesystem::path test_data() {
  return LAYERPIPE_TEST_DATA;
}

}  // namespace layerpipe::testing
