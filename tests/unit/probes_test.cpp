// What two probe writers saw, and whether it can be of one turn from a side to the other: the judge of the crash tests.
#include "tests/support/probes.hpp"

#include <gtest/gtest.h>

namespace verdigris::test {
namespace {

using Writes = std::vector<ProbeWrite>;

ProbeWrite at(int sent_ms, int acknowledged_ms) {
  const std::chrono::steady_clock::time_point start{};
  return {start + std::chrono::milliseconds(sent_ms), start + std::chrono::milliseconds(acknowledged_ms)};
}

TEST(Overlap, OneSideAfterTheOtherIsNone) {
  EXPECT_EQ(overlap({at(0, 3), at(10, 14)}, {at(20, 25), at(30, 33)}), "");
  EXPECT_EQ(overlap({at(0, 3)}, {}), "");
  EXPECT_EQ(overlap({}, {at(0, 3)}), "");
}

// The fence waits for a write that is under way, and its answer may come after the first one of the new side.
TEST(Overlap, AnAnswerThatComesLateIsNone) {
  EXPECT_EQ(overlap({at(0, 3), at(10, 50)}, {at(20, 25)}), "");
}

TEST(Overlap, AWriteSentToTheOldSideAfterTheNewOneAnsweredIsOne) {
  const auto found = overlap({at(0, 3), at(26, 28), at(35, 40)}, {at(20, 25), at(41, 45)});
  EXPECT_NE(found.find("took 2 writes"), std::string::npos) << found;
  EXPECT_NE(found.find("10.0 ms"), std::string::npos) << found;
}

// The new side was open for a moment only, in the midst of the old one's.
TEST(Overlap, ASideThatWasOpenForAMomentIsOne) {
  EXPECT_NE(overlap({at(0, 3), at(10, 13), at(20, 23)}, {at(5, 8)}), "");
}

FenceReading reading(const std::string& side, int asked_ms, int answered_ms, bool is_open) {
  const std::chrono::steady_clock::time_point start{};
  return {side, start + std::chrono::milliseconds(asked_ms), start + std::chrono::milliseconds(answered_ms), is_open};
}

TEST(CatalogProbe, OneSideOpenOnBothSidesOfTheOtherIsBothOpen) {
  EXPECT_TRUE(shows_both_open({reading("blue", 0, 2, true), reading("green", 5, 7, true), reading("blue", 10, 12, true)}));
  EXPECT_FALSE(shows_both_open({reading("blue", 0, 2, true), reading("green", 5, 7, true), reading("blue", 10, 12, false)}));
  EXPECT_FALSE(shows_both_open({reading("blue", 0, 2, true), reading("green", 5, 7, false), reading("blue", 10, 12, true)}));
  // Time enough to go over and to come back.
  EXPECT_FALSE(shows_both_open({reading("blue", 0, 2, true), reading("green", 5, 7, true), reading("blue", 1500, 1502, true)}));
}

}  // namespace
}  // namespace verdigris::test
