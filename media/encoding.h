// How pictures are encoded: on how many threads, and who hears that it goes on. Standard library only.
#pragma once

#include <functional>

namespace layerpipe::media {

// Nothing in it changes a byte of what is written.
struct EncodingWork {
  int threads = 1;  // that may work on one picture, the caller's among them
  // Called after every part of a picture, by any of these threads, several at a time; may be empty. What it
  // throws ends the encoding, and is thrown by the encoder.
  std::function<void()> moved;
};

}  // namespace layerpipe::media
