// How much a copy may read, by a clock of the test's own.
#include "replication/copy/throttle.hpp"

#include <gtest/gtest.h>

namespace verdigris::test {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t kRate = 1'000'000;

TEST(CopyThrottle, WithoutARateNothingWaits) {
  CopyThrottle throttle;
  throttle.took(std::int64_t{1} << 40);
  EXPECT_EQ(throttle.wait(), 0ms);
}

// Two streams share it: whoever asks, what both have taken counts.
TEST(CopyThrottle, NoMoreIsTakenThanTheRateAllows) {
  CopyThrottle throttle;
  throttle.set_rate(kRate);
  auto now = CopyThrottle::Clock::now() + 1s;
  const auto end = now + 10s;
  std::int64_t taken = 0;
  while (now < end) {
    const auto wait = throttle.wait(now);
    if (wait > 0ms) {
      EXPECT_LE(wait, 100ms) << "a changed rate has to be heeded soon";
      now += wait;
      continue;
    }
    throttle.took(64'000);
    taken += 64'000;
  }
  EXPECT_NEAR(static_cast<double>(taken), 10.0 * kRate, 0.05 * 10.0 * kRate);
}

TEST(CopyThrottle, WhatAPauseSavesUpIsLittle) {
  CopyThrottle throttle;
  throttle.set_rate(kRate);
  const auto later = CopyThrottle::Clock::now() + 1h;
  ASSERT_EQ(throttle.wait(later), 0ms);
  throttle.took(kRate / 5);
  EXPECT_GT(throttle.wait(later), 50ms);
}

TEST(CopyThrottle, ItIsHeldUntilItIsLetGo) {
  CopyThrottle throttle;
  throttle.hold(true);
  EXPECT_GT(throttle.wait(), 0ms);
  EXPECT_GT(throttle.wait(CopyThrottle::Clock::now() + 1h), 0ms);
  throttle.hold(false);
  EXPECT_EQ(throttle.wait(), 0ms);
}

TEST(CopyThrottle, ADebtIsForgottenWithItsRate) {
  CopyThrottle throttle;
  throttle.set_rate(kRate);
  throttle.took(100 * kRate);
  EXPECT_GT(throttle.wait(), 0ms);
  throttle.set_rate(0);
  EXPECT_EQ(throttle.wait(), 0ms);
  throttle.set_rate(kRate);
  EXPECT_EQ(throttle.wait(CopyThrottle::Clock::now() + 1s), 0ms);
}

}  // namespace
}  // namespace verdigris::test
