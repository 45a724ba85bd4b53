// How a build without a kind's library refuses a picture of that kind.
#pragma once

#include "tests/media/media_test_data.h"

namespace layerpipe::media {

inline void expect_not_built(const std::string& file, const std::string& kind, const std::string& library,
                             const std::string& package) {
  expect_refused(
      media_data(file),
      {file, " is " + kind + "; this layerpipe was built without " + library + ", which reads such",
       "Install it (Debian, Ubuntu: " + package +
           ") and build layerpipe again, or save the picture as PNG and give that file."});
}

}  // namespace layerpipe::media
