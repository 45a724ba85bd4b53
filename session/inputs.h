// From a job to the requests of a run, on all ranks.
#pragma once

#include <atomic>
#include <vector>

#include "comm/communicator.h"
#include "results/run_record.h"
#include "runtime/request/request.h"
#include "session/job.h"
#include "session/run_observer.h"

namespace layerpipe::session {

// The requests, and what is known of each one's result before the work.
struct Work {
  std::vector<runtime::Request> requests;
  std::vector<results::RunRecord> records;
};

// Rank 0 reads the pictures and brings them to the size that the model works on; the others get them from it,
// so that files need to be at hand there alone. The initial latents, too, are rank 0's. Throws AgreedError
// for a picture that cannot be used. Rank 0's observer hears what was noticed about a picture.
Work make_work(const Job& job, comm::Communicator& communicator, const std::atomic<bool>& stop_requested,
               RunObserver& observer);

}  // namespace layerpipe::session
