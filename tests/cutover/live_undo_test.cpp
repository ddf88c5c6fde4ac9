// A controller in the window loses its sessions, and the target is not the one it was, or gone: clients get the source
// back without it.
#include <csignal>

#include <thread>

#include "replication/fence.hpp"
#include "tests/support/pgbouncer_driver.hpp"
#include "tests/support/shared_shop.hpp"

namespace verdigris::test {
namespace {

using namespace std::chrono_literals;

class LiveUndo : public SharedShop {
 protected:
  // A switch that is held in its drain, clients waiting: green cannot apply the last marker.
  ChildProcess hold_switch() {
    // In the fence's way until green is locked; a lock any earlier would keep the quiet moment from coming.
    auto crossing = ChildProcess::start({.argv = shop_->program({"switch", "--confirm", "shop"}),
                                         .environment = shop_->with_points({{"VERDIGRIS_STOP", "after:apply:stand_ready"}}),
                                         .output = shop_->dir() / "switch.out",
                                         .errors = shop_->dir() / "switch.err"});
    shop_->wait_for_point("after:apply:stand_ready");  // until then it would be waited for
    auto late = Connection::open_plain(shop_->server("blue").conninfo("postgres", "shop"), {"blue", "late", false, {}}, soon());
    crossing.send(SIGCONT);
    shop_->wait_for_point("after:begin:fence_source");
    green_.emplace(admin(shop_->server("green")));
    run(*green_, "BEGIN");
    run(*green_, "LOCK TABLE verdigris.marker IN EXCLUSIVE MODE");
    late.close();
    shop_->wait_for_point("after:begin:drain_to_marker");
    return crossing;
  }
  void expect_undone(ChildProcess& crossing) {
    ASSERT_TRUE(crossing.wait_end(Deadline::after(60s))) << errors();
    EXPECT_EQ(crossing.exit_code(), 5) << errors();
    auto blue = admin(shop_->server("blue"));
    EXPECT_EQ(fence_state(blue, soon()), FenceState::open);
    Clients clients({shop_->pooler().client("app", "shop")});
    EXPECT_TRUE(clients.wait_for("blue", 5));
  }
  void end_sessions(const std::string& color) {
    auto session = admin(shop_->server(color));
    run(session, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'verdigris/shop%'");
  }
  std::string errors() const { return read(shop_->dir() / "switch.err"); }

  std::optional<Connection> green_;
};

TEST_F(LiveUndo, GivesTheSourceBackWhenAnotherServerAnswersForTheTarget) {
  auto crossing = hold_switch();
  auto other = admin(shop_->server("green"));
  const auto token = value(other, "SELECT token FROM verdigris.identity");
  run(other, "UPDATE verdigris.identity SET token = 'another'");
  end_sessions("blue");  // noticed only when it is needed: to undo
  end_sessions("green");
  run(*green_, "COMMIT");  // only now: else the drain may be over, and all decided, before the token is another
  expect_undone(crossing);
  run(other, "UPDATE verdigris.identity SET token = '" + token + "'");
}

TEST_F(LiveUndo, GivesTheSourceBackWhenAnotherControllerHoldsTheTarget) {
  auto crossing = hold_switch();
  auto other = admin(shop_->server("green"));
  other.send(Sql("SELECT pg_advisory_lock(hashtextextended('verdigris:shop', 0))"), soon());  // next in the queue
  end_sessions("blue");
  end_sessions("green");
  other.receive(soon());
  run(*green_, "COMMIT");
  expect_undone(crossing);
}

TEST_F(LiveUndo, GivesTheSourceBackWhenTheTargetIsGone) {
  auto crossing = hold_switch();
  green_.reset();
  end_sessions("blue");
  shop_->server("green").stop_immediate();
  expect_undone(crossing);
  shop_->server("green").start();
}

}  // namespace
}  // namespace verdigris::test
