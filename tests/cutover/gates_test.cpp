// The playbook's gates on real servers: a red one of each kind is refused or waited for before clients are held, a
// green one lets it go on; they are asked while it waits, and once more right before clients are held; transactions are
// ended by policy, and nobody else's.
#include <csignal>
#include <thread>

#include "controller/config_gates.hpp"
#include "controller/gates/sql_probe.hpp"
#include "controller/start_time.hpp"
#include "tests/support/pgbouncer_driver.hpp"
#include "tests/support/shared_shop.hpp"

namespace verdigris::test {
namespace {

using namespace std::chrono_literals;

class Gates : public SharedShopWithPlaybook {
 protected:
  static void SetUpTestSuite() {
    if (have_postgres(15) && have_postgres(17))
      shop_ = std::make_unique<Shop>(
          std::vector<std::pair<std::string, std::string>>{{"max_prepared_transactions", "4"}});
  }
  void SetUp() override {
    SharedShopWithPlaybook::SetUp();
    if (!IsSkipped()) set_light(0);
  }
  void TearDown() override {
    SharedShopWithPlaybook::TearDown();
    if (!IsSkipped() && shop_->serving() == "green") {
      EXPECT_EQ(shop_->cross("rollback").exit_code, 0);
    }
  }
  void choose(const std::string& gates) { write(shop_->playbook(), original_ + "gates:\n" + gates + "\n"); }
  // What the gate `light` of these tests looks at: outside of what is moved.
  void set_light(int value) {
    auto side = admin(shop_->server("blue"));
    run(side, "COMMENT ON ROLE app IS '" + std::to_string(value) + "'");
  }
  static std::string light() {
    return "  - sql: { id: light, on: blue, expect: \"= 0\", query: \"SELECT shobj_description('app'::regrole, "
           "'pg_authid')\" }";
  }
  std::string script(const std::string& lines) {
    const auto file = shop_->dir() / "canary";
    write(file, "#!/bin/sh\n" + lines + "\n");
    std::filesystem::permissions(file, std::filesystem::perms::owner_all);
    return file.string();
  }
  ChildProcess start(std::vector<std::string> more = {}, const Environment& environment = {}) {
    for (const char* name : {"gates.out", "gates.err"}) std::filesystem::remove(shop_->dir() / name);  // of another run
    more.insert(more.begin(), {"switch", "--confirm", "shop"});
    return ChildProcess::start({.argv = shop_->program(more),
                                .environment = shop_->with_points(environment),
                                .output = shop_->dir() / "gates.out",
                                .errors = shop_->dir() / "gates.err"});
  }
  std::string said() const {
    const auto file = shop_->dir() / "gates.err";
    return std::filesystem::exists(file) ? read(file) : "";
  }
  nlohmann::json result() const { return nlohmann::json::parse(read(shop_->dir() / "gates.out"), nullptr, false); }
  void wait_for_word(const std::string& word, ChildProcess& crossing, int times = 1) {
    const auto count = [&] {
      int found = 0;
      const auto text = said();
      for (auto at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++found;
      return found;
    };
    for (const auto deadline = soon(); count() < times; std::this_thread::sleep_for(5ms))
      ASSERT_TRUE(crossing.is_running() && !deadline.has_passed()) << "no \"" << word << "\" in: " << said();
  }
  void expect_ends(ChildProcess& crossing, int exit_code) {
    ASSERT_TRUE(crossing.wait_end(Deadline::after(60s))) << said();
    EXPECT_EQ(crossing.exit_code(), exit_code) << said() << read(shop_->dir() / "gates.out");
  }
  // Before clients were held, by that gate, with these words.
  void expect_refused(const nlohmann::json& json, const std::string& gate, const std::vector<std::string>& words) {
    EXPECT_EQ(json.value("reason_id", ""), "gate." + gate) << json;
    for (const auto& word : words)
      EXPECT_NE(json.value("reason", "").find(word), std::string::npos) << word << " in: " << json;
    EXPECT_NE(json.value("hint", ""), "") << json;
    EXPECT_TRUE(json.at("pause_ms").is_null()) << json;
    const auto points = read(shop_->dir() / "points");
    EXPECT_EQ(points.find("begin:pause_traffic"), std::string::npos);
    const auto scene = shop_->scene();
    EXPECT_TRUE(scene.is_blue_open && scene.is_green_closed && !scene.is_paused && scene.activity == "none")
        << scene.text;
  }
  void expect_switch_refused(int exit_code, const std::string& gate, const std::vector<std::string>& words) {
    const auto answer = shop_->command({"switch", "--confirm", "shop"}, shop_->with_points());
    EXPECT_EQ(answer.exit_code, exit_code) << answer.json << answer.errors;
    expect_refused(answer.json, gate, words);
  }
  Connection pooled(const std::string& application) {
    return Connection::open_plain(shop_->pooler().client("app", "shop"), {"client", application, false, {}}, soon());
  }
  // One that is prepared on blue, and outlives its session.
  void prepare_one() {
    auto blue = admin(shop_->server("blue"));
    for (const char* sql : {"BEGIN", "SELECT pg_current_xact_id()", "PREPARE TRANSACTION 'of two'"}) run(blue, sql);
  }
  void roll_it_back() {
    auto blue = admin(shop_->server("blue"));
    run(blue, "ROLLBACK PREPARED 'of two'");
  }
  // In a transaction for a second by now.
  Connection long_one(const std::string& application) {
    auto client = pooled(application);
    run(client, "BEGIN");
    run(client, "SELECT count(*) FROM public.customers");
    std::this_thread::sleep_for(1100ms);
    return client;
  }
};

// All kinds green, in the plan as in life; what is red is named by a dry run and by status, which run no program.
TEST_F(Gates, GreenOnesLetItGoOnAndPlanShowsThem) {
  const auto mark = shop_->dir() / "canary-ran";
  const auto canary = script("touch " + mark.string());
  choose("  - lag: { max: 64MiB, stable_for: 100ms }\n  - long_transactions: { older_than: 10s, action: stop }\n" +
         light() + "\n  - command: { id: canary, argv: [" + canary + ", green], timeout: 10s }");
  const std::string does =
      "ask the gates: lag at most 64MiB for 100ms, no transaction over 10s (refused), light = 0 on blue, canary (" +
      canary + " green)";
  const auto plan = shop_->command({"plan"}).json;
  EXPECT_NE(plan.dump().find(does), std::string::npos) << plan;
  set_light(3);
  const auto dry = shop_->command({"switch", "--dry-run"});
  EXPECT_EQ(dry.exit_code, 3) << dry.json;
  EXPECT_NE(dry.json.dump().find("gate light: blue: "), std::string::npos) << dry.json;
  const auto status = shop_->command({"status"}).json;
  EXPECT_NE(status.at("obstacles").dump().find("gate light: blue: "), std::string::npos) << status;
  EXPECT_FALSE(std::filesystem::exists(mark));
  set_light(0);
  const auto answer = shop_->command({"switch", "--confirm", "shop"});
  EXPECT_EQ(answer.exit_code, 0) << answer.json << answer.errors;
  EXPECT_TRUE(std::filesystem::exists(mark));
  EXPECT_NE(answer.errors.find("4 of 4 gates green"), std::string::npos) << answer.errors;
  // What says that green is not good keeps nobody there.
  set_light(3);
  const auto back = shop_->command({"rollback", "--confirm", "shop"});
  EXPECT_EQ(back.exit_code, 0) << back.json << back.errors;
  EXPECT_NE(back.errors.find("2 of 2 gates green"), std::string::npos) << back.errors;
}

TEST_F(Gates, ARedQuestionOrProgramIsRefusedWithWhatItSaw) {
  choose(light());
  set_light(3);
  expect_switch_refused(3, "light", {"gate light: blue: \"SELECT", "\" is 3 and not = 0"});
  choose("  - command: { id: canary, argv: [" + script("echo 'p99 is 900 ms'; exit 4") + "], timeout: 10s }");
  expect_switch_refused(3, "canary", {"gate canary: ", "exit code 4: p99 is 900 ms"});
}

// A question that writes, or that does not end, or says nothing that can be compared.
TEST_F(Gates, AQuestionIsReadOnlyBoundedAndOneValue) {
  Server side("blue", "shop", shop_->server("blue").conninfo("verdigris", "shop"));
  side.connect(soon());
  struct Question {
    const char* query;
    const char* why;
  };
  for (const auto& [query, why] :
       {Question{"INSERT INTO public.ledger_a VALUES (90, 1, 0) RETURNING 1", "read-only transaction"},
        Question{"SELECT pg_sleep(30)", "statement timeout"}, Question{"SELECT 1; SELECT 2", "multiple commands"},
        Question{"SELECT 1, 2", "column"}, Question{"SELECT 1 WHERE false", "row"}, Question{"SELECT NULL", "is NULL"},
        Question{"SELECT 'x'", "which is no number"}}) {
    SqlProbe probe(side, SqlGate{"odd", "blue", query, parse_expectation("= 1"), 100ms, 0ms});
    for (int times = 0; times < 2; ++times) {
      const auto answer = probe.ask(soon());
      EXPECT_NE(answer.value().red.find(why), std::string::npos) << query << ": " << answer->red;
    }
  }
  SqlProbe good(side, SqlGate{"good", "blue", "SELECT 1;", parse_expectation("= 1"), 5s, 0ms});
  for (int times = 0; times < 2; ++times) EXPECT_EQ(good.ask(soon()).value().red, "");
  auto blue = admin(shop_->server("blue"));
  EXPECT_EQ(value(blue, "SELECT count(*) FROM public.ledger_a WHERE writer = 90"), "0");
  // As in psql, and as migrations do, tables of public need no schema; a name that is nowhere says what to do.
  SqlProbe bare(side, SqlGate{"bare", "blue", "SELECT count(*) FROM customers WHERE id < 0", parse_expectation("= 0"), 5s, 0ms});
  EXPECT_EQ(bare.ask(soon()).value().red, "");
  SqlProbe nowhere(side, SqlGate{"nowhere", "blue", "SELECT count(*) FROM custommers", parse_expectation("= 0"), 5s, 0ms});
  EXPECT_NE(nowhere.ask(soon()).value().hint.find("Name its schema"), std::string::npos);
}

TEST_F(Gates, ALagIsWaitedForAndThenNotNow) {
  choose(light());
  set_light(3);
  expect_switch_refused(3, "light", {});  // the way back is laid by now: its slot could not be made beside the lock below
  auto green = admin(shop_->server("green"));
  run(green, "BEGIN");
  run(green, "SELECT 1 FROM public.customers FOR UPDATE");  // the apply worker waits, and nobody who only looks
  {
    auto blue = admin(shop_->server("blue"));
    for (int i = 0; i < 3; ++i) run(blue, "UPDATE public.customers SET credit = credit");
  }
  choose("  - lag: { max: 16KiB, wait: 1s }");
  expect_switch_refused(7, "lag", {"gate lag: green is ", " behind, more than 16KiB", "waited for 1s"});
  choose("  - lag: { max: 16KiB }");
  auto crossing = start();
  ASSERT_NO_FATAL_FAILURE(wait_for_word("waits for gate lag, at most 30s", crossing));
  run(green, "ROLLBACK");
  ASSERT_NO_FATAL_FAILURE(wait_for_word("gate lag is green again", crossing));
  expect_ends(crossing, 0);
}

TEST_F(Gates, ALongTransactionIsRefusedOrWaitedForAndNamed) {
  auto report = long_one("report");
  const auto pid = value(report, "SELECT pg_backend_pid()");
  const std::vector<std::string> names{"pid " + pid,
                                       "app, application \"report\"",
                                       "local",
                                       "idle in transaction",
                                       "began 20",
                                       "query began 20",
                                       "1 transaction(s) open for longer than 1s"};
  choose("  - long_transactions: { older_than: 1s, action: stop }");
  expect_switch_refused(3, "long_transactions", names);
  choose("  - long_transactions: { older_than: 1s, action: wait, wait: 500ms }");
  expect_switch_refused(7, "long_transactions", names);
  choose("  - long_transactions: { older_than: 1s, action: wait, wait: 30s }");
  auto crossing = start();
  ASSERT_NO_FATAL_FAILURE(wait_for_word("waits for gate long_transactions, at most 30s", crossing));
  EXPECT_EQ(value(report, "SELECT 1"), "1");
  prepare_one();  // nobody can end it, and it is waited for as well
  run(report, "COMMIT");
  std::this_thread::sleep_for(1200ms);
  EXPECT_TRUE(crossing.is_running()) << said();
  roll_it_back();
  expect_ends(crossing, 0);
}

// Its session is ended before clients are held; the others see nothing of it.
TEST_F(Gates, TerminateEndsTheLongTransactionAndNobodyElses) {
  choose("  - long_transactions: { older_than: 1s, action: terminate }");
  prepare_one();
  expect_switch_refused(3, "long_transactions", {"prepared transactions are open, which nobody can end", "\"of two\""});
  roll_it_back();
  Clients clients({shop_->pooler().client("app", "shop"), shop_->pooler().client("app", "shop")});
  auto direct = Connection::open_plain(shop_->server("blue").conninfo("postgres", "shop"),
                                       {"blue", "maintenance", false, {}}, soon());
  run(direct, "BEGIN");
  run(direct, "SELECT count(*) FROM public.customers");
  auto report = long_one("report");
  run(report, "INSERT INTO public.ledger_a VALUES (91, 1, 0)");  // a writer, which the quiet moment would wait for
  const auto pid = value(report, "SELECT pg_backend_pid()");
  auto crossing = start({}, {{"VERDIGRIS_STOP", "after:apply:end_long_transactions"}});
  shop_->wait_for_point("after:begin:ask_guardrails");  // which waits for sessions past the pooler
  EXPECT_EQ(value(direct, "SELECT 1"), "1") << "a superuser's may be maintenance";
  run(direct, "ROLLBACK");
  direct.close();
  shop_->wait_for_point("after:apply:end_long_transactions");
  EXPECT_ANY_THROW(run(report, "COMMIT"));
  EXPECT_TRUE(clients.wait_for("blue", 3));
  crossing.send(SIGCONT);
  expect_ends(crossing, 0);
  EXPECT_TRUE(clients.wait_for("green", 5));
  clients.stop();
  EXPECT_EQ(clients.errors(), 0);
  for (const auto& word :
       {"ended on blue: pid " + pid, std::string("application \"report\""), std::string("idle in transaction")})
    EXPECT_NE(said().find(word), std::string::npos) << word << " in: " << said();
  auto green = admin(shop_->server("green"));
  EXPECT_EQ(value(green, "SELECT count(*) FROM public.ledger_a WHERE writer = 91"), "0");
}

// Not a gate of the playbook, but of the same moment: markers pass by such a lock, the rows of clients would not.
TEST_F(Gates, ALockOnGreenThatHoldsUpRowsIsNamedBeforeClientsAreHeld) {
  write(shop_->playbook(), original_);
  auto analyst = admin(shop_->server("green"));
  run(analyst, "BEGIN");
  run(analyst, "LOCK TABLE public.categories IN SHARE MODE");
  const auto answer = shop_->command({"switch", "--confirm", "shop", "--timeout", "8s"}, shop_->with_points());
  EXPECT_EQ(answer.exit_code, 7) << answer.json << answer.errors;
  const auto reason = answer.json.value("reason", "");
  EXPECT_NE(reason.find("green: pid "), std::string::npos) << reason;
  EXPECT_NE(reason.find("ShareLock on public.categories"), std::string::npos) << reason;
  EXPECT_EQ(read(shop_->dir() / "points").find("begin:pause_traffic"), std::string::npos);
}

// Which question time ended at says less than what was waited for.
TEST_F(Gates, WhatHeldRowsUpIsSaidThoughTheServerThenStopsAnswering) {
  write(shop_->playbook(), original_);
  auto analyst = admin(shop_->server("green"));
  run(analyst, "BEGIN");
  run(analyst, "LOCK TABLE public.categories IN SHARE MODE");
  auto crossing = start({"--timeout", "6s"});
  shop_->wait_for_point("after:begin:wait_for_quiet_moment");
  std::this_thread::sleep_for(1s);
  shop_->server("green").freeze();
  const bool has_ended = crossing.wait_end(Deadline::after(60s));
  shop_->server("green").thaw();
  ASSERT_TRUE(has_ended);
  EXPECT_NE(said().find("ShareLock on public.categories"), std::string::npos) << said();
  EXPECT_NE(said().find("no answer in time"), std::string::npos) << said();
  EXPECT_EQ(read(shop_->dir() / "points").find("begin:pause_traffic"), std::string::npos);
}

// It turns red in the quiet moment that does not come, is waited for as long as its own wait says, and everything is looked
// at again.
TEST_F(Gates, OneThatTurnsRedInTheQuietMomentIsWaitedForAtTheGate) {
  std::string waiting = light();
  waiting.replace(waiting.find("expect"), 0, "wait: 5m, ");
  choose(waiting);
  auto crossing = start({}, {{"VERDIGRIS_STOP", "after:begin:wait_for_quiet_moment"}});
  shop_->wait_for_point("after:begin:wait_for_quiet_moment");
  auto writer = pooled("writer");
  run(writer, "BEGIN");
  run(writer, "INSERT INTO public.ledger_a VALUES (92, 1, 0)");
  std::this_thread::sleep_for(1100ms);
  set_light(7);
  crossing.send(SIGCONT);
  ASSERT_NO_FATAL_FAILURE(wait_for_word("waits for gate light, at most 5m", crossing));
  run(writer, "ROLLBACK");
  set_light(0);
  ASSERT_NO_FATAL_FAILURE(wait_for_word("goes on", crossing));
  expect_ends(crossing, 0);
}

// While it waits for its time: told when it turns, and only then; at its time it counts.
TEST_F(Gates, AreAskedWhileItWaitsForItsTime) {
  choose(light());
  auto crossing = start({"--at", utc_time_text(std::chrono::system_clock::now() + 15s)});
  ASSERT_NO_FATAL_FAILURE(wait_for_word("waits until", crossing));
  set_light(3);
  ASSERT_NO_FATAL_FAILURE(wait_for_word("gate light is red: blue: \"SELECT", crossing));
  set_light(0);
  ASSERT_NO_FATAL_FAILURE(wait_for_word("gate light is green again", crossing));
  set_light(4);
  ASSERT_NO_FATAL_FAILURE(wait_for_word("gate light is red", crossing, 2));
  expect_ends(crossing, 3);
  expect_refused(result(), "light", {"is 4 and not = 0"});
}

TEST_F(Gates, WhileItIsHeldWhatAStepWouldRefuseIsToldToo) {
  choose(light());
  ASSERT_EQ(shop_->command({"hold"}).exit_code, 0);
  auto crossing = start();
  ASSERT_NO_FATAL_FAILURE(wait_for_word("held by", crossing));
  auto blue = admin(shop_->server("blue"));
  run(blue, "CREATE TABLE public.born_late (id int PRIMARY KEY)");
  EXPECT_NO_FATAL_FAILURE(wait_for_word("public.born_late", crossing));
  run(blue, "DROP TABLE public.born_late");
  set_light(6);
  EXPECT_NO_FATAL_FAILURE(wait_for_word("gate light is red", crossing));
  EXPECT_EQ(shop_->command({"release"}).exit_code, 0);
  expect_ends(crossing, 3);
  expect_refused(result(), "light", {"is 6 and not = 0"});
}

// It turns red when everything is ready and clients are about to be held.
TEST_F(Gates, AreAskedOnceMoreRightBeforeClientsAreHeld) {
  choose(light());
  auto crossing = start({}, {{"VERDIGRIS_STOP", "after:apply:stand_ready"}});
  shop_->wait_for_point("after:apply:stand_ready");
  set_light(5);
  crossing.send(SIGCONT);
  expect_ends(crossing, 3);
  expect_refused(result(), "light", {"is 5 and not = 0"});
  set_light(0);
  crossing = start({}, {{"VERDIGRIS_STOP", "after:apply:stand_ready"}, {"VERDIGRIS_MUTANT", "gates_not_asked_again"}});
  shop_->wait_for_point("after:apply:stand_ready");
  set_light(5);
  crossing.send(SIGCONT);
  expect_ends(crossing, 0);  // survived: clients were held although it was red
}

TEST_F(Gates, ASignalEndsAWaitForAProgram) {
  choose("  - command: { id: canary, argv: [" +
         script("echo $$ > " + (shop_->dir() / "canary.pid").string() + "; sleep 60") + "], timeout: 2m }");
  auto crossing = start();
  for (const auto deadline = soon(); !std::filesystem::exists(shop_->dir() / "canary.pid");
       std::this_thread::sleep_for(5ms))
    ASSERT_TRUE(crossing.is_running() && !deadline.has_passed()) << said();
  std::this_thread::sleep_for(50ms);
  const int canary = std::stoi(read(shop_->dir() / "canary.pid"));
  crossing.send(SIGTERM);
  expect_ends(crossing, 143);
  EXPECT_NE(::kill(canary, 0), 0) << "it outlives the controller";
}

}  // namespace
}  // namespace verdigris::test
