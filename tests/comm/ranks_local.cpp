#include <thread>

#include "comm/local/local_transport.h"
#include "tests/comm/ranks.h"

namespace layerpipe::testing {

std::vector<int> sizes_of_sets() {
  return {1, 2, 3, 4};
}

void on_all_ranks(int size, const std::function<void(comm::Communicator&)>& body,
                  std::chrono::milliseconds timeout) {
  std::vector<std::jthread> ranks;
  for (auto& communicator : comm::connect_local(size, timeout)) {
    ranks.emplace_back([&body, mine = std::move(communicator)]() mutable {
      run_body(body, *mine);
      mine.reset();
    });
  }
}

}  // namespace layerpipe::testing
