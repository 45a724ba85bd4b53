#include "comm/together.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <span>

#include "common/errors.h"

namespace layerpipe::comm {
namespace {

// What became of the body on one rank, as the ranks tell each other: exit code, length of `what`, texts.
struct Outcome {
  common::ExitCode code = common::ExitCode::kDone;
  std::string what;
  std::string remedy;
  bool operator==(const Outcome&) const = default;
};

std::vector<std::byte> write(const Outcome& outcome) {
  const auto code = static_cast<std::int32_t>(outcome.code);
  const auto length = static_cast<std::uint32_t>(outcome.what.size());
  std::vector<std::byte> bytes(sizeof code + sizeof length + outcome.what.size() + outcome.remedy.size());
  std::byte* out = bytes.data();
  const auto put = [&out](const void* data, std::size_t size) {
    if (size > 0) std::memcpy(out, data, size);
    out += size;
  };
  put(&code, sizeof code);
  put(&length, sizeof length);
  put(outcome.what.data(), outcome.what.size());
  put(outcome.remedy.data(), outcome.remedy.size());
  return bytes;
}

Outcome read(std::span<const std::byte> bytes) {
  std::int32_t code = 0;
  std::uint32_t length = 0;
  const std::size_t head = sizeof code + sizeof length;
  if (bytes.size() >= head) {
    std::memcpy(&code, bytes.data(), sizeof code);
    std::memcpy(&length, bytes.data() + sizeof code, sizeof length);
  }
  if (bytes.size() < head || bytes.size() - head < length) {
    throw common::PeerFailedError("a rank sent an outcome that cannot be read",
                                  "Check that all ranks run the same build of layerpipe.");
  }
  const auto* text = reinterpret_cast<const char*>(bytes.data() + head);
  return {static_cast<common::ExitCode>(code), std::string(text, length),
          std::string(text + length, bytes.size() - head - length)};
}

}  // namespace

void together(Communicator& communicator, const std::string& what, const std::function<void()>& body) {
  if (communicator.size() == 1) return body();
  Outcome mine;
  try {
    body();
  } catch (const common::Error& error) {
    mine = {error.exit_code(), error.what(), error.remedy()};
  }
  std::vector<Outcome> outcomes;
  for (const auto& bytes : communicator.all_gather(write(mine), what)) outcomes.push_back(read(bytes));
  const auto failed = std::find_if(outcomes.begin(), outcomes.end(), [](const Outcome& outcome) {
    return outcome.code != common::ExitCode::kDone;
  });
  if (failed == outcomes.end()) return;
  std::string text;
  if (std::count(outcomes.begin(), outcomes.end(), *failed) < static_cast<std::ptrdiff_t>(outcomes.size())) {
    const int rank = static_cast<int>(failed - outcomes.begin());
    text = "rank " + std::to_string(rank) + " on host " + communicator.host(rank) + ": ";
  }
  throw common::AgreedError(text + failed->what, failed->remedy, failed->code);
}

}  // namespace layerpipe::comm
