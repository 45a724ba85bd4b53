// Pieces of a file that are made side by side and follow one another. Standard library only.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

namespace layerpipe::media {

struct PieceMaker {
  // Gives piece `index`; called once for each, by any thread, several at a time.
  std::function<std::vector<std::byte>(std::size_t index)> make;
  // Gets every piece in the order of the indices, by one thread at a time.
  std::function<void(std::size_t index, std::span<const std::byte> piece)> take;
};

// Makes `count` pieces on up to `threads` threads, the caller's among them. A thread holds one piece at a
// time, so memory does not grow with their number; where the system gives no more threads, fewer do it.
// Throws the first of what `make` and `take` throw, when all threads have ended.
void make_in_order(std::size_t count, int threads, const PieceMaker& maker);

}  // namespace layerpipe::media
