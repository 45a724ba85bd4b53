// Threads that read pieces of files one behind the other, while whoever wants them goes on.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace layerpipe::model {

// A queue of pieces, and the threads that take them off it: none waits for another, as the parts of a
// parallel loop do at its end. Used by one thread.
class ReadingThreads {
 public:
  // A piece of work; told which of the threads does it, from 0 on.
  using Piece = std::function<void(int thread)>;

  // `most_waiting`: so many pieces wait for a thread, at most.
  ReadingThreads(int threads, std::size_t most_waiting);
  ReadingThreads(const ReadingThreads&) = delete;
  ReadingThreads& operator=(const ReadingThreads&) = delete;
  // Lets the pieces end that have begun; those that have not are dropped.
  ~ReadingThreads();

  int count() const noexcept { return static_cast<int>(threads_.size()); }

  // Returns as soon as the piece waits for a thread. Behind one that threw, pieces are dropped until
  // finish().
  void add(Piece piece);

  // Until all that was added has ended. Throws what the first piece threw that did so since the last call.
  void finish();

 private:
  void run(int thread) noexcept;

  std::size_t most_waiting_;
  std::mutex mutex_;
  std::condition_variable added_;  // or the end has come
  std::condition_variable taken_;  // or a piece has ended
  // Guarded by the mutex:
  std::deque<Piece> waiting_;
  int at_work_ = 0;
  std::exception_ptr failure_;
  bool is_ending_ = false;

  std::vector<std::thread> threads_;
};

}  // namespace layerpipe::model
