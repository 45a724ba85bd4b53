// Channels over a transport that loses, delays and cuts messages.
#include "tests/support/faulty_transport.h"

#include <gmock/gmock.h>

#include "comm/local/local_transport.h"
#include "comm/tags.h"
#include "comm/transport_communicator.h"
#include "common/errors.h"
#include "tests/comm/boundaries.h"

namespace layerpipe::comm {
namespace {

using namespace std::chrono_literals;
using layerpipe::testing::expect_same;
using layerpipe::testing::Fault;
using layerpipe::testing::Faults;
using layerpipe::testing::FaultyTransport;
using layerpipe::testing::numbered;
using ::testing::HasSubstr;

// What rank 1 says when rank 0 sends it ten boundaries through a transport with these faults.
std::string complaint(const Faults& faults, std::chrono::milliseconds delay = {}) {
  auto transports = make_local_transports(2);
  transports[0] = std::make_shared<FaultyTransport>(transports[0], faults, delay);
  std::string said = "none";
  const auto run = [&](int rank) {
    TransportCommunicator ranks(transports[static_cast<std::size_t>(rank)], 600ms);
    ranks.set_host_of_all("h");
    try {
      ranks.barrier("beginning");
      if (rank == 0) {
        const auto out = ranks.open_send(1, {});
        for (int i = 0; i < 10; ++i) out->send(numbered(i));
        out->flush();
      } else {
        const auto in = ranks.open_receive(0, {});
        for (int i = 0; i < 10; ++i) expect_same(in->receive(), numbered(i));
      }
      ranks.barrier("ending");
    } catch (const common::PeerFailedError& error) {
      if (rank == 1) said = error.what();
    }
  };
  {
    const std::jthread zero(run, 0);
    const std::jthread one(run, 1);
  }
  return said;
}

Faults third(Tag tag, Fault fault) {
  return [=](int, Tag its, int number) { return its == tag && number == 2 ? fault : Fault::kNone; };
}

TEST(FaultyTransport, NoFaultNoComplaint) {
  EXPECT_EQ(complaint([](int, Tag, int) { return Fault::kNone; }), "none");
}

TEST(FaultyTransport, ADelayIsNoFault) {
  EXPECT_EQ(complaint(third(payload_tag(0), Fault::kDelay), 400ms), "none");
  EXPECT_EQ(complaint(third(description_tag(0), Fault::kDelay), 400ms), "none");
}

TEST(FaultyTransport, ALostPulseIsNoFault) {
  EXPECT_EQ(complaint(third(kPulseTag, Fault::kDrop)), "none");
}

TEST(FaultyTransport, ALostDescriptionIsNoticed) {
  // The receiver waits for it, and the sender for the receiver to take the bytes.
  EXPECT_THAT(complaint(third(description_tag(0), Fault::kDrop)),
              HasSubstr("does not answer: nothing moved for 0."));
}

// Each waits for the other, and either may be the first to say so.
TEST(FaultyTransport, ALostLastDescriptionIsNoticed) {
  EXPECT_THAT(complaint([](int, Tag tag, int number) {
                return tag == description_tag(0) && number == 9 ? Fault::kDrop : Fault::kNone;
              }),
              HasSubstr("does not answer: nothing moved for 0."));
}

// What the other rank is at is said once its first pulse has come.
auto names_the_connection(const std::string& why) {
  return ::testing::ContainsRegex("the connection to rank 0 on host h( \\(starting\\))? failed: " + why);
}

TEST(FaultyTransport, ALostPayloadIsNoticed) {
  EXPECT_THAT(complaint(third(payload_tag(0), Fault::kDrop)), names_the_connection("a message of"));
}

TEST(FaultyTransport, ACutMessageIsNoticed) {
  EXPECT_THAT(complaint(third(payload_tag(0), Fault::kTruncate)),
              names_the_connection("a message of 42 bytes came where 84 were announced"));
  EXPECT_THAT(complaint(third(description_tag(0), Fault::kTruncate)),
              names_the_connection("a message between ranks cannot be read: it is too short"));
}

}  // namespace
}  // namespace layerpipe::comm
