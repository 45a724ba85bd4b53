#include "comm/member_communicator.h"

#include <algorithm>

#include "comm/host_channel.h"
#include "comm/nccl/nccl_channel.h"
#include "comm/pieces.h"
#include "comm/tags.h"
#include "comm/wire.h"

namespace layerpipe::comm {
namespace {

// Bounds what a broken peer can make us allocate.
constexpr std::uint64_t kMaxControlBytes = std::uint64_t{1} << 32;

// A message that owns its bytes.
struct ControlMessage {
  std::uint64_t length = 0;
  std::vector<std::byte> bytes;
  bool came = false;
};

std::span<std::byte> length_bytes(ControlMessage& message) {
  return std::as_writable_bytes(std::span(&message.length, 1));
}

}  // namespace

void ClosingThreads::add(std::thread thread, std::future<void> ended) {
  const std::lock_guard lock(mutex_);
  std::erase_if(threads_, [](ClosingThread& closing) {
    if (closing.ended.wait_for(std::chrono::seconds(0)) != std::future_status::ready) return false;
    closing.thread.join();
    return true;
  });
  threads_.push_back({std::move(thread), std::move(ended)});
}

void ClosingThreads::join(Clock::time_point deadline) {
  leaving_ = true;
  std::vector<ClosingThread> threads;
  {
    const std::lock_guard lock(mutex_);
    threads.swap(threads_);
  }
  for (ClosingThread& closing : threads) {
    if (closing.ended.wait_until(deadline) == std::future_status::ready) {
      closing.thread.join();
    } else {
      closing.thread.detach();
    }
  }
}

MemberCommunicator::MemberCommunicator(Link link, std::vector<int> members, int space)
    : link_(std::move(link)), members_(std::move(members)), space_(space) {
  const auto mine = std::find(members_.begin(), members_.end(), link_.monitor->rank());
  common::ensure(mine != members_.end(), "a communicator is made on a rank that is not in it");
  rank_ = static_cast<int>(mine - members_.begin());
}

int MemberCommunicator::member(int rank) const {
  common::ensure(rank >= 0 && rank < size(), "there is no rank of that number");
  return members_[static_cast<std::size_t>(rank)];
}

ChannelOptions MemberCommunicator::placed(ChannelOptions options) const {
  common::ensure(options.channel >= 0 && options.channel < kMaxChannels,
                 "a channel's number is out of range");
  common::ensure(options.depth >= 1, "a channel's depth is less than 1");
  options.channel = channel_of_space(space_, options.channel);
  return options;
}

void MemberCommunicator::send(int to, std::vector<std::byte> bytes) {
  const int peer = member(to);
  const auto message = std::make_shared<ControlMessage>();
  message->length = bytes.size();
  message->bytes = std::move(bytes);
  const LongMessage handlers{.moved = [monitor = link_.monitor] { monitor->moved(); },
                             .ended =
                                 [message, monitor = link_.monitor, peer](std::exception_ptr error) {
                                   if (error != nullptr) monitor->connection_failed(peer, error);
                                 }};
  send_pieces(*link_.transport, peer, control_length_tag(space_), length_bytes(*message), handlers);
  send_pieces(*link_.transport, peer, control_tag(space_), message->bytes, handlers);
}

std::vector<std::byte> MemberCommunicator::receive(int from, const std::string& what) {
  const int peer = member(from);
  const auto message = std::make_shared<ControlMessage>();
  const LongMessage handlers{.moved = [monitor = link_.monitor] { monitor->moved(); },
                             .ended =
                                 [message, monitor = link_.monitor, peer](std::exception_ptr error) {
                                   if (error != nullptr) monitor->connection_failed(peer, error);
                                   monitor->update([&] { message->came = true; });
                                 }};
  const auto wait = [&] {
    link_.monitor->wait(peer, what, [&] { return message->came; });
    message->came = false;
  };
  receive_pieces(*link_.transport, peer, control_length_tag(space_), length_bytes(*message), handlers);
  wait();
  WireReader::require(message->length <= kMaxControlBytes, "an absurd length");
  message->bytes.resize(message->length);
  receive_pieces(*link_.transport, peer, control_tag(space_), message->bytes, handlers);
  wait();
  return std::move(message->bytes);
}

std::vector<std::vector<std::byte>> MemberCommunicator::all_gather(std::span<const std::byte> mine,
                                                                   const std::string& what) {
  link_.monitor->check();
  const auto ranks = static_cast<std::size_t>(size());
  std::vector<std::vector<std::byte>> all(ranks);
  if (rank() == 0) {
    all[0].assign(mine.begin(), mine.end());
    for (int from = 1; from < size(); ++from) all[static_cast<std::size_t>(from)] = receive(from, what);
    WireWriter writer;
    for (const auto& one : all) writer.bytes(one);
    const std::vector<std::byte> answer = writer.take();
    for (int to = 1; to < size(); ++to) send(to, answer);
  } else {
    send(0, {mine.begin(), mine.end()});
    const std::vector<std::byte> answer = receive(0, what);
    WireReader reader(answer);
    for (auto& one : all) {
      const auto bytes = reader.bytes();
      one.assign(bytes.begin(), bytes.end());
    }
    reader.end();
  }
  return all;
}

std::vector<std::byte> MemberCommunicator::broadcast(std::vector<std::byte> bytes, int root,
                                                     const std::string& what) {
  common::ensure(root >= 0 && root < size(), "there is no rank of that number");
  link_.monitor->check();
  if (rank() != root) return receive(root, what);
  for (int to = 0; to < size(); ++to) {
    if (to != root) send(to, bytes);
  }
  return bytes;
}

std::unique_ptr<SendChannel> MemberCommunicator::open_send(int to, const ChannelOptions& options) {
  const int peer = member(to);
  const ChannelOptions mine = placed(options);
  link_.monitor->check();
  if (mine.kind == ChannelKind::kNccl && to != rank()) return open_nccl_send(link_, peer, mine);
  return std::make_unique<HostSendChannel>(link_, peer, mine);
}

std::unique_ptr<ReceiveChannel> MemberCommunicator::open_receive(int from, const ChannelOptions& options) {
  const int peer = member(from);
  const ChannelOptions mine = placed(options);
  link_.monitor->check();
  if (mine.kind == ChannelKind::kNccl && from != rank()) return open_nccl_receive(link_, peer, mine);
  return std::make_unique<HostReceiveChannel>(link_, peer, mine);
}

std::unique_ptr<Communicator> MemberCommunicator::subset(std::span<const int> ranks) {
  common::ensure(space_ == 0, "a subset of a subset is asked for");
  common::ensure(subsets_ + 1 < kMaxSpaces, "there are too many subsets");
  std::vector<int> members;
  for (const int rank : ranks) members.push_back(member(rank));
  std::vector<int> sorted = members;
  std::sort(sorted.begin(), sorted.end());
  common::ensure(std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end(),
                 "a rank is in a subset twice");
  ++subsets_;
  if (!std::binary_search(sorted.begin(), sorted.end(), link_.monitor->rank())) return nullptr;
  return std::make_unique<MemberCommunicator>(link_, std::move(members), subsets_);
}

void MemberCommunicator::abort(Failure failure) noexcept {
  failure.rank = link_.monitor->rank();
  if (failure.doing.empty()) failure.doing = link_.monitor->doing();
  const bool was_stopped = failure.blame == Blame::kStopped || failure.blame == Blame::kAllStopped;
  if (!was_stopped) failure.blame = Blame::kTold;
  link_.monitor->fail(std::move(failure));
  link_.monitor->wait_until_told();
}

}  // namespace layerpipe::comm
