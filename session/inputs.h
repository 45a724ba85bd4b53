// Makes the requests of the windows from a job, on all ranks.
#pragma once

#include <atomic>
#include <cstdint>
#include <future>
#include <map>
#include <vector>

#include "comm/communicator.h"
#include "common/range.h"
#include "results/run_record.h"
#include "runtime/request/request.h"
#include "session/job.h"
#include "session/run_observer.h"

namespace layerpipe::session {

// What is to be made, known before the work: the requests, whose pictures have a size but no pixels (tensors
// on the device "meta"), and what is known of each one's result.
struct Work {
  std::vector<runtime::Request> requests;
  std::vector<results::RunRecord> records;
};

// Rank 0 reads the pictures and brings them to the size that the model works on; the others get them from it,
// so that files need to be at hand there alone. The initial latents, too, are rank 0's. All functions are
// called by all ranks, in the same order, by the thread of the communicator.
class Inputs {
 public:
  // Pixels of at most so many bytes are kept from when the pictures are first read.
  static constexpr std::uint64_t kMostKeptBytes = std::uint64_t{256} << 20;

  // Reads every picture once, so that what cannot be used is refused before the work; keeps the pixels of as
  // many as take little memory. All arguments outlive the object. Throws AgreedError for a picture that
  // cannot be used, InterruptedError. Rank 0's observer hears what was noticed about a picture.
  Inputs(const Job& job, comm::Communicator& communicator, const std::atomic<bool>& stop_requested,
         RunObserver& observer, std::uint64_t most_kept_bytes = kMostKeptBytes);
  ~Inputs();

  // The records are for the caller to complete.
  Work& work() noexcept { return work_; }

  // The requests of a window, with their pixels. Requests of one picture share its tensor, also with those of
  // the window before. Throws AgreedError for a picture that has changed, or gone, since it was first read.
  std::vector<runtime::Request> window(const common::Range& results);
  // Rank 0 begins to read what that window needs, on a thread of its own; window() takes it from there. When
  // this object goes, the thread ends after the picture at hand.
  void read_ahead(const common::Range& results);

 private:
  struct Picture;
  common::Range pictures_of(const common::Range& results) const;
  std::map<std::int64_t, at::Tensor> read(const common::Range& pictures) const;

  const Job& job_;
  comm::Communicator& communicator_;
  const std::atomic<bool>& stop_requested_;
  std::vector<Picture> pictures_;
  Work work_;
  std::map<std::int64_t, at::Tensor> kept_;    // pixels by picture, on rank 0
  std::map<std::int64_t, at::Tensor> window_;  // pixels by picture, of the last window
  common::Range ahead_pictures_;
  std::atomic<bool> is_abandoned_{false};
  std::future<std::map<std::int64_t, at::Tensor>> ahead_;  // reads the members above
};

}  // namespace layerpipe::session
