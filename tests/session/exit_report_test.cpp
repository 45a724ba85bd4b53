// What the program says of exceptions that are not its own.
#include "session/exit_report.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/ones.h>

#include <cerrno>
#include <filesystem>
#include <new>
#include <system_error>

namespace layerpipe::session {
namespace {

using common::ExitCode;

// What is said of the exception that `call` throws.
template <typename Call>
Failure failure_of(Call&& call, const std::string& doing = {}) {
  try {
    call();
  } catch (...) {
    return explain(std::current_exception(), doing);
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}

constexpr const char* kCloseOthers =
    "Close other programs, or try a smaller --resolution, fewer --layers or --dtype bf16.";

TEST(Failure, OursSpeakForThemselves) {
  const Failure failure = failure_of([] { throw common::OutputError("cannot write x", "Write y."); }, "work");
  EXPECT_EQ(failure.code, ExitCode::kOutput);
  EXPECT_EQ(failure.what, "cannot write x");
  EXPECT_EQ(failure.remedy, "Write y.");
}

// LibTorch's CPU allocator has no type of its own for this; the text has to be known again in every version.
TEST(Failure, LibTorchOutOfHostMemory) {
  constexpr std::int64_t kMoreThanAnAddressSpace = std::int64_t{1} << 50;
  const Failure failure =
      failure_of([] { at::empty({kMoreThanAnAddressSpace}, at::kByte); }, "loading the transformer");
  EXPECT_EQ(failure.code, ExitCode::kDoesNotFit);
  EXPECT_EQ(
      failure.what,
      "the machine has not enough memory for loading the transformer: 1048576.00 GiB more were asked for");
  EXPECT_EQ(failure.remedy, kCloseOthers);
}

TEST(Failure, AnyAllocationThatFailed) {
  const Failure failure = failure_of([] { throw std::bad_alloc(); });
  EXPECT_EQ(failure.code, ExitCode::kDoesNotFit);
  EXPECT_EQ(failure.what, "the machine has not enough memory");
  EXPECT_EQ(failure.remedy, kCloseOthers);
}

TEST(Failure, AThreadThatCannotBeStarted) {
  const auto fail = [] { throw std::system_error(EAGAIN, std::generic_category()); };
  const Failure failure = failure_of(fail, "denoising");
  EXPECT_EQ(failure.code, ExitCode::kDoesNotFit);
  EXPECT_EQ(failure.what, "the machine gives this process no more threads for denoising");
  EXPECT_EQ(failure.remedy,
            "Close other programs, or raise the limits on processes and memory (ulimit -u, ulimit -v, a "
            "container's).");
  EXPECT_EQ(failure_of(fail).what, "the machine gives this process no more threads");
  const Failure other = failure_of([] { throw std::system_error(EDEADLK, std::generic_category()); });
  EXPECT_EQ(other.code, ExitCode::kInternal);
}

TEST(Failure, OtherMistakesOfLibTorchsAreInternal) {
  const Failure failure = failure_of([] { at::ones({2}).view({3}); }, "denoising");
  EXPECT_EQ(failure.code, ExitCode::kInternal);
  EXPECT_THAT(failure.what, ::testing::StartsWith("LibTorch failed: "));
}

TEST(Failure, FilesAndTheRest) {
  const Failure file = failure_of([] { std::filesystem::resize_file("/proc/layerpipe", 0); });
  EXPECT_EQ(file.code, ExitCode::kInput);
  EXPECT_THAT(file.what, ::testing::HasSubstr("/proc/layerpipe"));
  EXPECT_EQ(failure_of([] { throw std::logic_error("oh"); }).code, ExitCode::kInternal);
}

TEST(Failure, NamesTheWorkOfProgress) {
  using partition::Phase;
  using Work = runtime::Progress::Work;
  EXPECT_EQ(doing_after({Phase::kEncode, Work::kCompute, 0, 2, 0}), "encoding");
  EXPECT_EQ(doing_after({Phase::kDenoise, Work::kLoad, 0, 9, 0, partition::Network::kTransformer}),
            "loading the transformer");
  EXPECT_EQ(doing_after({Phase::kDenoise, Work::kLoad, 9, 9, 0, partition::Network::kTransformer}),
            "denoising");
  EXPECT_EQ(doing_after({Phase::kDenoise, Work::kPrepare, 0, 9, 0, partition::Network::kTransformer}),
            "making the modulation table");
  EXPECT_EQ(doing_after({Phase::kDenoise, Work::kPrepare, 9, 9, 0, partition::Network::kTransformer}),
            "denoising");
  EXPECT_EQ(doing_after({Phase::kDenoise, Work::kCompute, 3, 3, 0}), "denoising");
  EXPECT_EQ(doing_after({Phase::kDecode, Work::kCompute, 0, 1, 0}), "decoding");
}

}  // namespace
}  // namespace layerpipe::session
