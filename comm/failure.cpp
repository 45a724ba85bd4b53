#include "comm/failure.h"

namespace layerpipe::comm {

std::string message(const Failure& failure) {
  std::string text = "rank " + std::to_string(failure.rank);
  if (!failure.host.empty()) text += " on host " + failure.host;
  if (!failure.doing.empty()) text += " (" + failure.doing + ")";
  switch (failure.blame) {
    case Blame::kTold:
      return text + " failed: " + failure.reason;
    case Blame::kStopped:
    case Blame::kAllStopped:
      return text + " was asked to stop: " + failure.reason;
    case Blame::kConnection:
      return "the connection to " + text + " failed: " + failure.reason;
    default:
      return text + " " + failure.reason;
  }
}

std::string remedy(const Failure& failure) {
  if (!failure.remedy.empty()) return failure.remedy;
  switch (failure.blame) {
    case Blame::kTold:
      return "Look at what that rank printed, and start again.";
    case Blame::kKilled:
      return "Look for what ended its process (dmesg names those that the kernel ended for want of memory), "
             "then "
             "start again.";
    case Blame::kSilent:
      return "Look whether its process was killed (dmesg names those that the kernel ended for want of "
             "memory) "
             "and whether its machine and network are up, then start again.";
    case Blame::kStandsStill:
      return "If it is only slow, allow more with --timeout; otherwise look at its device and its machine "
             "before starting again.";
    case Blame::kNothingMoves:
    case Blame::kConnection:
      return "Check the network between the machines and that all ranks run the same build of layerpipe, "
             "then "
             "start again.";
    case Blame::kStopped:
    case Blame::kAllStopped:
      return "Start again when you like.";
    case Blame::kLeft:
      return "Start all ranks with the same options and the same build of layerpipe.";
  }
  return {};
}

common::PeerFailedError to_error(const Failure& failure) {
  return common::PeerFailedError(message(failure), remedy(failure));
}

int speaker(const Failure& failure) {
  if (failure.blame == Blame::kTold || failure.blame == Blame::kStopped) return failure.rank;
  return failure.rank == 0 && failure.blame != Blame::kAllStopped ? 1 : 0;
}

}  // namespace layerpipe::comm
