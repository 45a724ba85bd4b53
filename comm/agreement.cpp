#include "comm/agreement.h"

#include <algorithm>

#include "comm/wire.h"
#include "common/errors.h"

namespace layerpipe::comm {
namespace {

constexpr std::size_t kShown = 80;

std::vector<std::byte> write(const std::vector<Fact>& facts) {
  WireWriter writer;
  writer.number(static_cast<std::uint32_t>(facts.size()));
  for (const Fact& fact : facts) writer.text(fact.value);
  return writer.take();
}

std::vector<std::string> read(std::span<const std::byte> bytes) {
  WireReader reader(bytes);
  std::vector<std::string> values;
  for (auto count = reader.number<std::uint32_t>(); count > 0; --count) values.push_back(reader.text());
  reader.end();
  return values;
}

std::string shown(const std::string& value) {
  return value.size() <= kShown ? value : value.substr(0, kShown) + " …";
}

}  // namespace

void check_agreement(Communicator& communicator, const std::vector<Fact>& facts) {
  const auto all = communicator.all_gather(write(facts), "comparing what the ranks are to do");
  for (std::size_t rank = 1; rank < all.size(); ++rank) {
    const std::vector<std::string> ours = read(all[0]);
    const std::vector<std::string> theirs = read(all[rank]);
    // A build with other facts is another version.
    for (std::size_t i = 0; i < std::max(ours.size(), theirs.size()); ++i) {
      const std::string first = i < ours.size() ? ours[i] : "none";
      const std::string other = i < theirs.size() ? theirs[i] : "none";
      if (first == other) continue;
      throw common::AgreedError(
          "rank " + std::to_string(rank) + " on host " + communicator.host(static_cast<int>(rank)) +
              " has another " + (i < facts.size() ? facts[i].name : "program version") +
              " than rank 0: " + shown(other) + ", not " + shown(first),
          "All ranks need the same program, command line, config file and model.", common::ExitCode::kInput);
    }
  }
}

void check_own_gpus(Communicator& communicator, const std::string& uuid) {
  const auto all = communicator.all_gather(std::as_bytes(std::span(uuid)), "comparing GPUs");
  for (std::size_t rank = 1; rank < all.size(); ++rank) {
    if (all[rank].empty()) continue;
    const auto same = std::find(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(rank), all[rank]);
    if (same == all.begin() + static_cast<std::ptrdiff_t>(rank)) continue;
    throw common::AgreedError(
        "ranks " + std::to_string(same - all.begin()) + " and " + std::to_string(rank) + " on host " +
            communicator.host(static_cast<int>(rank)) + " have the same GPU, " +
            std::string(reinterpret_cast<const char*>(all[rank].data()), all[rank].size()),
        "Start one rank for each GPU. CUDA_VISIBLE_DEVICES may show all ranks of a host "
        "the same GPUs, which they take in turn, or each rank one of its own.",
        common::ExitCode::kInput);
  }
}

std::int64_t greatest(Communicator& communicator, std::int64_t mine, const char* what) {
  WireWriter writer;
  writer.number(mine);
  std::int64_t most = mine;
  for (const auto& bytes : communicator.all_gather(writer.take(), what)) {
    WireReader reader(bytes);
    most = std::max(most, reader.number<std::int64_t>());
    reader.end();
  }
  return most;
}

bool on_any_rank(Communicator& communicator, bool is_so_here, const char* what) {
  return greatest(communicator, is_so_here ? 1 : 0, what) > 0;
}

}  // namespace layerpipe::comm
