#include "controller/pgbouncer_listeners.hpp"

#include <gtest/gtest.h>

#include "replication/errors.hpp"

namespace verdigris {
namespace {

// Recorded; port 6432 is 1920. The second has an established connection of the same port, the fourth another port.
constexpr const char* kTcp =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when\n"
    "   0: 0100007F:1920 00000000:0000 0A 00000000:00000000 00:00000000 00000000 65534        0 71 1 0\n"
    "   1: 0100007F:1920 0100007F:A2C4 01 00000000:00000000 00:00000000 00000000 65534        0 72 1 0\n"
    "   2: 0100007F:1920 00000000:0000 0A 00000000:00000000 00:00000000 00000000 65534        0 73 1 0\n"
    "   3: 0100007F:1921 00000000:0000 0A 00000000:00000000 00:00000000 00000000 65534        0 74 1 0\n"
    "   4: 00000000:1920 00000000:0000 0A 00000000:00000000 00:00000000 00000000 65534        0 75 1 0\n";
constexpr const char* kTcp6 =
    "  sl  local_address                         remote_address                        st\n"
    "   0: 00000000000000000000000001000000:1920 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 81 1\n"
    "   1: 00000000000000000000000000000000:1920 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 82 1\n";

TEST(PgBouncerListeners, AreToldByAddressAndPort) {
  const Listeners expected{{"0100007F", {"71", "73"}}, {"00000000", {"75"}}};
  EXPECT_EQ(listeners_in(kTcp, 6432), expected);
  EXPECT_EQ(listeners_in(kTcp, 6433).size(), 1U);
  EXPECT_TRUE(listeners_in(kTcp, 6434).empty());
  EXPECT_TRUE(listeners_in("", 6432).empty());
  EXPECT_EQ(listeners_in(kTcp6, 6432).size(), 2U);
}

TEST(PgBouncerListeners, AddressesAreWrittenAsTheKernelDoes) {
  EXPECT_EQ(kernel_addresses("127.0.0.1"), std::vector<std::string>{"0100007F"});
  const std::vector<std::string> both{"00000000000000000000000001000000", "0100007F"};
  EXPECT_EQ(kernel_addresses(" 127.0.0.1 , ::1,127.0.0.1"), both);
  EXPECT_EQ(kernel_addresses("*"), (std::vector<std::string>{"00000000", "00000000000000000000000000000000"}));
  EXPECT_TRUE(kernel_addresses("").empty()) << "a unix socket alone";
}

// Nobody listens on that port here.
TEST(PgBouncerListeners, WhatCannotBeSeenIsRefusedWhereAPortIsSharedOnly) {
  PoolerListening one{"a", 0, "1", "127.0.0.1", true};
  try {
    require_no_other_listener({one});
    FAIL() << "accepted";
  } catch (const Refused& error) {
    EXPECT_EQ(error.id(), "pooler.listeners-unseen");
    EXPECT_EQ(std::string(error.what()),
              "pooler a: of the 1 process that the playbook names for port 1 with so_reuseport 0 can be seen to listen, "
              "so others may be unseen");
    EXPECT_NE(error.hint().find("set so_reuseport = 0"), std::string::npos);
  }
  one.is_shared = false;
  EXPECT_NO_THROW(require_no_other_listener({one}));
  one = {"a", 0, "1", "", true};
  EXPECT_NO_THROW(require_no_other_listener({one})) << "clients reach it by its own socket only";
}

}  // namespace
}  // namespace verdigris
