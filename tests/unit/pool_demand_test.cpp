// How many server connections a pool is left with before a pause.
#include <gtest/gtest.h>

#include "controller/idle_shedding.hpp"

namespace verdigris {
namespace {

int enough_for(const std::vector<std::vector<PoolLoad>>& looks) {
  PoolDemand demand;
  for (const auto& look : looks) demand.add(look);
  return demand.enough();
}

PoolLoad busy(int servers, const std::string& user = "app") { return {"shop", user, servers + 5, servers}; }

TEST(PoolDemand, LeavesTheMeanAndItsSquareRoot) {
  EXPECT_EQ(enough_for({{busy(1)}, {busy(0)}}), 2);
  EXPECT_EQ(enough_for({{busy(1)}, {busy(2)}}), 3);
  EXPECT_EQ(enough_for({{busy(9)}}), 12);
  EXPECT_EQ(enough_for({{busy(20)}, {busy(12)}}), 20);
}

TEST(PoolDemand, LeavesTwoToAPoolThatNobodyUses) {
  EXPECT_EQ(enough_for({}), 2);
  EXPECT_EQ(enough_for({{}, {}}), 2);
  EXPECT_EQ(enough_for({{busy(0)}}), 2);
}

// The setting is of the whole process, so the busiest pool decides, whoever's it is.
TEST(PoolDemand, GoesByTheBusiestPool) {
  EXPECT_EQ(enough_for({{busy(1), busy(16, "other")}, {busy(1), busy(16, "other")}}), 20);
  EXPECT_EQ(enough_for({{busy(4)}, {busy(0), busy(16, "other")}}), 11) << "one that is not there in a look is idle in it";
}

}  // namespace
}  // namespace verdigris
