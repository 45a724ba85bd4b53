#include <gtest/gtest.h>

#include "tests/comm/ranks.h"

namespace layerpipe::testing {

void run_body(const std::function<void(comm::Communicator&)>& body, comm::Communicator& communicator) {
  try {
    body(communicator);
  } catch (const std::exception& error) {
    ADD_FAILURE() << "rank " << communicator.rank() << ": " << error.what();
    communicator.abort({.reason = error.what()});
  }
}

}  // namespace layerpipe::testing
