// A rank that runs an engine and meets with a fault of its choice: for ranks_fault_test.
//
//   engine_rank ACTION RANK PHASE MODEL
//
// ACTION is kill, stop, stall, throw or none; it happens on rank RANK in PHASE: load, encode, denoise or
// decode.
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/full.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <iostream>
#include <string>
#include <thread>

#include "common/errors.h"
#include "runtime/engine.h"
#include "session/ranks.h"
#include "tests/support/split_plan.h"

namespace {

using namespace layerpipe;
using namespace std::chrono_literals;

bool is_there(const runtime::Progress& progress, const std::string& phase) {
  if (progress.work == runtime::Progress::Work::kLoad) return phase == "load";
  return to_string(progress.phase) == phase;
}

void meet(const std::string& action) {
  std::this_thread::sleep_for(300ms);  // the others have heard where this rank is
  if (action == "kill") ::raise(SIGKILL);
  if (action == "stop") ::raise(SIGSTOP);
  if (action == "stall") std::this_thread::sleep_for(60s);
  if (action == "throw") throw common::InternalError("a test breaks this rank");
}

runtime::Request request() {
  runtime::Request request;
  request.picture = at::full({64, 64, 4}, 200, at::kByte);
  request.prompt = std::string("a red circle");
  request.negative_prompt.emplace(1, ' ');  // GCC 12 warns of the assignment
  request.layers = 2;
  request.steps = 3;
  return request;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) return 2;
  const std::string action = argv[1];
  const int who = std::stoi(argv[2]);
  const std::string phase = argv[3];
  const std::string model = argv[4];
  const std::string doing;
  const session::StopRequest nobody_asks;
  const std::atomic<bool> stop{false};
  session::on_all_ranks(2s, doing, nobody_asks, [&](comm::Communicator& communicator) {
    runtime::Engine engine({.model_folder = model}, communicator);
    const runtime::Request one = request();
    engine.run({&one, 1},
               testing::split_plan(testing::even_split(engine.model_config(), communicator.size())),
               {.progress =
                    [&](const runtime::Progress& progress) {
                      if (communicator.rank() == who && is_there(progress, phase)) meet(action);
                    },
                .result = [](std::size_t, const runtime::Result&) { std::cout << "a result\n"; },
                .failed = {}},
               stop);
  });
  return 0;
}
