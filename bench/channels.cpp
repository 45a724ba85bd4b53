// Host channels between two ranks: mpirun -n 2 build/bench_channels
//
// latency   = half of the time for a boundary to go to the other rank and come back
// bandwidth = bytes of a boundary / time per boundary, sent one after another at depth 2, received and
// verified
#include <ATen/ATen.h>

#include <algorithm>
#include <cstdio>
#include <vector>

#include "comm/mpi/session.h"

namespace {

using namespace layerpipe::comm;

constexpr int kRounds = 200;
constexpr int kWarmUp = 20;
constexpr int kTrain = 8;  // boundaries, one right after the other, that bandwidth is measured over

Boundary of_bytes(std::int64_t bytes, int value) {
  Boundary boundary;
  boundary.tensors.push_back({"hidden_states", at::full({bytes}, value, at::kByte)});
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

void latency(Communicator& ranks, SendChannel& out, ReceiveChannel& in, std::int64_t bytes) {
  std::vector<double> microseconds;
  for (int round = -kWarmUp; round < kRounds; ++round) {
    const auto begin = std::chrono::steady_clock::now();
    if (ranks.rank() == 0) out.send(of_bytes(bytes, 7));
    Boundary came = in.receive();
    if (ranks.rank() == 1) out.send(std::move(came));
    if (round >= 0) microseconds.push_back(seconds_since(begin) * 1e6 / 2);
  }
  if (ranks.rank() == 0) print("latency", bytes, microseconds, "us");
}

void bandwidth(Communicator& ranks, SendChannel& out, ReceiveChannel& in, std::int64_t bytes) {
  const Boundary sent = of_bytes(bytes, 9);
  std::vector<double> gigabytes;
  for (int round = -1; round < 10; ++round) {
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < kTrain; ++i) {
      if (ranks.rank() == 0) {
        out.send(sent);
      } else if (const Boundary came = in.receive(); round < 0 && !is_right(came, 9)) {
        std::printf("what came is wrong\n");
      }
    }
    if (round >= 0) gigabytes.push_back(kTrain * static_cast<double>(bytes) / seconds_since(begin) / 1e9);
  }
  out.flush();
  if (ranks.rank() == 1) print("bandwidth", bytes, gigabytes, "GB/s");
  ranks.barrier("between measurements");
}

}  // namespace

int main() {
  mpi::Session session;
  const auto ranks = session.connect(std::chrono::seconds(60));
  if (ranks->size() != 2) {
    std::fprintf(stderr, "bench_channels needs two ranks: mpirun -n 2 build/bench_channels\n");
    ranks->barrier("ending");
    return 2;
  }
  const int other = 1 - ranks->rank();
  const auto out = ranks->open_send(other, {.depth = 2});
  const auto in = ranks->open_receive(other, {.depth = 2});
  for (const std::int64_t bytes : {1 << 10, 1 << 16, 1 << 20}) latency(*ranks, *out, *in, bytes);
  for (const std::int64_t bytes : {1 << 20, 32 << 20, 151 << 20}) bandwidth(*ranks, *out, *in, bytes);
  return 0;
}
