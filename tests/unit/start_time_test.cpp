// The time of --at, under a fixed clock and a zone that is written out, so that no machine's zone matters.
#include "controller/start_time.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

#include "replication/errors.hpp"

namespace verdigris {
namespace {

class StartTime : public testing::Test {
 protected:
  void SetUp() override {
    if (const char* zone = std::getenv("TZ")) before_ = zone;
    setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
    tzset();
  }
  void TearDown() override {
    if (before_) setenv("TZ", before_->c_str(), 1);
    else unsetenv("TZ");
    tzset();
  }

  static WallTime utc(int year, unsigned month, unsigned day, int hour, int minute) {
    return std::chrono::sys_days{std::chrono::year(year) / static_cast<int>(month) / static_cast<int>(day)} +
           std::chrono::hours(hour) + std::chrono::minutes(minute);
  }
  static std::string refusal(const std::string& text, WallTime now) {
    try {
      parse_start_time(text, now);
    } catch (const Error& error) {
      EXPECT_EQ(error.failure(), Failure::usage) << text;
      EXPECT_FALSE(error.hint().empty()) << text;
      return error.id() + ": " + error.what();
    }
    return "accepted";
  }

  const WallTime now_ = utc(2026, 11, 30, 22, 30);  // 23:30 on a Monday there

 private:
  std::optional<std::string> before_;
};

TEST_F(StartTime, WithAnOffsetItIsOneMoment) {
  for (const char* text : {"2026-12-01T02:00:00+01:00", "2026-12-01T01:00:00Z", "2026-12-01 01:00:00z", "2026-11-30t20:00:00.5-05:00"})
    EXPECT_EQ(parse_start_time(text, now_), utc(2026, 12, 1, 1, 0)) << text;
}

TEST_F(StartTime, OfTheClockAloneTheNextOneIsMeant) {
  EXPECT_EQ(parse_start_time("23:45", now_), utc(2026, 11, 30, 22, 45)) << "later today";
  EXPECT_EQ(parse_start_time("02:00", now_), utc(2026, 12, 1, 1, 0)) << "past today, so tomorrow";
  EXPECT_EQ(parse_start_time("02:00:30", now_), utc(2026, 12, 1, 1, 0) + std::chrono::seconds(30));
  EXPECT_EQ(parse_start_time("23:30", now_), utc(2026, 12, 1, 22, 30)) << "now is not to come";
}

TEST_F(StartTime, WhichDayWasUnderstoodIsSaid) {
  EXPECT_EQ(start_time_text(parse_start_time("02:00", now_), now_), "Tue 2026-12-01 02:00:00 +0100 (tomorrow), in 2 h 30 min");
  EXPECT_EQ(start_time_text(parse_start_time("23:45", now_), now_), "Mon 2026-11-30 23:45:00 +0100 (today), in 15 min");
  EXPECT_EQ(start_time_text(parse_start_time("2026-12-03T02:00:00Z", now_), now_), "Thu 2026-12-03 03:00:00 +0100, in 51 h 30 min");
  EXPECT_EQ(utc_time_text(utc(2026, 12, 1, 1, 0)), "2026-12-01T01:00:00Z");
}

TEST_F(StartTime, WhatIsPastOrFarAwayIsRefused) {
  EXPECT_EQ(refusal("2026-11-30T22:30:00Z", now_), "past: \"2026-11-30T22:30:00Z\" is past: it is Mon 2026-11-30 23:30:00 +0100 now");
  EXPECT_EQ(refusal("2026-12-30T02:00:00Z", now_), "range: \"2026-12-30T02:00:00Z\" is more than 7 days ahead");
}

TEST_F(StartTime, WhatIsNoTimeIsRefused) {
  for (const char* text : {"", "2", "2:00", "24:00", "02:60", "02:00:60", "02:00 ", "02:00Z", "+02:00", "tomorrow", "2026-12-01",
                           "2026-12-01T02:00+01:00", "2026-12-01T2:00:00Z", "2026-12-01x02:00:00Z", "2026-12-01T02:00:00.Z",
                           "2026-12-01T02:00:00+1", "2026-12-01T02:00:00+01:00 "})
    EXPECT_EQ(refusal(text, now_).substr(0, 6), "value:") << text;
  EXPECT_EQ(refusal("2026-12-01T02:00:00", now_), "value: \"2026-12-01T02:00:00\" has no offset");
  EXPECT_EQ(refusal("2026-02-30T02:00:00Z", now_).substr(0, 5), "date:");
}

// 02:30 is left out on the last Sunday of March there, and comes twice on that of October.
TEST_F(StartTime, AMomentThatIsMissingOrDoubleIsNotGuessed) {
  EXPECT_EQ(refusal("02:30", utc(2027, 3, 27, 12, 0)).substr(0, 29), "value: \"02:30\" does not exist");
  EXPECT_EQ(refusal("02:30", utc(2026, 10, 24, 12, 0)).substr(0, 26), "value: \"02:30\" comes twice");
  EXPECT_EQ(parse_start_time("03:30", utc(2027, 3, 27, 12, 0)), utc(2027, 3, 28, 1, 30));
}

}  // namespace
}  // namespace verdigris
