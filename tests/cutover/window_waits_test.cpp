// The waits of the window, each without its deadline in turn (faults, section 6, M24, a switch for each): it does not end.
#include <gtest/gtest.h>

#include <csignal>
#include <functional>
#include <future>

#include "controller/steps/drain_to_marker.hpp"
#include "replication/subscription.hpp"
#include "tests/support/mutant.hpp"
#include "tests/support/pgbouncer_driver.hpp"
#include "tests/support/window.hpp"

namespace verdigris::test {
namespace {

using namespace std::chrono_literals;

// A wait and what keeps it from its end.
struct Wait {
  const char* mutant;
  std::string error;  // with which it ends
  std::function<void()> block, relieve;
  std::function<void(Deadline)> act;
};

// It ends in its time; without its deadline not before the way is free. block: what is in the way already stays there.
void expect_bounded(const Wait& wait, const std::function<void()>& mend) {
  SCOPED_TRACE(wait.mutant);
  const auto act = [&] { return error_of([&] { wait.act(Deadline::after(800ms)); }); };
  wait.block();
  const auto begin = Deadline::Clock::now();
  EXPECT_EQ(act(), wait.error);
  EXPECT_LT(Deadline::Clock::now() - begin, 5s);
  mend();
  wait.block();
  const Mutant mutant(wait.mutant);
  auto waiting = std::async(std::launch::async, act);
  const bool is_endless = waiting.wait_for(2s) == std::future_status::timeout;
  wait.relieve();
  const auto end = waiting.get();
  EXPECT_TRUE(is_endless) << "it ended by itself: " << end;
  mend();
}

TEST_F(Window, EveryWaitAtTheFenceAndForTheMarkerHasAnEnd) {
  Crossing crossing(*shop_);
  crossing.go_through("stand_ready");
  std::optional<Connection> other;
  const auto leave = [&] { other.reset(); };
  const auto mend = [&] { crossing.deployment().reopen(soon()); };
  const auto lock = [&](const char* table) {
    if (other) return;
    other.emplace(shop_->session("blue"));
    run(*other, std::string("BEGIN; LOCK TABLE ") + table + " IN SHARE ROW EXCLUSIVE MODE");
  };
  const auto stray = [&] {
    if (other) return;
    other.emplace(Connection::open_plain(shop_->server("blue").conninfo("postgres", "shop"),
                                         {"blue", "psql", false, {}}, soon()));
  };
  const auto fence = [&](Deadline) { crossing.apply("fence_source"); };  // patience is the playbook's lock_timeout
  expect_bounded({"endless_fence_lock", "fence.lock", [&] { lock("public.orders"); }, leave, fence}, mend);
  expect_bounded({"endless_bypass", "fence.bypass", stray, leave, fence}, mend);
  expect_bounded({"endless_marker", "outcome-unknown", [&] { lock("verdigris.marker"); }, leave,
                  [&](Deadline deadline) { crossing.apply("drain_to_marker", deadline); }},
                 mend);
  crossing.undo();
  EXPECT_TRUE(shop_->accepts_writes("blue"));
}

TEST_F(Window, EveryWaitOfTheProofsHasAnEnd) {
  Crossing crossing(*shop_);
  auto& d = crossing.deployment();
  crossing.go_through("fence_source");
  std::optional<Connection> other;
  const auto mend = [&] { d.reopen(soon()); };
  const auto drain = [&](Deadline deadline) { crossing.apply("drain_to_marker", deadline); };
  const auto keep_from_applying = [&] {
    if (other) return;
    other.emplace(shop_->session("green"));
    run(*other, "BEGIN; LOCK TABLE verdigris.marker IN EXCLUSIVE MODE");
  };
  expect_bounded({"endless_drain", "deadline-passed", keep_from_applying, [&] { other.reset(); }, drain}, mend);
  drain(soon());

  DrainToMarker with_standby(d.source_of("blue"), d.target_of("blue"), Stream::leaving("blue", "shop"),
                             d.playbook().fence, {"nobody"}, d.facts());
  const auto end_all = [&] {
    end_session("blue", d.blue());
    end_session("green", d.green());
  };
  expect_bounded({"endless_standbys", "fence.standby-behind", [] {}, end_all,
                  [&](Deadline deadline) { with_standby.apply(deadline); }},
                 mend);

  const auto signal_parity = [&](int number) {
    auto on = shop_->session("green");
    const auto pids = run(on, "SELECT pid FROM pg_stat_activity WHERE application_name = 'verdigris/shop/parity'");
    for (const auto& row : pids.rows(1)) ::kill(static_cast<pid_t>(row.integer(0)), number);
  };
  expect_bounded({"endless_parity", "deadline-passed", [&] { signal_parity(SIGSTOP); }, [&] { signal_parity(SIGCONT); },
                  [&](Deadline deadline) { crossing.apply("prove_parity", deadline); }},
                 [&] { crossing.apply("warm_up"); });
  crossing.undo();
  EXPECT_TRUE(shop_->accepts_writes("blue"));
}

TEST_F(Window, EveryWaitAtTheLineAndBelowItHasAnEnd) {
  is_used_up_ = true;
  Crossing crossing(*shop_);
  auto& d = crossing.deployment();
  std::optional<Connection> other;
  const auto leave = [&] { other.reset(); };
  const auto mend = [&] { d.reopen(soon()); };
  const auto hold = [&](const char* color, const char* statement) {
    if (other) return;
    other.emplace(shop_->session(color));
    run(*other, std::string("BEGIN; ") + statement);
  };
  crossing.go_through("stand_ready");
  shop_->ask("blue", "SELECT setval('public.orders_id_seq', 5000000)");
  crossing.go_through("drain_to_marker");
  expect_bounded({"endless_sequences", "deadline-passed", [&] { hold("green", "ALTER SEQUENCE public.orders_id_seq CACHE 1"); }, leave,
                  [&](Deadline deadline) { crossing.apply("copy_sequences", deadline); }},
                 mend);
  EXPECT_EQ(shop_->ask("green", "SELECT last_value FROM public.orders_id_seq"), "5000000");
  crossing.go_through("fix_reverse_start");

  const auto decide = [&](Deadline deadline) {
    d.journal().decide_committed({}, {{"line", d.facts().line.value().text()}}, deadline);
  };
  expect_bounded({"endless_decision", "outcome-unknown", [&] { hold("blue", "LOCK TABLE verdigris.journal IN EXCLUSIVE MODE"); }, leave, decide},
                 mend);
  crossing.go_through("open_target");

  const auto forward = Stream::leaving("blue", "shop");
  auto green = shop_->session("green");
  std::optional<int> worker;
  const auto freeze_worker = [&] {
    enable_subscription(green, forward, soon());
    const auto deadline = soon();
    while (!(worker = subscription_state(green, forward, soon()).worker_pid))
      ASSERT_FALSE(deadline.has_passed()) << "no worker starts";
    ::kill(*worker, SIGSTOP);
  };
  const auto thaw_worker = [&] { ::kill(*worker, SIGCONT); };
  expect_bounded({"endless_disable", "subscription.worker", freeze_worker, thaw_worker,
                  [&](Deadline deadline) { crossing.apply("stop_forward", deadline); }},
                 [&] {
                   thaw_worker();
                   mend();
                 });
  crossing.go_through("stop_forward");
  expect_bounded({"endless_return", "deadline-passed", [&] { hold("blue", "LOCK TABLE verdigris.marker IN EXCLUSIVE MODE"); }, leave,
                  [&](Deadline deadline) { crossing.apply("start_reverse", deadline); }},
                 mend);
  crossing.go_to_the_end();
  EXPECT_TRUE(shop_->accepts_writes("green"));
}

}  // namespace
}  // namespace verdigris::test
