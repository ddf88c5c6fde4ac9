// What the driver does not believe PgBouncer, left out in turn (faults M10, M11, M24, M37), against real processes. The
// same scenes, with nothing left out, are in pgbouncer_traffic_test.
#include <csignal>
#include <future>

#include "tests/support/mutant.hpp"
#include "tests/support/pgbouncer_driver.hpp"

namespace verdigris {
namespace {

using namespace std::chrono_literals;
using test::Clients;
using test::error_of;
using test::Mutant;
using test::PgBouncerDriver;
using test::read;
using test::soon;
using test::value;
using test::write;

class PgBouncerMutants : public PgBouncerDriver {
 protected:
  // Whether a user who first comes to that pooler in a pause is served in time after it, at whichever side it ends.
  bool is_newcomer_served(std::size_t pooler, const Endpoint& to, const std::string& mutant) {
    const Mutant left_out(mutant);
    PgBouncerTraffic traffic(settings());
    traffic.require_ready(blue(), 5s, soon());
    traffic.stage(green(), soon());
    traffic.pause(soon());
    auto coming = std::async(std::launch::async, [&] {
      auto session =
          Connection::open_plain(poolers_[pooler].client("stray", "shop"), {"client", "client", false, {}}, soon());
      return value(session, "SELECT current_setting('cluster_name')");
    });
    std::this_thread::sleep_for(300ms);
    if (to == green()) traffic.point_to(green(), soon());
    traffic.resume(soon());
    const bool is_served = coming.wait_for(4s) == std::future_status::ready;
    if (!is_served) {  // not to be waited for
      auto other = console(pooler);
      other.set("server_login_retry", "0", soon());
    }
    EXPECT_EQ(coming.get(), to == green() ? "green" : "blue");
    return is_served;
  }
};

TEST_F(PgBouncerMutants, ALieAboutPauseIsBelieved) {
  start();
  auto blocker = open_transaction();
  auto other = console(1);
  other.connection().send(Sql("WAIT_CLOSE shop"), soon());
  PgBouncerTraffic traffic(settings(1s));
  traffic.require_ready(blue(), 5s, soon());
  const Mutant mutant("pause_unproven");
  EXPECT_EQ(error_of([&] { traffic.pause(soon()); }), "accepted") << "survived";
  EXPECT_EQ(value(blocker, "SELECT 'in its transaction'"), "in its transaction");
  traffic.resume(soon());
}

TEST_F(PgBouncerMutants, AReloadThatOnlySaysItWorkedIsBelieved) {
  start();
  const auto file = poolers_[1].ini();
  const auto included = poolers_[1].dir() / "more.ini";
  write(included, "[pgbouncer]\n");
  write(file, "%include " + included.string() + "\n" + read(file));
  console(1).reload(soon());
  PgBouncerTraffic traffic(settings());
  traffic.require_ready(blue(), 5s, soon());
  traffic.stage(green(), soon());
  write(included, "no setting\n");
  const Mutant mutant("reload_trusted");
  EXPECT_EQ(error_of([&] { traffic.point_to(green(), soon()); }), "accepted") << "survived";
  EXPECT_EQ(traffic.state(soon())[1].target, blue()) << "its clients are led to the closed side";
}

// Of the two ways out of a pause; once without anything left out, so that it is the mutant that is seen.
TEST_F(PgBouncerMutants, AUserWhoFirstComesInThePauseWaitsForLoginRetry) {
  start({.settings = {{"server_login_retry", "9"}}});
  EXPECT_TRUE(is_newcomer_served(0, blue(), ""));
  EXPECT_FALSE(is_newcomer_served(1, blue(), "login_retry_kept")) << "survived";
}

TEST_F(PgBouncerMutants, WhatIsSetBeforeTheReloadIsGoneWithIt) {
  start({.settings = {{"server_login_retry", "9"}}});
  EXPECT_FALSE(is_newcomer_served(0, green(), "login_retry_before_reload")) << "survived";
}

TEST_F(PgBouncerMutants, APauseWithoutItsDeadlineWaitsForEver) {
  start();
  auto blocker = open_transaction();
  PgBouncerTraffic traffic(settings(300ms));
  traffic.require_ready(blue(), 5s, soon());
  EXPECT_EQ(error_of([&] { traffic.pause(soon()); }), "pooler.pause-timeout");
  traffic.resume(soon());
  const Mutant mutant("endless_pause");
  auto pausing = std::async(std::launch::async, [&] { return error_of([&] { traffic.pause(soon()); }); });
  EXPECT_EQ(pausing.wait_for(2s), std::future_status::timeout) << "survived";
  blocker.execute(Sql("COMMIT"), soon());
  EXPECT_EQ(pausing.get(), "accepted");
  traffic.resume(soon());
}

TEST_F(PgBouncerMutants, AResumeWithoutItsDeadlineWaitsForEver) {
  start();
  PgBouncerTraffic traffic(settings());
  traffic.require_ready(blue(), 5s, soon());
  traffic.pause(soon());
  ::kill(poolers_[1].pid(), SIGSTOP);
  const auto resume = [&] { return error_of([&] { traffic.resume(Deadline::after(500ms)); }); };
  EXPECT_EQ(resume(), "deadline-passed");
  const Mutant mutant("endless_resume");
  auto resuming = std::async(std::launch::async, resume);
  EXPECT_EQ(resuming.wait_for(2s), std::future_status::timeout) << "survived";
  ::kill(poolers_[1].pid(), SIGCONT);
  EXPECT_EQ(resuming.get(), "accepted");
  EXPECT_FALSE(console(1).database("shop", soon()).is_paused);
}

}  // namespace
}  // namespace verdigris
