// Descriptions: what they carry, and that nothing wrong is taken for one.
#include "comm/boundary.h"

#include <gmock/gmock.h>

#include <cstring>

#include "common/errors.h"
#include "tests/comm/boundaries.h"

namespace layerpipe::comm {
namespace {

using layerpipe::testing::numbered;

std::string refusal(std::span<const std::byte> description) {
  try {
    allocate(description, 3, at::kCPU);
  } catch (const common::PeerFailedError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Description, CarriesHeaderNamesDtypesAndShapes) {
  Boundary boundary = numbered(41);
  boundary.header = {.request = 1LL << 40, .branch = 1, .step = 49, .action = Action::kSkip};
  boundary.tensors.push_back({"scalar", at::scalar_tensor(2.5)});
  boundary.tensors.push_back({"empty", at::empty({0, 3}, at::kLong)});
  const Boundary came = allocate(describe(boundary, 3), 3, at::kCPU);
  EXPECT_EQ(came.header, boundary.header);
  ASSERT_EQ(came.tensors.size(), boundary.tensors.size());
  for (std::size_t i = 0; i < came.tensors.size(); ++i) {
    EXPECT_EQ(came.tensors[i].name, boundary.tensors[i].name);
    EXPECT_EQ(came.tensors[i].tensor.sizes(), boundary.tensors[i].tensor.sizes());
    EXPECT_EQ(came.tensors[i].tensor.scalar_type(), boundary.tensors[i].tensor.scalar_type());
  }
  EXPECT_EQ(came.bytes(), boundary.bytes());
}

TEST(Description, IsRefusedWhenItIsCutOrLonger) {
  const auto description = describe(numbered(1), 3);
  for (std::size_t length = 0; length < description.size(); ++length) {
    EXPECT_NE(refusal(std::span(description).first(length)), "accepted") << length;
  }
  EXPECT_EQ(refusal(describe(numbered(1), 4)),
            "a message between ranks cannot be read: it is not the next boundary; one was lost");
  auto longer = description;
  longer.push_back({});
  EXPECT_EQ(refusal(longer), "a message between ranks cannot be read: it is too long");
}

// Whatever a single byte becomes, the answer is a boundary or a refusal, and no absurd allocation.
TEST(Description, IsNeverTakenForMoreThanItIs) {
  const auto description = describe(numbered(1), 3);
  EXPECT_EQ(refusal(std::vector<std::byte>(200)),
            "a message between ranks cannot be read: it is no description of a boundary");
  for (std::size_t at = 0; at < description.size(); ++at) {
    auto changed = description;
    changed[at] ^= std::byte{0x81};
    try {
      allocate(changed, 3, at::kMeta);  // takes no memory
    } catch (const common::PeerFailedError&) {
    }
  }
}

TEST(Description, RefusesSizesWhoseProductOverflows) {
  Boundary boundary;
  boundary.tensors.push_back({"t", at::empty({1, 1}, at::kFloat)});
  auto description = describe(boundary, 3);
  const std::int64_t huge = std::int64_t{1} << 40;
  std::memcpy(description.data() + description.size() - 8, &huge, 8);
  std::memcpy(description.data() + description.size() - 16, &huge, 8);
  EXPECT_EQ(refusal(description), "a message between ranks cannot be read: a tensor that is too large");
  const std::int64_t negative = -1;
  std::memcpy(description.data() + description.size() - 8, &negative, 8);
  EXPECT_EQ(refusal(description),
            "a message between ranks cannot be read: a tensor with a negative dimension");
}

}  // namespace
}  // namespace layerpipe::comm
