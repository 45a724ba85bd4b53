// The processes that mpirun started as ranks. Every rank runs every test; failures are printed by the rank
// that has them, and fail the program on all.
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

#include "comm/mpi/session.h"
#include "tests/comm/ranks.h"

namespace layerpipe::testing {
namespace {

constexpr int kSkipped = 77;  // ctest's SKIP_RETURN_CODE
constexpr std::chrono::seconds kMeeting{20};

comm::mpi::Session* session = nullptr;  // main's, for the tests

class FailuresOfARank : public ::testing::EmptyTestEventListener {
 public:
  explicit FailuresOfARank(int rank) : rank_(rank) {}
  void OnTestPartResult(const ::testing::TestPartResult& result) override {
    if (!result.failed()) return;
    std::cout << "rank " << rank_ << ": " << result.file_name() << ":" << result.line_number() << ": "
              << result.message() << std::endl;
  }

 private:
  int rank_;
};

}  // namespace

std::vector<int> sizes_of_sets() {
  const char* size = std::getenv("OMPI_COMM_WORLD_SIZE");  // asked before main
  return {size == nullptr ? 1 : std::atoi(size)};
}

void on_all_ranks(int size, const std::function<void(comm::Communicator&)>& body,
                  std::chrono::milliseconds timeout) {
  ASSERT_EQ(size, session->size());
  // The ranks leave the test before at different times; a short timeout is not to count that.
  session->connect(kMeeting)->barrier("meeting before a test");
  const auto communicator = session->connect(timeout);
  run_body(body, *communicator);
}

}  // namespace layerpipe::testing

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  layerpipe::comm::mpi::Session session;
  layerpipe::testing::session = &session;
  if (session.rank() > 0) {
    auto& listeners = ::testing::UnitTest::GetInstance()->listeners();
    delete listeners.Release(listeners.default_result_printer());
    listeners.Append(new layerpipe::testing::FailuresOfARank(session.rank()));
  }
  if (const std::string why = layerpipe::testing::why_skipped(session.size()); !why.empty()) {
    if (session.rank() == 0) std::cout << "skipped: " << why << std::endl;
    return layerpipe::testing::kSkipped;  // ranks are of one machine here, so all say the same
  }
  const int failed = RUN_ALL_TESTS();
  const auto communicator = session.connect(layerpipe::testing::kMeeting);
  int any = 0;
  for (const auto& one : communicator->all_gather(std::as_bytes(std::span(&failed, 1)), "ending the tests")) {
    any |= std::to_integer<int>(one.at(0));
  }
  return any;
}
