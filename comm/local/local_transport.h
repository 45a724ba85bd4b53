// Ranks that are threads of one process: for tests, and for one rank alone.
#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include "comm/communicator.h"
#include "comm/transport.h"

namespace layerpipe::comm {

// Transports of ranks 0 … size − 1 that reach each other. One thread for all of them copies the messages, so
// that data moves while the ranks compute. Messages to a rank that has closed its transport stay posted.
std::vector<std::shared_ptr<Transport>> make_local_transports(int size);

// Communicators of ranks 0 … size − 1, each to be used, and destroyed, by a thread of its own.
std::vector<std::unique_ptr<Communicator>> connect_local(int size, std::chrono::milliseconds timeout);

}  // namespace layerpipe::comm
