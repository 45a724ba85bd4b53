#include "runtime/agreement.h"

#include <cstring>

#include "common/errors.h"

namespace layerpipe::runtime {
namespace {

constexpr std::size_t kShown = 80;

// Values behind each other, each with its length in front.
std::vector<std::byte> write(const std::vector<Fact>& facts) {
  std::vector<std::byte> bytes;
  for (const Fact& fact : facts) {
    const std::uint64_t length = fact.value.size();
    const std::size_t at = bytes.size();
    bytes.resize(at + sizeof length + fact.value.size());
    std::memcpy(bytes.data() + at, &length, sizeof length);
    std::memcpy(bytes.data() + at + sizeof length, fact.value.data(), fact.value.size());
  }
  return bytes;
}

std::vector<std::string> read(std::span<const std::byte> bytes) {
  std::vector<std::string> values;
  while (bytes.size() >= sizeof(std::uint64_t)) {
    std::uint64_t length = 0;
    std::memcpy(&length, bytes.data(), sizeof length);
    bytes = bytes.subspan(sizeof length);
    if (length > bytes.size()) break;
    values.emplace_back(reinterpret_cast<const char*>(bytes.data()), length);
    bytes = bytes.subspan(length);
  }
  return values;
}

std::string shown(const std::string& value) {
  return value.size() <= kShown ? value : value.substr(0, kShown) + " …";
}

}  // namespace

void check_agreement(comm::Communicator& communicator, const std::vector<Fact>& facts) {
  const auto all = communicator.all_gather(write(facts), "comparing what the ranks are to do");
  for (std::size_t rank = 1; rank < all.size(); ++rank) {
    const std::vector<std::string> ours = read(all[0]);
    const std::vector<std::string> theirs = read(all[rank]);
    for (std::size_t i = 0; i < facts.size(); ++i) {
      // A build with other facts is another version.
      const std::string first = i < ours.size() ? ours[i] : "none";
      const std::string other = i < theirs.size() ? theirs[i] : "none";
      if (first == other) continue;
      throw common::AgreedError(
          "rank " + std::to_string(rank) + " on host " + communicator.host(static_cast<int>(rank)) +
              " has another " + facts[i].name + " than rank 0: " + shown(other) + ", not " + shown(first),
          "All ranks need the same program, command line, config file and model.", common::ExitCode::kInput);
    }
  }
}

}  // namespace layerpipe::runtime
