// A rank of mpirun whose engine runs 700 windows: ends with 1 when it holds more afterwards than after the
// first few.
//
//   windows_rank MODEL
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>

#include <atomic>
#include <cstdlib>
#include <iostream>
#include <string>

#include "runtime/engine.h"
#include "session/ranks.h"
#include "tests/support/holdings.h"
#include "tests/support/split_plan.h"

namespace {

using namespace layerpipe;
using namespace std::chrono_literals;

constexpr int kWindows = 700;
constexpr int kSettled = 100;
constexpr std::int64_t kMostGrowthKib = 16 * 1024;

runtime::Request request() {
  runtime::Request request;
  request.picture = at::full({32, 32, 4}, 200, at::kByte);
  request.prompt = std::string("a red circle");
  request.layers = 1;
  request.steps = 1;
  return request;
}

bool has_grown(const testing::Holdings& before, const testing::Holdings& after) {
  std::cout << "files " << before.files << " -> " << after.files << ", threads " << before.threads << " -> "
            << after.threads << ", KiB " << before.resident_kib << " -> " << after.resident_kib << "\n";
  return after.files > before.files || after.threads > before.threads ||
         after.resident_kib > before.resident_kib + kMostGrowthKib;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const std::string doing;
  const session::StopRequest nobody_asks;
  const std::atomic<bool> stop{false};
  int code = EXIT_FAILURE;
  session::on_all_ranks(60s, doing, nobody_asks, [&](comm::Communicator& communicator) {
    runtime::Engine engine({.model_folder = argv[1]}, communicator);
    const partition::Plan plan =
        testing::split_plan(testing::even_split(engine.model_config(), communicator.size()));
    const runtime::Request one = request();
    testing::Holdings before;
    at::Tensor first;
    bool differs = false;
    for (int window = 0; window < kWindows; ++window) {
      if (window == kSettled) before = testing::holdings();
      engine.run({&one, 1}, plan,
                 {.progress = {},
                  .result =
                      [&](std::size_t, const runtime::Result& result) {
                        if (!first.defined()) first = result.decoded;
                        differs = differs || !at::equal(result.decoded, first);
                      },
                  .failed = {}},
                 stop);
    }
    if (differs) std::cout << "a window gave other bits\n";
    if (!differs && !has_grown(before, testing::holdings())) code = EXIT_SUCCESS;
  });
  return code;
}
