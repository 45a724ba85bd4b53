// One forward of the transformer at full size with random weights: seconds, TFLOP/s, memory.
//
//   bench_forward --resolution 1024 --layers 4 --device cuda --dtype bf16
//   bench_forward --resolution 1024 --seconds 10                        # sustained: the second half of ten
//   seconds bench_forward --resolution 1024 --seconds 10 --against OTHER/build  # in turn with another build
//   of ours
//
// The result is checked before anything is timed: finite, and the same bits twice.
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/command_line.h"
#include "bench/forward_case.h"
#include "bench/other_build.h"
#include "bench/support.h"
#include "bench/sustained.h"

namespace {

// What another process is told to measure the same.
std::vector<std::string> words_of(const layerpipe::bench::ForwardOptions& options) {
  return {"--resolution",  std::to_string(options.resolution),
          "--layers",      std::to_string(options.layers),
          "--text-tokens", std::to_string(options.text_tokens),
          "--blocks",      std::to_string(options.blocks),
          "--device",      options.device,
          "--dtype",       options.dtype};
}

int run_benchmark(int argc, char** argv) {
  namespace bench = layerpipe::bench;
  bench::ForwardOptions options;
  std::int64_t repeat = 5;
  std::int64_t seconds = 0;
  std::int64_t rounds = 2;
  std::filesystem::path against;
  bool as_json = false;
  bench::CommandLine app("Times one forward of the full-size transformer with random weights.");
  bench::add_forward_options(app, options);
  app.add_positive("--repeat", repeat);
  app.add_positive("--seconds", seconds);
  app.add("--against", against, "A folder with another build's bench_forward, which is timed in turn");
  app.add_positive("--rounds", rounds);
  app.add_flag("--json", as_json);
  app.parse(argc, argv);

  if (!against.empty()) {
    constexpr std::int64_t kSustained = 10;
    return bench::compare_builds("bench_forward", against, words_of(options),
                                 seconds > 0 ? seconds : kSustained, rounds);
  }
  const bench::ForwardCase forward(options);
  const at::Device& device = forward.device();
  const std::int64_t before = bench::allocated_bytes(device);
  if (!forward.is_right()) {
    fmt::print(stderr, "the result is not finite, or differs from one run to the next\n");
    return 1;
  }
  bench::reset_peak(device);
  const auto run = [&] { forward.forward(); };
  bench::Sustained timed;
  if (seconds > 0) {
    timed = bench::time_sustained(device, static_cast<double>(seconds), run);
  } else {
    timed = {.timing = bench::time_calls(device, repeat, run), .calls = repeat, .gpu = {}};
  }
  const bench::Timing& timing = timed.timing;
  const double tflops = forward.operations() / timing.median * 1e-12;
  const double weights = bench::to_gib(before);
  const double beside = bench::to_gib(bench::peak_bytes(device) - before);
  if (as_json) {
    nlohmann::ordered_json json{{"program", "layerpipe"},
                                {"resolution", options.resolution},
                                {"layers", options.layers},
                                {"image_tokens", forward.grid().image_tokens()},
                                {"text_tokens", options.text_tokens},
                                {"dtype", options.dtype},
                                {"seconds", bench::to_json(timing)},
                                {"tflops", tflops},
                                {"weight_gib", weights},
                                {"peak_beside_weights_gib", beside}};
    json.update(bench::state_json(timed));
    fmt::print("{}\n", json.dump());
    return 0;
  }
  fmt::print(
      "{} px, {} layers, {} + {} tokens, {}: {:.4f} s (min {:.4f}, max {:.4f}), {:.0f} TFLOP/s, "
      "weights {:.2f} GiB, peak beside them {:.2f} GiB{}\n",
      options.resolution, options.layers, forward.grid().image_tokens(), options.text_tokens, options.dtype,
      timing.median, timing.min, timing.max, tflops, weights, beside,
      timed.gpu ? fmt::format(", {:.0f} MHz, {:.0f} W", timed.gpu->sm_mhz, timed.gpu->watts) : std::string());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return layerpipe::bench::guarded("bench_forward", [&] { return run_benchmark(argc, argv); });
}
