#include "comm/run_collectively.h"

#include <algorithm>

#include "comm/wire.h"
#include "common/errors.h"

namespace layerpipe::comm {
namespace {

// What became of the body on one rank, as the ranks tell each other.
struct Outcome {
  common::ExitCode code = common::ExitCode::kDone;
  std::string what;
  std::string remedy;
  bool operator==(const Outcome&) const = default;
};

std::vector<std::byte> write(const Outcome& outcome) {
  WireWriter writer;
  writer.number(outcome.code);
  writer.text(outcome.what);
  writer.text(outcome.remedy);
  return writer.take();
}

Outcome read(std::span<const std::byte> bytes) {
  WireReader reader(bytes);
  Outcome outcome{reader.number<common::ExitCode>(), reader.text(), reader.text()};
  reader.end();
  return outcome;
}

}  // namespace

void run_collectively(Communicator& communicator, const std::string& what,
                      const std::function<void()>& body) {
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
