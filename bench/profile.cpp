// Where the time of a forward goes, as the GPU saw it: one forward under LibTorch's profiler.
//
//   bench_profile --resolution 1024 --layers 4 [--trace forward.json]
//
// One line a kind of kernel: launches, milliseconds, share of the forward. The last lines tell the time in
// which no kernel ran: gaps between launches. Beside it the same forward without the profiler, to see what
// profiling costs. --trace writes the timeline for Perfetto.
#include <fmt/format.h>
#include <torch/csrc/autograd/profiler_kineto.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <string_view>
#include <vector>

#include "bench/command_line.h"
#include "bench/forward_case.h"
#include "bench/support.h"

namespace {

namespace bench = layerpipe::bench;
namespace profiler = torch::autograd::profiler;
using torch::profiler::impl::ActivityType;

struct Kernel {
  std::string name;
  std::uint64_t begin;  // nanoseconds
  std::uint64_t end;
};

struct Kind {
  const char* name;
  std::vector<const char*> marks;  // parts of kernels' names; the first kind with a mark takes the kernel
};

const std::array kKinds{
    Kind{"attention", {"sdpa", "fmha", "flash", "attention"}},
    Kind{"matrix products", {"gemm", "nvjet", "cutlass", "xmma", "gemv", "splitK"}},
    Kind{"norm, modulation", {"layer_norm_modulate"}},
    Kind{"head norm, rotation", {"rms_norm"}},
    Kind{"gated residual", {"gated_residual"}},
    Kind{"copies and fills", {"Memcpy", "Memset", "copy", "fill", "CatArray"}},
};

const char* kind_of(const std::string& name) {
  for (const Kind& kind : kKinds) {
    for (const char* mark : kind.marks) {
      if (name.find(mark) != name.npos) return kind.name;
    }
  }
  return "other";
}

std::vector<Kernel> record(const bench::ForwardCase& forward, const std::string& trace_file) {
  const profiler::ProfilerConfig config(torch::profiler::impl::ProfilerState::KINETO);
  const std::set<ActivityType> activities{ActivityType::CPU, ActivityType::CUDA};
  profiler::prepareProfiler(config, activities);
  profiler::enableProfiler(config, activities);
  forward.forward();
  bench::wait_for(forward.device());
  const auto result = profiler::disableProfiler();
  if (!trace_file.empty()) result->save(trace_file);
  std::vector<Kernel> kernels;
  for (const auto& event : result->events()) {
    if (event.deviceType() == at::kCUDA) kernels.push_back({event.name(), event.startNs(), event.endNs()});
  }
  std::sort(kernels.begin(), kernels.end(),
            [](const Kernel& a, const Kernel& b) { return a.begin < b.begin; });
  return kernels;
}

void print(const std::vector<Kernel>& kernels) {
  struct Sum {
    int launches = 0;
    std::uint64_t nanoseconds = 0;
    std::map<std::string, std::uint64_t> names;
  };
  std::map<std::string, Sum> sums;
  std::uint64_t last_end = kernels.front().begin;
  std::uint64_t idle = 0;
  int gaps = 0;
  for (const Kernel& kernel : kernels) {
    Sum& sum = sums[kind_of(kernel.name)];
    ++sum.launches;
    sum.nanoseconds += kernel.end - kernel.begin;
    sum.names[kernel.name] += kernel.end - kernel.begin;
    if (kernel.begin > last_end) {
      idle += kernel.begin - last_end;
      ++gaps;
    }
    last_end = std::max(last_end, kernel.end);
  }
  const double span = static_cast<double>(last_end - kernels.front().begin);
  const auto line = [&](const std::string& name, int count, std::uint64_t nanoseconds) {
    fmt::print("{:<22} {:>8} {:>10.2f} {:>7.2f} %\n", name, count, static_cast<double>(nanoseconds) * 1e-6,
               100 * static_cast<double>(nanoseconds) / span);
  };
  fmt::print("{:<22} {:>8} {:>10} {:>9}\n", "kernels", "launches", "ms", "share");
  for (const auto& [name, sum] : sums) line(name, sum.launches, sum.nanoseconds);
  line("gaps", gaps, idle);
  line("first to last", static_cast<int>(kernels.size()), last_end - kernels.front().begin);
  if (sums.contains("other")) {
    for (const auto& [name, nanoseconds] : sums["other"].names)
      fmt::print("  other: {:.2f} ms {}\n", static_cast<double>(nanoseconds) * 1e-6, name.substr(0, 120));
  }
}

int run_benchmark(int argc, char** argv) {
  bench::ForwardOptions options;
  std::string trace_file;
  bench::CommandLine app("Shows where the time of one forward of the full-size transformer goes, on a GPU.");
  bench::add_forward_options(app, options);
  app.add("--trace", trace_file, "Write the timeline to this file");
  app.parse(argc, argv);

  const bench::ForwardCase forward(options);
  if (!forward.is_right()) {
    fmt::print(stderr, "the result is not finite, or differs from one run to the next\n");
    return 1;
  }
  const bench::Timing alone = bench::time_calls(forward.device(), 5, [&] { forward.forward(); });
  const std::vector<Kernel> kernels = record(forward, trace_file);
  if (kernels.empty()) {
    fmt::print(stderr, "the profiler saw no kernel: it needs a GPU, and a LibTorch with CUPTI\n");
    return 1;
  }
  print(kernels);
  fmt::print("without the profiler   {:>19.2f} ms\n", alone.median * 1e3);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return layerpipe::bench::guarded("bench_profile", [&] { return run_benchmark(argc, argv); });
}
