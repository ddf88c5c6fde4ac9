// What the window and its recovery rest on, seen on real servers (lines of the protocol that were found by trying): the
// marker's lock, an origin that is moved once, a subscription that knows its tables before it runs, and the right to
// connect of whoever applies.
#include <gtest/gtest.h>

#include <algorithm>
#include <future>
#include <thread>

#include "controller/deployment.hpp"
#include "controller/steps/start_reverse.hpp"
#include "replication/access.hpp"
#include "replication/control_schema.hpp"
#include "replication/fence.hpp"
#include "replication/marker.hpp"
#include "replication/origin.hpp"
#include "replication/publication.hpp"
#include "replication/slot.hpp"
#include "replication/subscription.hpp"
#include "replication/catalog.hpp"
#include "tests/support/cluster.hpp"

namespace verdigris::test {
namespace {

using namespace std::chrono_literals;

const Stream kForward = Stream::forward("shop");
const Stream kBack = Stream::reverse("shop");

class WindowFacts : public testing::Test {
 protected:
  void SetUp() override {
    NEED_POSTGRES(17);
    pair_ = &shared_pair(17, 17);
    blue_.emplace(side(pair_->blue(), "blue"));
    green_.emplace(side(pair_->green(), "green"));
    for (auto* server : {&*blue_, &*green_}) install_control_schema(server->control(), "shop", server->color(), soon());
  }
  Connection& blue() { return blue_->control(); }
  Connection& green() { return green_->control(); }
  Conninfo reachable(PostgresServer& server) { return server.conninfo("verdigris_repl", "shop"); }
  void on_both(const std::string& sql) {
    run(blue(), sql);
    run(green(), sql);
  }
  static bool comes_to(Connection& on, const std::string& sql, const std::string& wanted,
                       std::chrono::milliseconds patience = 20s) {
    for (const auto deadline = Deadline::after(patience); !deadline.has_passed(); std::this_thread::sleep_for(5ms))
      if (value(on, sql) == wanted) return true;
    return false;
  }

  Pair* pair_ = nullptr;
  std::optional<Server> blue_, green_;
};

// Without its lock a heartbeat that was begun before would commit behind M, and nobody would wait for it.
TEST_F(WindowFacts, TheFinalMarkerWaitsForAHeartbeatInFlightAndLetsNoneBehindIt) {
  auto in_flight = admin(pair_->blue()), late = admin(pair_->blue());
  run(in_flight, "BEGIN");
  const auto earlier = write_marker(in_flight, "blue", "heartbeat", soon());
  auto writing = std::async(std::launch::async, [&] { return write_final_marker(blue(), "blue", "shop", soon()); });
  auto other = admin(pair_->blue());
  const std::string waiting = "SELECT count(*) FROM pg_locks WHERE relation = 'verdigris.marker'::regclass AND NOT granted";
  EXPECT_TRUE(comes_to(other, waiting, "1", 5s));
  EXPECT_EQ(writing.wait_for(200ms), std::future_status::timeout) << "M is read while a heartbeat can still commit";
  // Queues up behind it.
  late.send(Sql("INSERT INTO verdigris.marker (id, kind, side) VALUES (1, 'heartbeat', 'blue')"), soon());
  const auto committing = wal_insert_position(in_flight, soon());
  run(in_flight, "COMMIT");
  const auto marker = writing.get();
  EXPECT_GT(marker.position, committing);
  EXPECT_TRUE(marker_arrived(other, Stream::forward("shop"), earlier, soon()));
  try {
    late.receive(soon());
    ADD_FAILURE() << "a marker was written behind the last one";
  } catch (const ServerError& error) {
    EXPECT_EQ(error.sqlstate(), "25006") << error.what();
  }
}

// blue follows green from L on; its table has no key, so that only a count shows a row that was applied twice.
class OriginOnce : public WindowFacts {
 protected:
  void SetUp() override {
    WindowFacts::SetUp();
    if (IsSkipped()) return;
    on_both("CREATE TABLE public.log (line text); ALTER TABLE public.log REPLICA IDENTITY FULL");
    ensure_publication(green(), kBack, publishable(user_tables(green(), soon())), soon());
    ensure_slot(green(), kBack, soon());
    create_subscription(*blue_, kBack, reachable(pair_->green()), 17, false, ApplyAs::owners_of_tables, soon());
    run(green(), "SELECT pg_copy_logical_replication_slot('verdigris_shop_rev', 'kept')");
    facts_.line = durable_wal_position(green(), soon());
  }
  // As a crash of green may leave it (faults P11).
  void put_slot_back() {
    disable_subscription(blue(), kBack, soon());
    drop_slot(green(), kBack, soon());
    run(green(), "SELECT pg_copy_logical_replication_slot('kept', 'verdigris_shop_rev')");
  }
  unsigned subscription() { return subscription_state(blue(), kBack, soon()).oid; }
  std::string lines() { return value(blue(), "SELECT count(*) FROM public.log"); }

  CutoverFacts facts_;
};

TEST_F(OriginOnce, IsNotMovedBackByARepetition) {
  StartReverse step(Source(*blue_), Target(*green_), kBack, facts_);
  run(green(), "INSERT INTO public.log VALUES ('the first of a client')");
  step.apply(soon());
  EXPECT_EQ(lines(), "1");
  put_slot_back();
  const auto progress = origin_progress(blue(), subscription(), soon());
  ASSERT_TRUE(progress && *progress > *facts_.line);
  step.apply(soon());  // as `recover` would, with the same L
  EXPECT_GE(*origin_progress(blue(), subscription(), soon()), *progress);
  EXPECT_EQ(lines(), "1");
  // What that is for: moved back there is no word about it, and the row comes twice.
  put_slot_back();
  advance_origin(blue(), subscription(), *facts_.line, soon());
  EXPECT_EQ(*origin_progress(blue(), subscription(), soon()), *facts_.line);
  enable_subscription(blue(), kBack, soon());
  EXPECT_TRUE(comes_to(blue(), "SELECT count(*) FROM public.log", "2"));
  run(green(), "SELECT pg_drop_replication_slot('kept')");
}

// Why ours is made with connect = true, and holds every table before it is enabled.
TEST_F(WindowFacts, ASubscriptionRefreshedOnlyWhenItRunsHasDroppedWhatCameBefore) {
  on_both("CREATE TABLE public.t (id int PRIMARY KEY)");
  ensure_publication(blue(), kForward, publishable(user_tables(blue(), soon())), soon());
  ensure_slot(blue(), kForward, soon());
  const auto publisher = reachable(pair_->blue()).with("application_name", kForward.name).text();
  run(green(), "CREATE SUBSCRIPTION verdigris_shop_fwd CONNECTION " + Literal(publisher).sql() +
                   " PUBLICATION verdigris_shop_fwd WITH (connect = false, slot_name = 'verdigris_shop_fwd')");
  EXPECT_TRUE(subscription_state(green(), kForward, soon()).tables.empty());
  run(green(), "ALTER SUBSCRIPTION verdigris_shop_fwd ENABLE");
  run(blue(), "INSERT INTO public.t VALUES (1)");
  const auto behind = wal_insert_position(blue(), soon());
  for (const auto deadline = soon(); slot_state(blue(), kForward, soon()).confirmed_flush < behind;)
    ASSERT_FALSE(deadline.has_passed()) << "the row is not consumed";
  run(green(), "ALTER SUBSCRIPTION verdigris_shop_fwd REFRESH PUBLICATION WITH (copy_data = false)");
  run(blue(), "INSERT INTO public.t VALUES (2)");
  ASSERT_TRUE(comes_to(green(), "SELECT count(*) FROM public.t WHERE id = 2", "1"));
  EXPECT_EQ(value(green(), "SELECT count(*) FROM public.t WHERE id = 1"), "0");
  EXPECT_EQ(subscription_state(green(), kForward, soon()).apply_errors, 0) << "and nobody says so";
}

// Its apply worker connects like anybody else (from 16 on it need not be a superuser).
TEST_F(WindowFacts, TheOwnerOfASubscriptionMustBeLetInBehindTheConnectionFence) {
  on_both("CREATE TABLE public.t (id int PRIMARY KEY)");
  ensure_publication(blue(), kForward, publishable(user_tables(blue(), soon())), soon());
  ensure_slot(blue(), kForward, soon());
  create_subscription(*green_, kForward, reachable(pair_->blue()), 17, false, ApplyAs::owners_of_tables, soon());
  // Ours belongs to the role that we connect as, which is kept.
  Playbook playbook;
  playbook.name = "shop";
  playbook.green = pair_->green().conninfo("verdigris", "shop");
  playbook.replication.to_green = reachable(pair_->green());
  playbook.blue = pair_->blue().conninfo("verdigris", "shop");
  Deployment deployment(playbook, nullptr);
  deployment.connect(soon());
  const auto kept = deployment.roles_to_keep("green");
  EXPECT_NE(std::ranges::find(kept, value(green(), "SELECT subowner::regrole FROM pg_subscription")), kept.end());

  run(green(), R"(
    DO $$ BEGIN CREATE ROLE applier LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
    GRANT pg_create_subscription TO applier; GRANT CREATE ON DATABASE shop TO applier;
    ALTER TABLE public.t OWNER TO applier)");
  run(green(), "ALTER SUBSCRIPTION verdigris_shop_fwd SET (password_required = false)");
  run(green(), "ALTER SUBSCRIPTION verdigris_shop_fwd OWNER TO applier");
  int id = 0;
  for (const bool is_kept : {true, false}) {
    SCOPED_TRACE(is_kept ? "kept" : "shut out");
    auto roles = kept;
    if (is_kept) roles.emplace_back("applier");
    close_access(green(), "shop", roles, soon());
    EXPECT_EQ(roles_let_in(green(), roles, soon()), std::vector<std::string>{});
    run(green(), "ALTER SUBSCRIPTION verdigris_shop_fwd ENABLE");
    run(blue(), "INSERT INTO public.t VALUES (" + std::to_string(++id) + ")");
    const auto arrived = "SELECT count(*) FROM public.t WHERE id = " + std::to_string(id);
    EXPECT_EQ(comes_to(green(), arrived, "1", is_kept ? 20s : 1s), is_kept);
    disable_subscription(green(), kForward, soon());
    run(green(), "SELECT verdigris.open_access('shop')");
  }
  run(green(), "ALTER SUBSCRIPTION verdigris_shop_fwd ENABLE");
  EXPECT_TRUE(comes_to(green(), "SELECT count(*) FROM public.t", std::to_string(id))) << "nothing was lost by it";
}

}  // namespace
}  // namespace verdigris::test
