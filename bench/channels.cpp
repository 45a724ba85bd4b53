// Channels between two ranks, through host memory or, with --nccl, from GPU to GPU:
//
//   mpirun -n 2 build/bench_channels
//   mpirun -n 2 build/bench_channels --nccl
//
// latency   = half of the time for a boundary to go to the other rank and come back
// bandwidth = bytes of a boundary / time per boundary, sent one after another at depth 2, received and
//             verified
// And over NCCL: what copies between the two GPUs reach without it, the memory that both edges of a rank
// take, and how fast matrix products are beside an edge that waits and one that receives without a pause.
#include <ATen/DeviceAccelerator.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/full.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <thread>
#include <vector>

#include "bench/command_line.h"
#include "bench/support.h"
#include "comm/mpi/session.h"

namespace {

using namespace layerpipe::comm;
using layerpipe::bench::wait_for;

constexpr int kRounds = 200;
constexpr int kWarmUp = 20;
constexpr int kTrain = 8;                      // boundaries, one right after the other
constexpr std::int64_t kBoundary = 151 << 20;  // of 1024 px and 4 layers
constexpr int kBoundariesBesideProducts = 400;
constexpr double kWarmUpSeconds = 2;

struct Ends {
  Communicator& ranks;
  at::Device device;
  std::unique_ptr<SendChannel> out;
  std::unique_ptr<ReceiveChannel> in;
};

Boundary of_bytes(const at::Device& device, std::int64_t bytes, int value) {
  Boundary boundary;
  boundary.tensors.push_back(
      {"hidden_states", at::full({bytes}, value, at::TensorOptions().dtype(at::kByte).device(device))});
  return boundary;
}

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

void print(const char* what, std::int64_t bytes, std::vector<double> values, const char* unit) {
  std::sort(values.begin(), values.end());
  std::printf("%-10s %10lld bytes  min %9.2f  median %9.2f  max %9.2f %s\n", what,
              static_cast<long long>(bytes), values.front(), values[values.size() / 2], values.back(), unit);
}

bool is_right(const Boundary& boundary, int value) {
  return (boundary.at("hidden_states") == value).all().item<bool>();
}

void latency(Ends& ends, std::int64_t bytes) {
  std::vector<double> microseconds;
  for (int round = -kWarmUp; round < kRounds; ++round) {
    const auto begin = std::chrono::steady_clock::now();
    if (ends.ranks.rank() == 0) ends.out->send(of_bytes(ends.device, bytes, 7));
    Boundary came = ends.in->receive();
    if (ends.ranks.rank() == 1) ends.out->send(std::move(came));
    if (round >= 0) microseconds.push_back(seconds_since(begin) * 1e6 / 2);
  }
  if (ends.ranks.rank() == 0) print("latency", bytes, microseconds, "us");
}

void bandwidth(Ends& ends, std::int64_t bytes) {
  const Boundary sent = of_bytes(ends.device, bytes, 9);
  std::vector<double> gigabytes;
  for (int round = -1; round < 10; ++round) {
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < kTrain; ++i) {
      if (ends.ranks.rank() == 0) {
        ends.out->send(sent);
      } else if (const Boundary came = ends.in->receive(); round < 0 && !is_right(came, 9)) {
        std::printf("what came is wrong\n");
      }
    }
    if (round >= 0) gigabytes.push_back(kTrain * static_cast<double>(bytes) / seconds_since(begin) / 1e9);
  }
  ends.out->flush();
  if (ends.ranks.rank() == 1) print("bandwidth", bytes, gigabytes, "GB/s");
  ends.ranks.barrier("between measurements");
}

// By the first rank, which sees both GPUs.
void copies(const Ends& ends) {
  if (ends.ranks.rank() == 0) {
    const auto bytes = at::TensorOptions().dtype(at::kByte);
    const at::Tensor here = at::zeros({kBoundary}, bytes.device(at::Device(at::kCUDA, 0)));
    const at::Tensor there = at::zeros({kBoundary}, bytes.device(at::Device(at::kCUDA, 1)));
    const auto timing = layerpipe::bench::time_calls(there.device(), 20, [&] { there.copy_(here); });
    std::printf("a copy of LibTorch between the GPUs: %.1f GB/s\n",
                static_cast<double>(kBoundary) / timing.median / 1e9);
  }
  ends.ranks.barrier("between measurements");
}

// Products of 8192 x 8192 in bf16 while `go_on` says so, at least a few. TFLOP/s. The GPU has to be warm: it
// slows down by a sixth within the first second.
double products(const at::Device& device, const std::function<bool()>& go_on) {
  constexpr std::int64_t kSize = 8192;
  constexpr int kFew = 20;
  const auto options = at::TensorOptions().dtype(at::kBFloat16).device(device);
  const at::Tensor a = at::randn({kSize, kSize}, options);
  const at::Tensor b = at::randn({kSize, kSize}, options);
  at::Tensor out = at::mm(a, b);
  wait_for(device);
  const auto begin = std::chrono::steady_clock::now();
  int done = 0;
  do {
    for (int i = 0; i < kFew; ++i) at::mm_out(out, a, b);
    wait_for(device);
    done += kFew;
  } while (go_on());
  return 2.0 * kSize * kSize * kSize * done / seconds_since(begin) / 1e12;
}

double products_for(const at::Device& device, double seconds) {
  const auto begin = std::chrono::steady_clock::now();
  return products(device, [&] { return seconds_since(begin) < seconds; });
}

// The second rank multiplies.
void slow_down(Ends& ends) {
  const bool multiplies = ends.ranks.rank() == 1;
  if (multiplies) {
    products_for(ends.device, kWarmUpSeconds);
    std::printf("products beside an edge that waits: %.1f TFLOP/s\n", products_for(ends.device, 1));
  }
  ends.ranks.barrier("between measurements");
  if (!multiplies) {
    const Boundary sent = of_bytes(ends.device, kBoundary, 9);
    for (int i = 0; i < kBoundariesBesideProducts; ++i) ends.out->send(sent);
    ends.out->flush();
  } else {
    std::atomic<bool> is_done{false};
    std::thread receiver([&] {
      at::accelerator::setDeviceIndex(ends.device.index());
      for (int i = 0; i < kBoundariesBesideProducts; ++i) ends.in->receive();
      is_done = true;
    });
    const double speed = products(ends.device, [&] { return !is_done; });
    receiver.join();
    std::printf("products beside an edge that receives without a pause: %.1f TFLOP/s\n", speed);
  }
  ends.ranks.barrier("between measurements");
}

// Of the device, by its driver, without what LibTorch holds.
double taken_gib(const at::Device& device) {
  const auto [free, total] = at::accelerator::getMemoryInfo(device.index());
  const auto held = at::accelerator::getDeviceStats(device.index()).reserved_bytes[0].current;
  return (static_cast<double>(total - free) - static_cast<double>(held)) / (1 << 30);
}

void run(Communicator& ranks, bool over_nccl) {
  ChannelOptions options{.depth = 2};
  double before = 0;
  if (over_nccl) {
    layerpipe::bench::require_gpu(ranks.rank());
    options.kind = ChannelKind::kNccl;
    options.device = at::Device(at::kCUDA, static_cast<at::DeviceIndex>(ranks.rank()));
    at::accelerator::setDeviceIndex(options.device.index());
    if (ranks.rank() == 1) {
      products_for(options.device, kWarmUpSeconds);
      std::printf("products alone: %.1f TFLOP/s\n", products_for(options.device, 1));
    }
    is_right(of_bytes(options.device, 1, 7), 7);  // loads what the measurements call
    before = taken_gib(options.device);
  }
  const int other = 1 - ranks.rank();
  Ends ends{ranks, options.device, ranks.open_send(other, options), ranks.open_receive(other, options)};
  for (const std::int64_t bytes : {1 << 10, 1 << 16, 1 << 20}) latency(ends, bytes);
  if (over_nccl)
    std::printf("rank %d: both edges take %.2f GiB\n", ranks.rank(), taken_gib(options.device) - before);
  for (const std::int64_t bytes : {std::int64_t{1} << 20, std::int64_t{32} << 20, kBoundary})
    bandwidth(ends, bytes);
  if (!over_nccl) return;
  copies(ends);
  slow_down(ends);
}

int run_benchmark(int argc, char** argv) {
  layerpipe::bench::CommandLine app("Channels between two ranks: mpirun -n 2 build/bench_channels");
  bool over_nccl = false;
  app.add_flag("--nccl", over_nccl,
               "from GPU to GPU; NCCL_MAX_CTAS and NCCL_MIN_CTAS set its share of a GPU");
  app.parse(argc, argv);
  mpi::Session session;
  const auto ranks = session.connect(std::chrono::seconds(60));
  if (ranks->size() != 2) {
    std::fprintf(stderr, "bench_channels needs two ranks: mpirun -n 2 build/bench_channels\n");
    ranks->barrier("ending");
    return 2;
  }
  run(*ranks, over_nccl);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return layerpipe::bench::guarded("bench_channels", [&] { return run_benchmark(argc, argv); });
}
