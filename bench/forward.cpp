// One forward of the transformer at full size with random weights: seconds, TFLOP/s, memory.
//
//   bench_forward --resolution 1024 --layers 4 --device cuda --dtype bf16
//
// The result is checked before anything is timed: finite, and the same bits twice.
#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "bench/command_line.h"
#include "bench/forward_case.h"
#include "bench/support.h"

namespace {

int run_benchmark(int argc, char** argv) {
  namespace bench = layerpipe::bench;
  bench::ForwardOptions options;
  std::int64_t repeat = 5;
  bool as_json = false;
  bench::CommandLine app("Times one forward of the full-size transformer with random weights.");
  bench::add_forward_options(app, options);
  app.add_positive("--repeat", repeat);
  app.add_flag("--json", as_json);
  app.parse(argc, argv);

  const bench::ForwardCase forward(options);
  const at::Device& device = forward.device();
  const std::int64_t before = bench::allocated_bytes(device);
  if (!forward.is_right()) {
    fmt::print(stderr, "the result is not finite, or differs from one run to the next\n");
    return 1;
  }
  bench::reset_peak(device);
  const bench::Timing timing = bench::time_calls(device, repeat, [&] { forward.forward(); });
  const double tflops = forward.operations() / timing.median * 1e-12;
  const double weights = bench::to_gib(before);
  const double beside = bench::to_gib(bench::peak_bytes(device) - before);
  if (as_json) {
    const nlohmann::ordered_json json{{"program", "layerpipe"},
                                      {"resolution", options.resolution},
                                      {"layers", options.layers},
                                      {"image_tokens", forward.grid().image_tokens()},
                                      {"text_tokens", options.text_tokens},
                                      {"dtype", options.dtype},
                                      {"seconds", bench::to_json(timing)},
                                      {"tflops", tflops},
                                      {"weight_gib", weights},
                                      {"peak_beside_weights_gib", beside}};
    fmt::print("{}\n", json.dump());
    return 0;
  }
  fmt::print(
      "{} px, {} layers, {} + {} tokens, {}: {:.4f} s (min {:.4f}, max {:.4f}), {:.0f} TFLOP/s, "
      "weights {:.2f} GiB, peak beside them {:.2f} GiB\n",
      options.resolution, options.layers, forward.grid().image_tokens(), options.text_tokens, options.dtype,
      timing.median, timing.min, timing.max, tflops, weights, beside);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return layerpipe::bench::guarded("bench_forward", [&] { return run_benchmark(argc, argv); });
}
