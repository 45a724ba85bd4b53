// Which channels of a rank are open, and who is next where a number is used again. Standard library only.
#pragma once

#include <compare>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>

namespace layerpipe::comm {

enum class Direction { kSend, kReceive };

// One end of a channel at this rank.
struct ChannelEnd {
  Direction direction = Direction::kSend;
  int peer = 0;
  int channel = 0;
  auto operator<=>(const ChannelEnd&) const = default;
};

// One per set of ranks, shared by its channels; every function may be called by any thread.
//
// A number is open from when an end is opened until its owner closes it. What travels for a closed end may
// still be under way, and must not meet the next one's messages: so each end waits for its turn, which begins
// when all that holds the one before it (the tokens) is gone. Between two ranks the ends that are opened with
// one number form two lists, of senders and of receivers, and the k-th of one belongs to the k-th of the
// other.
class ChannelNumbers : public std::enable_shared_from_this<ChannelNumbers> {
 public:
  // Gives back what it stands for when the last holder lets go of it.
  using Token = std::shared_ptr<void>;

  // The number is open while the token lives. Throws InternalError when it is open already.
  Token open(const ChannelEnd& end);
  // Calls start(turn) as soon as it is this end's turn: now, or later by whoever lets go of the turn before.
  // `start` notes the turn, may post messages, neither waits nor throws.
  using Start = std::function<void(Token turn)>;
  void take_turn(const ChannelEnd& end, Start start);

 private:
  void next(const ChannelEnd& end);
  Token turn_of(const ChannelEnd& end);

  std::mutex mutex_;
  std::set<ChannelEnd> open_;
  std::map<ChannelEnd, std::deque<Start>> waiting_;  // has an entry while somebody has the turn
};

}  // namespace layerpipe::comm
