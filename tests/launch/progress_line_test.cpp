#include "launch/progress_line.h"

namespace layerpipe::launch {
namespace {

using runtime::Phase;
using std::chrono::duration;

TEST(ProgressText, BeginsWithoutTimes) {
  EXPECT_EQ(progress_text({Phase::kEncode, 0, 2, 0}, duration<double>(3)), "encode     0/2");
  EXPECT_EQ(progress_text({Phase::kDenoise, 0, 50, 0}, duration<double>(0)), "denoise    0/50");
}

TEST(ProgressText, TellsWhatIsLeft) {
  EXPECT_EQ(progress_text({Phase::kDenoise, 7, 50, 0}, duration<double>(2.94)),
            "denoise    7/50  0.42 s a step, 18 s left");
  EXPECT_EQ(progress_text({Phase::kDenoise, 10, 1000, 3}, duration<double>(100)),
            "denoise   10/1000  10.00 s a step, 2 h 45 min left");
  EXPECT_EQ(progress_text({Phase::kDecode, 1, 3, 1}, duration<double>(2)), "decode     1/3, 4.0 s left");
}

TEST(ProgressText, EndsWithoutAnEstimate) {
  EXPECT_EQ(progress_text({Phase::kDenoise, 50, 50, 0}, duration<double>(21)),
            "denoise   50/50  0.42 s a step");
  EXPECT_EQ(progress_text({Phase::kDecode, 1, 1, 0}, duration<double>(2)), "decode     1/1");
}

}  // namespace
}  // namespace layerpipe::launch
