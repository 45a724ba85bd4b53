#include "comm/transport_communicator.h"

#include "comm/host_channel.h"
#include "comm/nccl/nccl_channel.h"
#include "comm/pieces.h"
#include "comm/tags.h"
#include "comm/wire.h"

namespace layerpipe::comm {
namespace {

// Bounds what a broken peer can make us allocate.
constexpr std::uint64_t kMaxControlBytes = std::uint64_t{1} << 32;

// How long closed channels have to give back what they took.
constexpr std::chrono::seconds kEnding{5};

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
  threads_.push_back({std::move(thread), std::move(ended)});
}

void ClosingThreads::join(Clock::time_point deadline) {
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

TransportCommunicator::TransportCommunicator(std::shared_ptr<Transport> transport,
                                             std::chrono::milliseconds timeout)
    : link_{.monitor = std::make_shared<RankMonitor>(transport->rank(), transport->size(), timeout),
            .transport = std::move(transport)},
      heartbeat_(std::make_unique<Heartbeat>(*link_.transport, link_.monitor)) {}

TransportCommunicator::~TransportCommunicator() {
  link_.monitor->set_done();
  link_.monitor->wait_for_all_done();
  // After a failure what has not ended may stand still in NCCL.
  link_.closing_threads->join(Clock::now() + (link_.monitor->failure() ? Clock::duration(0) : kEnding));
  heartbeat_.reset();
  link_.transport->close();
}

void TransportCommunicator::require_rank(int rank) const {
  common::ensure(rank >= 0 && rank < size(), "there is no rank of that number");
}

void TransportCommunicator::send(int to, std::vector<std::byte> bytes) {
  const auto message = std::make_shared<ControlMessage>();
  message->length = bytes.size();
  message->bytes = std::move(bytes);
  const LongMessage handlers{.moved = [monitor = link_.monitor] { monitor->moved(); },
                             .ended =
                                 [message, monitor = link_.monitor, to](std::exception_ptr error) {
                                   if (error != nullptr) monitor->connection_failed(to, error);
                                 }};
  send_pieces(*link_.transport, to, kControlLengthTag, length_bytes(*message), handlers);
  send_pieces(*link_.transport, to, kControlTag, message->bytes, handlers);
}

std::vector<std::byte> TransportCommunicator::receive(int from, const std::string& what) {
  const auto message = std::make_shared<ControlMessage>();
  const LongMessage handlers{.moved = [monitor = link_.monitor] { monitor->moved(); },
                             .ended =
                                 [message, monitor = link_.monitor, from](std::exception_ptr error) {
                                   if (error != nullptr) monitor->connection_failed(from, error);
                                   monitor->update([&] { message->came = true; });
                                 }};
  const auto wait = [&] {
    link_.monitor->wait(from, what, [&] { return message->came; });
    message->came = false;
  };
  receive_pieces(*link_.transport, from, kControlLengthTag, length_bytes(*message), handlers);
  wait();
  WireReader::require(message->length <= kMaxControlBytes, "an absurd length");
  message->bytes.resize(message->length);
  receive_pieces(*link_.transport, from, kControlTag, message->bytes, handlers);
  wait();
  return std::move(message->bytes);
}

std::vector<std::vector<std::byte>> TransportCommunicator::all_gather(std::span<const std::byte> mine,
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

std::vector<std::byte> TransportCommunicator::broadcast(std::vector<std::byte> bytes, int root,
                                                        const std::string& what) {
  require_rank(root);
  link_.monitor->check();
  if (rank() != root) return receive(root, what);
  for (int to = 0; to < size(); ++to) {
    if (to != root) send(to, bytes);
  }
  return bytes;
}

std::unique_ptr<SendChannel> TransportCommunicator::open_send(int to, const ChannelOptions& options) {
  require_rank(to);
  check_options(options);
  common::ensure(sends_.insert({to, options.channel}).second, "a channel's number is used once");
  link_.monitor->check();
  if (options.kind == ChannelKind::kNccl && to != rank()) return open_nccl_send(link_, to, options);
  return std::make_unique<HostSendChannel>(link_, to, options);
}

std::unique_ptr<ReceiveChannel> TransportCommunicator::open_receive(int from, const ChannelOptions& options) {
  require_rank(from);
  check_options(options);
  common::ensure(receives_.insert({from, options.channel}).second, "a channel's number is used once");
  link_.monitor->check();
  if (options.kind == ChannelKind::kNccl && from != rank()) return open_nccl_receive(link_, from, options);
  return std::make_unique<HostReceiveChannel>(link_, from, options);
}

void TransportCommunicator::abort(Failure failure) noexcept {
  failure.rank = rank();
  if (failure.doing.empty()) failure.doing = link_.monitor->doing();
  if (failure.blame != Blame::kStopped) failure.blame = Blame::kTold;
  link_.monitor->fail(std::move(failure));
  link_.monitor->wait_until_told();
}

void TransportCommunicator::exchange_hosts(const std::string& mine) {
  std::vector<std::string> hosts;
  for (const auto& bytes : all_gather(std::as_bytes(std::span(mine)), "at the start")) {
    hosts.emplace_back(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  link_.monitor->set_hosts(std::move(hosts));
}

void TransportCommunicator::set_host_of_all(const std::string& host) {
  link_.monitor->set_hosts(std::vector<std::string>(static_cast<std::size_t>(size()), host));
}

}  // namespace layerpipe::comm
