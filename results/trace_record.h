// What --trace wrote, read back for `layerpipe report`. Without LibTorch.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace layerpipe::results {

// What a rank did for one microbatch, in seconds since the run's start.
struct RecordedWork {
  enum class Row { kCompute, kReceive, kSend };
  Row row = Row::kCompute;
  std::string name;  // "forward", "join", "receive" …
  double begin = 0;
  double end = 0;
  std::int64_t request = 0;
  std::int64_t step = 0;
  std::int64_t branch = 0;
};

struct RecordedTrace {
  struct Rank {
    std::int64_t rank = 0;
    std::vector<RecordedWork> work;  // by begin
  };
  std::vector<Rank> ranks;  // in the order of the stages
  std::string run_id;       // RunRecord::run_id; empty in files of an earlier layerpipe
};

// Throws InputError that names the file and the key for what write_trace (runtime/observe/trace.h) cannot
// have written, and for more than 64 MiB.
RecordedTrace read_trace(const std::filesystem::path& file);

}  // namespace layerpipe::results
