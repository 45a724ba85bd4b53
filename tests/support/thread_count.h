// Sets how many threads LibTorch uses, and sets it back when the object goes.
#pragma once

#include <ATen/Parallel.h>

namespace layerpipe::testing {

class ThreadCount {
 public:
  explicit ThreadCount(int count) : before_(at::get_num_threads()) { at::set_num_threads(count); }
  ~ThreadCount() { at::set_num_threads(before_); }
  ThreadCount(const ThreadCount&) = delete;
  ThreadCount& operator=(const ThreadCount&) = delete;

 private:
  int before_;
};

}  // namespace layerpipe::testing
