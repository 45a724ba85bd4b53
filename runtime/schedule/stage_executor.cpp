#include "runtime/schedule/stage_executor.h"

#include <deque>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/errors.h"
#include "runtime/schedule/channels.h"

namespace layerpipe::runtime {
namespace {

std::string text_of(std::int64_t request, std::int32_t step, std::int32_t branch) {
  return "request " + std::to_string(request) + ", step " + std::to_string(step) + ", branch " +
         std::to_string(branch);
}

comm::Boundary expect(const Instruction& instruction, comm::Boundary boundary) {
  const comm::BoundaryHeader& header = boundary.header;
  if (header.request == instruction.request && header.step == instruction.step &&
      header.branch == instruction.branch) {
    return boundary;
  }
  throw common::PeerFailedError(
      "a stage sent " + text_of(header.request, header.step, header.branch) + " where " +
          text_of(instruction.request, instruction.step, instruction.branch) + " was due",
      "Messages were lost or mixed up: look for errors of the network or of MPI.");
}

// The latents' way from the last stage to the first: over a channel, or from hand to hand when both are one.
class LatentsEdge {
 public:
  explicit LatentsEdge(StageLinks& links) : links_(links) {}

  void send(comm::Boundary latents) {
    if (links_.latents_to_first) {
      links_.latents_to_first->send(std::move(latents));
    } else {
      waiting_.push_back(std::move(latents));
    }
  }

  comm::Boundary receive() {
    if (links_.latents_from_last) return links_.latents_from_last->receive();
    common::ensure(!waiting_.empty(), "a stage waits for latents from itself");
    comm::Boundary latents = std::move(waiting_.front());
    waiting_.pop_front();
    return latents;
  }

 private:
  StageLinks& links_;
  std::deque<comm::Boundary> waiting_;
};

// The forwards that share a pass with the first of `list`.
std::span<const Instruction> pass_of(std::span<const Instruction> list) {
  std::size_t count = 1;
  while (count < list.size() && list[count].operation == Operation::kForward &&
         list[count].pass == Pass::kShared)
    ++count;
  return list.first(count);
}

}  // namespace

StageLinks open_links(comm::Communicator& communicator, const partition::Topology& topology,
                      const LinkOptions& options) {
  StageLinks links;
  if (topology.stages() == 1) return links;
  const int rank = communicator.rank();
  const int previous = topology.previous(rank);
  const int next = topology.next(rank);
  // One boundary travels while the stage works on another one: more would only take memory.
  const comm::ChannelOptions boundaries{.channel = channel_number(ChannelUse::kBoundaries),
                                        .kind = options.kind,
                                        .device = options.device,
                                        .depth = 1};
  // Every request in flight may have its latents under way.
  const comm::ChannelOptions latents{.channel = channel_number(ChannelUse::kLatents),
                                     .kind = options.kind,
                                     .device = options.device,
                                     .depth = static_cast<int>(options.in_flight)};
  const bool is_first = topology.is_first_stage(rank);
  const bool is_last = topology.is_last_stage(rank);
  if (!is_first) links.from_previous = communicator.open_receive(previous, boundaries);
  if (!is_last) links.to_next = communicator.open_send(next, boundaries);
  if (is_last) links.latents_to_first = communicator.open_send(next, latents);
  if (is_first) links.latents_from_last = communicator.open_receive(previous, latents);
  // Nothing is computed meanwhile: connecting allocates memory and loads kernels. Later stages first: a rank
  // that connects with another one holds its turn until that one is there (comm/nccl/nccl_worker.h), so this
  // is the order in which waiting ranks lead to one that moves.
  if (links.latents_from_last) links.latents_from_last->wait_until_open();
  if (links.to_next) links.to_next->wait_until_open();
  if (links.from_previous) links.from_previous->wait_until_open();
  if (links.latents_to_first) links.latents_to_first->wait_until_open();
  return links;
}

void execute(std::span<const Instruction> list, StageLinks& links, StageWork& work,
             const ExecutionListener& listener) {
  LatentsEdge latents_edge(links);
  std::vector<comm::Boundary> microbatches;  // of the pass at hand
  std::size_t sent = 0;                      // of these
  comm::Boundary latents;                    // of the step at hand
  for (std::size_t i = 0; i < list.size(); ++i) {
    const Instruction& instruction = list[i];
    if (listener.before) listener.before(instruction);
    const double begin = common::now();
    switch (instruction.operation) {
      case Operation::kReceive:
        microbatches.push_back(expect(instruction, links.from_previous->receive()));
        break;
      case Operation::kForward: {
        const std::span<const Instruction> pass = pass_of(list.subspan(i));
        if (!links.from_previous) microbatches.resize(pass.size());
        common::ensure(microbatches.size() == pass.size(), "a pass has other microbatches than are there");
        work.forward(pass, microbatches);
        i += pass.size() - 1;
        if (!links.to_next) microbatches.clear();
        break;
      }
      case Operation::kSend:
        links.to_next->send(std::move(microbatches.at(sent)));
        if (++sent < microbatches.size()) break;
        microbatches.clear();
        sent = 0;
        break;
      case Operation::kJoin:
        latents = work.join(instruction);
        break;
      case Operation::kSendLatents:
        latents_edge.send(std::move(latents));
        latents = {};
        break;
      case Operation::kReceiveLatents:
        work.take_latents(instruction, expect(instruction, latents_edge.receive()));
        break;
    }
    if (listener.after) listener.after(instruction, begin, common::now());
  }
  if (links.to_next) links.to_next->flush();
  if (links.latents_to_first) links.latents_to_first->flush();
}

}  // namespace layerpipe::runtime
