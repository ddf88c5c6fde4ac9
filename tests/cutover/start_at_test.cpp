// switch --at: all is prepared first, then it waits; what has to be true is asked behind the wait and not before it.
#include <csignal>
#include <fstream>
#include <thread>

#include "controller/start_time.hpp"
#include "tests/support/pgbouncer_driver.hpp"
#include "tests/support/shared_shop.hpp"

namespace verdigris::test {
namespace {

using namespace std::chrono_literals;

class StartAt : public SharedShop {
 protected:
  ChildProcess start(const std::string& at) {
    std::filesystem::remove(shop_->dir() / "at.err");
    return ChildProcess::start({.argv = shop_->program({"switch", "--confirm", "shop", "--at", at}),
                                .environment = shop_->with_points(),
                                .output = shop_->dir() / "at.out",
                                .errors = shop_->dir() / "at.err"});
  }
  std::string errors() const {
    const auto file = shop_->dir() / "at.err";
    return std::filesystem::exists(file) ? read(file) : "";
  }
  void wait_until_it_waits(ChildProcess& crossing) {
    const auto deadline = Deadline::after(60s);
    while (errors().find("waits until") == std::string::npos) {
      ASSERT_TRUE(crossing.is_running()) << errors();
      ASSERT_FALSE(deadline.has_passed()) << errors();
      std::this_thread::sleep_for(5ms);
    }
  }
  // Of the newest plan: whether records of that kind exist, all of them before or all behind a moment.
  std::string records(const std::string& of, const std::string& at) {
    auto blue = admin(shop_->server("blue"));
    return value(blue, "SELECT concat_ws(' ', CASE WHEN bool_or(at::timestamptz < '" + at + "') THEN 'before' END,"
                       " CASE WHEN bool_or(at::timestamptz >= '" + at + "') THEN 'behind' END)"
                       " FROM verdigris.journal WHERE seq > (SELECT max(seq) FROM verdigris.journal WHERE event = 'plan')"
                       " AND (event = '" + of + "' OR event = 'begin' AND detail ->> 'step' = '" + of + "')");
  }
};

TEST_F(StartAt, ATimeThatIsPastIsAMistake) {
  const auto answer = shop_->command({"switch", "--confirm", "shop", "--at", "2001-01-01T00:00:00Z"});
  EXPECT_EQ(answer.exit_code, 2) << answer.json;
  EXPECT_EQ(answer.json.at("error").value("id", ""), "past");
  EXPECT_FALSE(answer.json.at("error").value("hint", "").empty());
}

TEST_F(StartAt, ASignalEndsTheWaitAtOnceAndLeavesNothingBehind) {
  const auto before = shop_->scene();
  for (const auto& [signal, exit_code] : {std::pair{SIGTERM, 143}, std::pair{SIGINT, 130}}) {
    auto crossing = start(utc_time_text(std::chrono::system_clock::now() + 1h));
    ASSERT_NO_FATAL_FAILURE(wait_until_it_waits(crossing));
    EXPECT_TRUE(shop_->command({"status"}).json.at("not_before").is_string());
    crossing.send(signal);
    ASSERT_TRUE(crossing.wait_end(Deadline::after(10s))) << errors();
    EXPECT_EQ(crossing.exit_code(), exit_code) << errors();
    const auto now = shop_->scene();
    EXPECT_TRUE(now.is_blue_open && now.is_green_closed && !now.is_paused && now.activity == "none") << now.text;
    EXPECT_EQ(read(shop_->pooler().ini()), before.text.substr(before.text.find('\n') + 1));
    EXPECT_FALSE(std::filesystem::exists(shop_->pooler().ini().string() + ".verdigris-staged"));
  }
}

// The file is edited during the wait: what was staged before it would be refused in the window, with clients held.
TEST_F(StartAt, WhatHasToBeTrueIsAskedBehindTheWait) {
  const auto at = utc_time_text(std::chrono::system_clock::now() + 15s);
  auto crossing = start(at);
  ASSERT_NO_FATAL_FAILURE(wait_until_it_waits(crossing));
  EXPECT_EQ(records("warm_up", at), "before");
  EXPECT_EQ(records("wait_for_quiet_moment", at), "");
  EXPECT_EQ(records("ask_guardrails", at), "");
  std::ofstream(shop_->pooler().ini(), std::ios::app) << "; an edit of that night\n";
  ASSERT_TRUE(crossing.wait_end(Deadline::after(60s))) << errors();
  ASSERT_EQ(crossing.exit_code(), 0) << errors();
  for (const char* what : {"wait_for_quiet_moment", "ask_guardrails", "window", "pause_traffic"}) EXPECT_EQ(records(what, at), "behind") << what;
  EXPECT_NE(read(shop_->pooler().ini()).find("; an edit of that night\n"), std::string::npos);
  EXPECT_EQ(shop_->scene().routed_to, "green");
  EXPECT_NE(errors().find("begins not before "), std::string::npos) << errors();
}

}  // namespace
}  // namespace verdigris::test
