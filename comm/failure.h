// Why the ranks of a set stopped, and the words for it. Standard library only.
#pragma once

#include <cstdint>
#include <string>

#include "common/errors.h"

namespace layerpipe::comm {

enum class Blame : std::int32_t {
  kTold = 0,          // the rank said itself why it stops
  kSilent = 1,        // no heartbeat: killed, stopped, or its machine or network is gone
  kStandsStill = 2,   // it lives and does not move
  kNothingMoves = 3,  // ranks wait for each other: a message was lost
  kLeft = 4,          // it ended its work while it was still awaited
  kConnection = 5,    // a transfer failed, or what came cannot be used
  kStopped = 6,       // this rank alone was asked to stop: a signal
  kKilled = 7,        // its process ended without a word, as its keeper saw (launch/keeper)
  kAllStopped = 8,    // all ranks were asked to stop: Ctrl-C, or the end of a job
};

// Why a rank stopped, as it is told to the others. A rank that tells of itself fills in reason and remedy;
// the communicator adds the rest.
struct Failure {
  int rank = -1;
  std::string host;
  std::string doing;  // "stage 1: denoise, step 3, request 0": what the rank was at
  std::string
      reason;  // kTold, kStopped, kAllStopped: a sentence without its full stop; else what follows the name
  std::string remedy;  // what to do next
  Blame blame = Blame::kTold;
  std::int32_t signal = 0;  // kStopped, kAllStopped: the signal that asked
};

// "rank 2 on host h (stage 2: denoise, step 3, request 0) has been silent for 5.0 s"
std::string message(const Failure& failure);
// What PeerFailedError says to people to do next: the failure's own remedy, or what fits the blame.
std::string remedy(const Failure& failure);
common::PeerFailedError to_error(const Failure& failure);

// Which rank is to print the message, so that people read it once: the one that told of itself, for ranks
// that were all asked to stop the first one, otherwise the lowest one that is not blamed.
int speaker(const Failure& failure);

}  // namespace layerpipe::comm
