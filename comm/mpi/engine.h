// The one thread that makes all calls of MPI.
#pragma once

#include <mpi.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "comm/transport.h"

namespace layerpipe::comm::mpi {

// Throws PeerFailedError with MPI's own text unless `code` is success.
void require(int code, const char* call);

// What a transport asks for.
struct Order {
  enum class Kind { kSend, kReceive };
  Kind kind = Kind::kSend;
  int owner = 0;  // number of the transport
  int peer = 0;
  int tag = 0;
  std::span<const std::byte> source;
  std::span<std::byte> target;
  Completion completion;
};

// Between MPI_Init and MPI_Finalize, which are for the thread that makes the engine.
class Engine {
 public:
  Engine();
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  void submit(Order order);
  // Ends what `owner` has posted: receives are withdrawn, sends have `grace` to be taken. What is still under
  // way then keeps its memory until the engine ends.
  void withdraw(int owner, std::chrono::milliseconds grace);

 private:
  using Clock = std::chrono::steady_clock;

  void run();
  // Each says whether there was something to do.
  bool begin_orders();
  bool finish_transfers();
  bool serve_withdrawal();
  void rest(int idle_turns);
  void begin(Order order);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Order> orders_;
  int withdrawing_ = 0;  // number of the transport; 0 when there is none
  Clock::time_point withdraw_until_;
  bool stop_ = false;

  // The thread alone uses these. The two lists belong together, in the order of posting.
  std::vector<MPI_Request> requests_;
  std::vector<Order> active_;
  bool cancelled_ = false;  // the receives of the one that is withdrawing
  std::thread thread_;
};

}  // namespace layerpipe::comm::mpi
