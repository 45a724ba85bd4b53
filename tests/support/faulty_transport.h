// A transport that loses, delays or cuts messages, and hands everything else on.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <utility>

#include "comm/transport.h"

namespace layerpipe::testing {

enum class Fault { kNone, kDrop, kTruncate, kDelay };

// Decides for each message that is sent: its receiver, tag and number (of those to this receiver with this
// tag, from 0).
using Faults = std::function<Fault(int to, comm::Tag tag, int number)>;

class FaultyTransport : public comm::Transport {
 public:
  FaultyTransport(std::shared_ptr<comm::Transport> inner, Faults faults, std::chrono::milliseconds delay = {})
      : inner_(std::move(inner)), faults_(std::move(faults)), delay_(delay) {}

  int rank() const override { return inner_->rank(); }
  int size() const override { return inner_->size(); }
  void post_receive(int from, comm::Tag tag, std::span<std::byte> bytes,
                    comm::Completion completion) override {
    inner_->post_receive(from, tag, bytes, std::move(completion));
  }
  void post_send(int to, comm::Tag tag, std::span<const std::byte> bytes,
                 comm::Completion completion) override {
    switch (faults_(to, tag, next_number(to, tag))) {
      case Fault::kNone:
        return inner_->post_send(to, tag, bytes, std::move(completion));
      case Fault::kDrop:
        return completion({.bytes = bytes.size(), .error = nullptr});  // the sender notices nothing
      case Fault::kTruncate:
        return inner_->post_send(to, tag, bytes.first(bytes.size() / 2), std::move(completion));
      case Fault::kDelay:
        std::this_thread::sleep_for(delay_);
        return inner_->post_send(to, tag, bytes, std::move(completion));
    }
  }
  void close() noexcept override { inner_->close(); }

 private:
  int next_number(int to, comm::Tag tag) {
    const std::lock_guard lock(mutex_);
    return numbers_[{to, tag}]++;
  }

  const std::shared_ptr<comm::Transport> inner_;
  const Faults faults_;
  const std::chrono::milliseconds delay_;
  std::mutex mutex_;
  std::map<std::pair<int, comm::Tag>, int> numbers_;
};

}  // namespace layerpipe::testing
