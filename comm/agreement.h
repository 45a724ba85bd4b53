// What all ranks have to have in common before they start.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "comm/communicator.h"

namespace layerpipe::comm {

// One thing, by the name that a message calls it: "program version", "model". The value is compared; it is
// shown when it is short.
struct Fact {
  std::string name;
  std::string value;
};

// Compares the facts of all ranks, which have the same names in the same order. Throws AgreedError (2) that
// names the first fact that differs, the lowest rank where it differs from rank 0's, and both values.
void check_agreement(Communicator& communicator, const std::vector<Fact>& facts);

// Throws AgreedError (2) that names them when two ranks compute on one GPU. `uuid`: this rank's, "" on a CPU.
// Called by all ranks.
void check_own_gpus(Communicator& communicator, const std::string& uuid);

// The greatest of all ranks' numbers. Called by all ranks, and the same for all. `what` is said when a rank
// fails meanwhile: "comparing GPUs".
std::int64_t greatest(Communicator& communicator, std::int64_t mine, const char* what);
// Whether it is so on some rank; likewise.
bool on_any_rank(Communicator& communicator, bool is_so_here, const char* what);

}  // namespace layerpipe::comm
