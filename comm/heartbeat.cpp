#include "comm/heartbeat.h"

#include <algorithm>
#include <array>

#include "comm/tags.h"
#include "comm/wire.h"

namespace layerpipe::comm {
namespace {

constexpr std::size_t kPulseBytes = 4096;
constexpr std::size_t kTextBytes = 900;  // of each of the four texts at most

// How long a failing rank stays for peers that are slow to listen.
constexpr std::chrono::milliseconds kTellingTime{300};

std::string shortened(const std::string& text) {
  return text.substr(0, kTextBytes);
}

// A pulse is followed by a failure when there is one.
std::vector<std::byte> write(const Pulse& pulse, const std::optional<Failure>& failure) {
  WireWriter writer;
  writer.number(pulse.counter);
  writer.number(pulse.state);
  writer.number(pulse.waits_for);
  writer.text(shortened(pulse.doing));
  writer.number(static_cast<std::uint8_t>(failure.has_value()));
  if (failure) {
    writer.number(failure->rank);
    writer.number(failure->blame);
    writer.number(failure->signal);
    for (const std::string* text : {&failure->doing, &failure->reason, &failure->remedy}) {
      writer.text(shortened(*text));
    }
  }
  return writer.take();
}

struct Told {
  Pulse pulse;
  std::optional<Failure> failure;
};

Told read(std::span<const std::byte> bytes, int ranks) {
  WireReader reader(bytes);
  Told told;
  told.pulse.counter = reader.number<std::uint64_t>();
  told.pulse.state = reader.number<RankState>();
  told.pulse.waits_for = reader.number<int>();
  told.pulse.doing = reader.text();
  WireReader::require(told.pulse.state >= RankState::kComputing && told.pulse.state <= RankState::kIdle,
                      "a pulse with an unknown state");
  if (reader.number<std::uint8_t>() != 0) {
    Failure failure{.rank = reader.number<int>(), .blame = reader.number<Blame>()};
    failure.signal = reader.number<std::int32_t>();
    WireReader::require(failure.rank >= 0 && failure.rank < ranks, "a failure of an unknown rank");
    for (std::string* text : {&failure.doing, &failure.reason, &failure.remedy}) *text = reader.text();
    told.failure = std::move(failure);
  }
  reader.end();
  return told;
}

}  // namespace

Heartbeat::Heartbeat(Transport& transport, std::shared_ptr<RankMonitor> monitor,
                     std::optional<RankFolder> folder)
    : transport_(transport),
      monitor_(std::move(monitor)),
      folder_(std::move(folder)),
      sending_(std::make_shared<Sending>()) {
  sending_->under_way.resize(static_cast<std::size_t>(monitor_->size()), 0);
  for (int rank = 0; rank < monitor_->size(); ++rank) {
    if (rank != monitor_->rank()) listen(rank);
  }
  thread_ = std::thread([this] { run(); });
}

Heartbeat::~Heartbeat() {
  monitor_->end_beating();
  thread_.join();
}

void Heartbeat::listen(int from) {
  auto buffer = std::make_shared<std::array<std::byte, kPulseBytes>>();
  // May run after this object is gone, but not after its transport: so it holds the one by itself and goes
  // through the other.
  struct Ear {
    Transport& transport;
    std::shared_ptr<RankMonitor> monitor;
    int from;
    std::shared_ptr<std::array<std::byte, kPulseBytes>> buffer;
    void listen() {
      transport.post_receive(from, kPulseTag, *buffer,
                             [ear = *this](const Delivery& delivery) mutable { ear.hear(delivery); });
    }
    void hear(const Delivery& delivery) {
      try {
        if (delivery.error != nullptr) std::rethrow_exception(delivery.error);
        Told told = read(std::span(*buffer).first(delivery.bytes), monitor->size());
        monitor->heard(from, std::move(told.pulse));
        if (told.failure) {
          monitor->fail(std::move(*told.failure), RankMonitor::Known::kToAll);
        } else {
          listen();
        }
      } catch (...) {
        monitor->connection_failed(from, std::current_exception());
      }
    }
  };
  Ear{transport_, monitor_, from, std::move(buffer)}.listen();
}

void Heartbeat::send(const std::vector<std::byte>& bytes, To to) {
  const auto message = std::make_shared<const std::vector<std::byte>>(bytes);
  for (int rank = 0; rank < monitor_->size(); ++rank) {
    if (rank == monitor_->rank()) continue;
    const auto at = static_cast<std::size_t>(rank);
    {
      const std::lock_guard lock(sending_->mutex);
      // A rank that does not listen gets no heap of pulses.
      if (to == To::kReady && sending_->under_way[at] > 0) continue;
      ++sending_->under_way[at];
    }
    transport_.post_send(rank, kPulseTag, *message, [message, sending = sending_, at](const Delivery&) {
      // A pulse that could not be sent is for the other side to miss.
      const std::lock_guard lock(sending->mutex);
      --sending->under_way[at];
      sending->changed.notify_all();
    });
  }
}

void Heartbeat::wait_until_taken(std::chrono::milliseconds limit) {
  std::unique_lock lock(sending_->mutex);
  sending_->changed.wait_for(lock, limit, [&] {
    return std::all_of(sending_->under_way.begin(), sending_->under_way.end(),
                       [](int count) { return count == 0; });
  });
}

void Heartbeat::run() {
  bool done = false;
  do {
    const Pulse pulse = monitor_->beat();
    if (const auto death = folder_ ? folder_->death() : std::nullopt)
      monitor_->rank_died(death->rank, death->how);
    const std::optional<Failure> failure = monitor_->failure();
    if (failure) {
      if (!monitor_->known_to_all()) {
        send(write(pulse, failure), To::kAll);
        wait_until_taken(kTellingTime);
      }
      monitor_->call_handlers();
      return monitor_->set_told();
    }
    // Whoever is done says so once: others may leave as soon as they have heard it.
    if (!done) {
      done = pulse.state == RankState::kDone;
      send(write(pulse, {}), done ? To::kAll : To::kReady);
    }
  } while (monitor_->rest());
  if (done) wait_until_taken(kTellingTime);
}

}  // namespace layerpipe::comm
