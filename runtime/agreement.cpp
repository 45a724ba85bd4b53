#include "runtime/agreement.h"

#include "comm/wire.h"
#include "common/errors.h"

namespace layerpipe::runtime {
namespace {

constexpr std::size_t kShown = 80;

std::vector<std::byte> write(const std::vector<Fact>& facts) {
  comm::WireWriter writer;
  writer.number(static_cast<std::uint32_t>(facts.size()));
  for (const Fact& fact : facts) writer.text(fact.value);
  return writer.take();
}

std::vector<std::string> read(std::span<const std::byte> bytes) {
  comm::WireReader reader(bytes);
  std::vector<std::string> values;
  for (auto count = reader.number<std::uint32_t>(); count > 0; --count) values.push_back(reader.text());
  reader.end();
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
