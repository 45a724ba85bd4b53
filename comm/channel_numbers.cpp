#include "comm/channel_numbers.h"

#include <utility>

#include "common/errors.h"

namespace layerpipe::comm {
namespace {

// A token that calls `at_end` when its last holder is gone.
ChannelNumbers::Token token(std::function<void()> at_end) {
  return {nullptr, [at_end = std::move(at_end)](std::nullptr_t) { at_end(); }};
}

}  // namespace

ChannelNumbers::Token ChannelNumbers::open(const ChannelEnd& end) {
  const std::lock_guard lock(mutex_);
  common::ensure(open_.insert(end).second, "a channel's number is in use");
  return token([self = shared_from_this(), end] {
    const std::lock_guard lock(self->mutex_);
    self->open_.erase(end);
  });
}

void ChannelNumbers::take_turn(const ChannelEnd& end, Start start) {
  {
    const std::lock_guard lock(mutex_);
    const auto [entry, is_free] = waiting_.try_emplace(end);
    if (!is_free) return entry->second.push_back(std::move(start));
  }
  start(turn_of(end));
}

ChannelNumbers::Token ChannelNumbers::turn_of(const ChannelEnd& end) {
  return token([self = shared_from_this(), end] { self->next(end); });
}

void ChannelNumbers::next(const ChannelEnd& end) {
  Start start;
  {
    const std::lock_guard lock(mutex_);
    const auto entry = waiting_.find(end);
    if (entry->second.empty()) {
      waiting_.erase(entry);
      return;
    }
    start = std::move(entry->second.front());
    entry->second.pop_front();
  }
  start(turn_of(end));
}

}  // namespace layerpipe::comm
