// What keeps the fence from closing although it was not there when everything was looked at: VACUUM and autovacuum, index
// builds, explicit locks, open transactions, prepared ones, a trigger that its owner disables, a session that comes late.
// Each is named; by policy it is waited for, ended or cancelled; blue serves as before or the switch goes on.
#include <csignal>
#include <thread>

#include "tests/support/pgbouncer_driver.hpp"
#include "tests/support/shared_shop.hpp"

namespace verdigris::test {
namespace {

using namespace std::chrono_literals;

class FenceBlockers : public SharedShopWithPlaybook {
 protected:
  static void SetUpTestSuite() {
    if (have_postgres(15) && have_postgres(17))
      shop_ = std::make_unique<Shop>(std::vector<std::pair<std::string, std::string>>{{"max_prepared_transactions", "4"}});
  }
  void TearDown() override {
    SharedShopWithPlaybook::TearDown();
    if (!IsSkipped() && shop_->serving() == "green") {
      EXPECT_EQ(shop_->cross("rollback").exit_code, 0);
    }
  }
  void choose(const std::string& fence) {
    write(shop_->playbook(), replaced(replaced(original_, "lock_timeout: 2s", "lock_timeout: 500ms, " + fence), "max_pause: 10s", "max_pause: 4s"));
  }
  // A switch that stands still right before it holds clients, or at another point.
  ChildProcess stopped_at(const std::string& point, const std::string& mutant = {}) {
    for (const char* name : {"switch.out", "switch.err"}) std::filesystem::remove(shop_->dir() / name);
    auto crossing = ChildProcess::start({.argv = shop_->program({"switch", "--confirm", "shop"}),
                                         .environment = shop_->with_points({{"VERDIGRIS_STOP", point}, {"VERDIGRIS_MUTANT", mutant}}),
                                         .output = shop_->dir() / "switch.out",
                                         .errors = shop_->dir() / "switch.err"});
    shop_->wait_for_point(point);
    return crossing;
  }
  std::string said() const { return read(shop_->dir() / "switch.out") + read(shop_->dir() / "switch.err"); }
  void expect_ends(ChildProcess& crossing, int exit_code) {
    crossing.send(SIGCONT);
    ASSERT_TRUE(crossing.wait_end(Deadline::after(60s))) << said();
    EXPECT_EQ(crossing.exit_code(), exit_code) << said();
    EXPECT_EQ(shop_->serving(), exit_code == 0 ? "green" : "blue");
  }
  void expect_undone_because(ChildProcess& crossing, const std::vector<std::string>& words) {
    expect_ends(crossing, 5);
    const auto json = nlohmann::json::parse(read(shop_->dir() / "switch.out"), nullptr, false);
    for (const auto& word : words) EXPECT_NE(json.value("reason", "").find(word), std::string::npos) << word << " in: " << json;
    EXPECT_LT(json.at("undone_attempts").at(0).value("pause_ms", 1e9), 4000) << json;
    const auto scene = shop_->scene();
    EXPECT_TRUE(scene.is_blue_open) << scene.text;
    EXPECT_FALSE(scene.is_paused) << scene.text;
  }
  Connection direct(const std::string& application) {
    return Connection::open_plain(shop_->server("blue").conninfo("postgres", "shop"), {"blue", application, false, {}}, soon());
  }
  std::string ask(const std::string& sql) {
    auto blue = admin(shop_->server("blue"));
    return value(blue, sql);
  }
  void wait_for(const std::string& sql) {
    for (const auto deadline = soon(); ask(sql) != "t"; std::this_thread::sleep_for(20ms)) ASSERT_FALSE(deadline.has_passed()) << sql;
  }
  // A worker that needs long for a table of blue, because it is told to go slowly.
  void make_autovacuum_slow() {
    auto blue = admin(shop_->server("blue"));
    for (const char* setting : {"naptime = '1s'", "vacuum_threshold = 20", "vacuum_scale_factor = 0", "vacuum_cost_delay = '100ms'",
                                "vacuum_cost_limit = 1"})
      run(blue, std::string("ALTER SYSTEM SET autovacuum_") + setting);
    run(blue, "SELECT pg_reload_conf()");
    run(blue, "UPDATE public.customers SET credit = credit + 1");
  }
  void wait_for_autovacuum() {
    wait_for(R"(SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid)
                WHERE a.backend_type = 'autovacuum worker' AND l.relation = 'public.customers'::regclass
                  AND l.mode = 'ShareUpdateExclusiveLock' AND l.granted))");
  }
  void make_autovacuum_quick() {
    auto blue = admin(shop_->server("blue"));
    for (const char* setting : {"naptime", "vacuum_threshold", "vacuum_scale_factor", "vacuum_cost_delay", "vacuum_cost_limit"})
      run(blue, std::string("ALTER SYSTEM RESET autovacuum_") + setting);
    run(blue, "SELECT pg_reload_conf()");
    run(blue, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'autovacuum worker'");
  }
};

struct Blocker {
  const char* name;
  std::vector<std::string> first;  // each to its end
  std::string last;                // under way; empty: idle
};

const std::vector<Blocker>& blockers() {
  static const std::vector<Blocker> all = {
      {"vacuum", {"SET vacuum_cost_delay = 100", "SET vacuum_cost_limit = 1"}, "VACUUM public.customers"},
      {"analyze", {"BEGIN", "ANALYZE public.customers"}, ""},
      {"index", {}, "CREATE INDEX CONCURRENTLY late ON public.ledger_a (n)"},  // waits for whoever writes to it
      {"lock", {"BEGIN", "LOCK TABLE public.customers IN SHARE MODE"}, ""},
      {"rows", {"BEGIN", "SELECT 1 FROM public.customers FOR UPDATE LIMIT 1", "UPDATE public.customers SET credit = credit WHERE id = 1"}, ""},
  };
  return all;
}

TEST_F(FenceBlockers, OfClientsAreNamedOrEnded) {
  for (const std::string policy : {"wait", "terminate"}) {
    for (const auto& one : blockers()) {
      SCOPED_TRACE(policy + ": " + one.name);
      choose("bypass: " + policy);
      auto crossing = stopped_at("after:apply:stand_ready");
      std::optional<Connection> writer;
      if (std::string(one.name) == "index") {
        writer.emplace(direct("writer"));
        run(*writer, "BEGIN");
        run(*writer, "INSERT INTO public.ledger_a VALUES (77, 1, 0)");
      }
      auto session = direct(std::string("app-") + one.name);
      const auto pid = value(session, "SELECT pg_backend_pid()");
      for (const auto& sql : one.first) run(session, sql);
      if (!one.last.empty()) {
        session.send(Sql::written_by_operator(one.last), soon());
        wait_for("SELECT EXISTS (SELECT FROM pg_locks WHERE pid = " + pid + " AND mode = 'ShareUpdateExclusiveLock' AND granted)");
      }
      if (policy == "wait") {
        expect_undone_because(crossing, {writer ? "application \"writer\"" : "pid " + pid, writer ? "postgres" : std::string("app-") + one.name,
                                         "(postgres, ", "query began 20"});
      } else {
        expect_ends(crossing, 0);
        EXPECT_EQ(shop_->difference_after_marker("green", "blue"), "");
        EXPECT_EQ(shop_->cross("rollback").exit_code, 0);
      }
      session.close();
      if (writer) writer->close();
      wait_for("SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = " + pid + ")");
      if (one.name == std::string("index")) ask("SELECT 1 FROM (SELECT pg_sleep(0.1)) AS t");
      auto blue = admin(shop_->server("blue"));
      run(blue, "DROP INDEX IF EXISTS public.late");
    }
  }
}

// The server itself would cancel it for whoever waits a second; clients wait less.
TEST_F(FenceBlockers, AutovacuumThatGivesWayIsCancelledInTheWindow) {
  choose("bypass: wait");
  auto crossing = stopped_at("after:apply:stand_ready");
  make_autovacuum_slow();
  wait_for_autovacuum();
  expect_ends(crossing, 0);
  const auto json = nlohmann::json::parse(read(shop_->dir() / "switch.out"), nullptr, false);
  EXPECT_LT(json.value("pause_ms", 1e9), 1000) << "it was the server that cancelled it: " << json;
  make_autovacuum_quick();
  EXPECT_EQ(shop_->difference_after_marker("green", "blue"), "");
}

TEST_F(FenceBlockers, AutovacuumThatIsWaitedForIsNamed) {
  choose("bypass: wait, autovacuum: wait");
  auto crossing = stopped_at("after:apply:stand_ready");
  make_autovacuum_slow();
  wait_for_autovacuum();
  expect_undone_because(crossing, {"autovacuum worker", "ShareUpdateExclusiveLock on public.", "query began 20", "within 500ms"});
  make_autovacuum_quick();
}

// It holds up no quiet moment either.
TEST_F(FenceBlockers, AutovacuumBeforeTheWindowIsCancelledWhileNobodyWaits) {
  choose("bypass: wait");
  make_autovacuum_slow();
  wait_for_autovacuum();
  const auto answer = shop_->command({"switch", "--confirm", "shop"});
  make_autovacuum_quick();
  EXPECT_EQ(answer.exit_code, 0) << answer.json << answer.errors;
}

TEST_F(FenceBlockers, ATransactionPreparedBeforeIsRefusedByItsNames) {
  auto blue = direct("prepares");
  run(blue, "BEGIN");
  run(blue, "INSERT INTO public.ledger_a VALUES (78, 1, 0)");
  run(blue, "PREPARE TRANSACTION 'early gid'");
  blue.close();
  for (const auto& command : {std::vector<std::string>{"check"}, {"switch", "--confirm", "shop"}}) {
    const auto answer = shop_->command(command);
    EXPECT_EQ(answer.exit_code, 3) << answer.json << answer.errors;
    const auto text = answer.json.dump() + answer.errors;
    for (const char* word : {"early gid", "of postgres, prepared 20", "s ago"}) EXPECT_NE(text.find(word), std::string::npos) << word << text;
  }
  auto session = admin(shop_->server("blue"));
  run(session, "ROLLBACK PREPARED 'early gid'");
}

// Between the last look and the fence: one that keeps locks, and one that has written nothing of ours.
TEST_F(FenceBlockers, ATransactionPreparedInBetweenIsUndoneAndNamed) {
  choose("bypass: wait");
  for (const char* sql : {"INSERT INTO public.ledger_a VALUES (79, 1, 0)", "SELECT pg_current_xact_id()"}) {
    SCOPED_TRACE(sql);
    auto crossing = stopped_at("after:apply:stand_ready");
    auto late = direct("prepares");
    run(late, "BEGIN");
    run(late, sql);
    run(late, "PREPARE TRANSACTION 'late gid'");
    late.close();
    expect_undone_because(crossing, {"prepared transaction \"late gid\" of postgres, prepared 20", "s ago"});
    auto session = admin(shop_->server("blue"));
    run(session, "COMMIT PREPARED 'late gid'");
  }
}

// Before everything is looked at, behind the last look, and behind the fence, where only a superuser still gets in.
TEST_F(FenceBlockers, ATriggerThatItsOwnerDisablesIsSeen) {
  choose("bypass: wait");
  const auto disable = [&](const char* state) {
    auto owner = direct("owner");
    run(owner, std::string("ALTER TABLE public.customers ") + state + " TRIGGER USER");
  };
  disable("DISABLE");
  const auto refused = shop_->command({"switch", "--confirm", "shop"});
  EXPECT_EQ(refused.exit_code, 3) << refused.json << refused.errors;
  EXPECT_NE(refused.json.value("reason", "").find("public.customers"), std::string::npos) << refused.json;
  disable("ENABLE");
  for (const char* point : {"after:apply:stand_ready", "after:apply:fence_source"}) {
    SCOPED_TRACE(point);
    auto crossing = stopped_at(point);
    disable("DISABLE");
    expect_undone_because(crossing, {"public.customers"});
    disable("ENABLE");
  }
}

// Connections are closed by then: the application is turned away, and a superuser is seen before the line.
TEST_F(FenceBlockers, ASessionThatComesInTheWindowIsTurnedAwayOrSeen) {
  for (const std::string policy : {"wait", "terminate"}) {
    SCOPED_TRACE(policy);
    choose("bypass: " + policy);
    auto crossing = stopped_at("after:apply:fence_source");
    const auto app = shop_->server("blue").conninfo("app", "shop").with("passfile", shop_->pooler().passfile().string());
    std::string why;
    EXPECT_EQ(error_of([&] { Connection::open_plain(app, {"blue", "app", false, {}}, soon()); }, &why), "cannot-connect");
    EXPECT_TRUE(why.find("too many connections") != std::string::npos || why.find("permission denied") != std::string::npos) << why;
    auto late = direct("latecomer");
    EXPECT_EQ(error_of([&] { run(late, "INSERT INTO public.ledger_a VALUES (80, 1, 0)"); }, &why), "server-error") << why;
    if (policy == "wait") {
      expect_undone_because(crossing, {"beside the pooler", "latecomer"});
      EXPECT_EQ(value(late, "SELECT 1"), "1");
    } else {
      expect_ends(crossing, 0);
      EXPECT_ANY_THROW(run(late, "SELECT 1"));
    }
  }
}

// Who gives somebody CONNECT again behind the fence could let a writer in before the line.
TEST_F(FenceBlockers, ARoleThatIsLetInAgainBehindTheFenceIsSeen) {
  choose("bypass: wait");
  for (const bool is_mutant : {false, true}) {
    SCOPED_TRACE(is_mutant);
    auto crossing = stopped_at("after:apply:fence_source", is_mutant ? "shut_out_once" : "");
    auto owner = direct("verdigris/shop/control");  // as one of ours: only what it did is to be seen
    run(owner, "SET ROLE verdigris");
    run(owner, "GRANT CONNECT ON DATABASE shop TO stray");
    owner.close();
    if (is_mutant) expect_ends(crossing, 0);  // survived
    else expect_undone_because(crossing, {"blue: closed for connections it would still let in: stray"});
    auto blue = admin(shop_->server("blue"));
    run(blue, "REVOKE CONNECT ON DATABASE shop FROM stray");
  }
}

}  // namespace
}  // namespace verdigris::test
