#include "comm/nccl/nccl_edge.h"

#include <cstring>
#include <string>
#include <thread>

#include "common/errors.h"

namespace layerpipe::comm {
namespace {

// A channel of NCCL is a CTA. Two carry 68 GB/s between H200s, a boundary of 1024 px in 2.3 ms of a step of
// two seconds; each further one takes 24 MiB more for a rank's two edges (docs/decisions.md).
constexpr int kCtas = 2;
constexpr std::chrono::microseconds kBetweenLooks{20};
constexpr std::chrono::seconds kFinalising{1};

[[noreturn]] void fail(ncclResult_t result, const char* call, ncclComm_t comm) {
  const char* more = ncclGetLastError(comm);
  std::string text = std::string(call) + ": " + ncclGetErrorString(result);
  if (more != nullptr && *more != '\0') text += " (" + std::string(more) + ")";
  if (result == ncclUnhandledCudaError && text.find("out of memory") != std::string::npos) {
    throw common::DoesNotFitError("the GPU has not enough memory for NCCL: " + text,
                                  "Leave more of it free (reserve in --partition, or --memory-limit), or "
                                  "choose the channel mpi, which takes none.");
  }
  throw common::PeerFailedError(text, kNcclRemedy);
}

}  // namespace

NcclEdge::Id NcclEdge::make_id() {
  ncclUniqueId id;
  if (const ncclResult_t result = ncclGetUniqueId(&id); result != ncclSuccess) {
    fail(result, "ncclGetUniqueId", nullptr);
  }
  Id bytes;
  std::memcpy(bytes.data(), &id, bytes.size());
  return bytes;
}

NcclEdge::NcclEdge(Patience patience) : patience_(std::move(patience)) {}

void NcclEdge::join(const Id& id, End end) {
  ncclUniqueId unique;
  std::memcpy(&unique, id.data(), id.size());
  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
  config.blocking = 0;  // so that a dead peer does not hold the caller
  config.minCTAs = kCtas;
  config.maxCTAs = kCtas;
  config.collnetEnable = 0;  // there are no collectives here
  settle(ncclCommInitRankConfig(&comm_, 2, unique, static_cast<int>(end), &config), "ncclCommInitRank");
}

NcclEdge::~NcclEdge() {
  abort();
}

void NcclEdge::settle(ncclResult_t result, const char* call) {
  const auto begin = std::chrono::steady_clock::now();
  while (result == ncclInProgress) {
    patience_(std::chrono::steady_clock::now() - begin);
    std::this_thread::sleep_for(kBetweenLooks);
    ncclResult_t state = ncclSuccess;
    result = ncclCommGetAsyncError(comm_, &state);
    if (result == ncclSuccess) result = state;
  }
  if (result != ncclSuccess) fail(result, call, comm_);
}

// All tensors in one group: one kernel, however many there are.
template <typename Transfer>
void NcclEdge::group(const Boundary& boundary, Transfer transfer) {
  if (boundary.bytes() == 0) return;
  settle(ncclGroupStart(), "ncclGroupStart");
  ncclResult_t result = ncclSuccess;
  for (const auto& [name, tensor] : boundary.tensors) {
    if (tensor.nbytes() == 0) continue;
    const ncclResult_t one = transfer(tensor);
    if (one != ncclSuccess && one != ncclInProgress) result = one;
  }
  // Ends also a group that failed, which would stay open for all communicators of this thread.
  const ncclResult_t ended = ncclGroupEnd();
  if (result != ncclSuccess) fail(result, "ncclSend or ncclRecv", comm_);
  settle(ended, "ncclGroupEnd");
}

void NcclEdge::send(const Boundary& boundary, c10::cuda::CUDAStream stream) {
  group(boundary, [&](const at::Tensor& tensor) {
    return ncclSend(tensor.const_data_ptr(), tensor.nbytes(), ncclUint8, static_cast<int>(End::kReceive),
                    comm_, stream.stream());
  });
}

void NcclEdge::receive(const Boundary& boundary, c10::cuda::CUDAStream stream) {
  group(boundary, [&](const at::Tensor& tensor) {
    return ncclRecv(tensor.mutable_data_ptr(), tensor.nbytes(), ncclUint8, static_cast<int>(End::kSend),
                    comm_, stream.stream());
  });
}

void NcclEdge::check() {
  ncclResult_t state = ncclSuccess;
  const ncclResult_t result = ncclCommGetAsyncError(comm_, &state);
  if (result != ncclSuccess) fail(result, "ncclCommGetAsyncError", comm_);
  if (state != ncclSuccess && state != ncclInProgress) fail(state, "NCCL", comm_);
}

void NcclEdge::abort() noexcept {
  if (comm_ != nullptr) ncclCommAbort(comm_);
  comm_ = nullptr;
}

void NcclEdge::finish() noexcept {
  if (comm_ == nullptr) return;
  patience_ = [](std::chrono::steady_clock::duration waited) {
    if (waited > kFinalising) throw common::PeerFailedError("the other end is slow");
  };
  try {
    settle(ncclCommFinalize(comm_), "ncclCommFinalize");
    ncclCommDestroy(comm_);
    comm_ = nullptr;
  } catch (const common::Error&) {
    abort();
  }
}

}  // namespace layerpipe::comm
