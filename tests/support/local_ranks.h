// Runs a function on several ranks that are threads of this process.
#pragma once

#include <chrono>
#include <exception>
#include <functional>
#include <thread>
#include <vector>

#include "comm/local/local_transport.h"

namespace layerpipe::testing {

// What each rank's function threw, by rank; nothing where it came to its end. The others are told.
inline std::vector<std::exception_ptr> try_on_local_ranks(
    int size, std::chrono::milliseconds timeout, const std::function<void(comm::Communicator&)>& body) {
  std::vector<std::unique_ptr<comm::Communicator>> communicators = comm::connect_local(size, timeout);
  std::vector<std::exception_ptr> thrown(static_cast<std::size_t>(size));
  std::vector<std::thread> threads;
  for (std::size_t rank = 0; rank < thrown.size(); ++rank) {
    threads.emplace_back([&, rank] {
      const std::unique_ptr<comm::Communicator> communicator = std::move(communicators[rank]);
      try {
        body(*communicator);
      } catch (const std::exception& error) {
        thrown[rank] = std::current_exception();
        communicator->abort({.reason = error.what()});
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return thrown;
}

// The same, for functions that are to come to their end.
inline void on_local_ranks(int size, const std::function<void(comm::Communicator&)>& body) {
  for (const std::exception_ptr& thrown : try_on_local_ranks(size, std::chrono::seconds(60), body)) {
    if (thrown) std::rethrow_exception(thrown);
  }
}

}  // namespace layerpipe::testing
