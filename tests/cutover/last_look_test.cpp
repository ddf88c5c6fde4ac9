// What was true when a crossing was begun is asked again in the last step before clients wait, of the side that serves
// now and the one that shall: a refusal there costs nobody anything.
#include "tests/support/pgbouncer_driver.hpp"
#include "tests/support/shop.hpp"
#include "tests/support/thorough.hpp"

namespace verdigris::test {
namespace {

class LastLook : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    const std::vector<std::pair<std::string, std::string>> settings{{"max_prepared_transactions", "4"}};
    if (!have_postgres(15) || !have_postgres(17)) return;
    shop_ = new Shop(settings);
    for (const std::string color : {"blue", "green"}) {
      auto side = admin(shop_->server(color));
      run(side, "CREATE ROLE clerk LOGIN");
    }
  }
  static void TearDownTestSuite() { delete shop_; }
  void SetUp() override {
    NEED_POSTGRES(15);
    NEED_POSTGRES(17);
  }

  static std::string serving(const std::string& command) { return command == "switch" ? "blue" : "green"; }

  // Exit code 3, in its own words, and no client had to wait.
  void expect_refused(const std::string& command, const std::string& why, const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments{command, "--confirm", "shop"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const auto answer = shop_->command(arguments);
    EXPECT_EQ(answer.exit_code, 3) << answer.json << answer.errors;
    EXPECT_NE(answer.json.value("reason", "?").find(why), std::string::npos) << answer.json << answer.errors;
    const auto hint = answer.json.value("hint", "");
    EXPECT_NE(hint, "");
    if (command == "rollback") {
      EXPECT_EQ(hint.find("verdigris prepare"), std::string::npos) << "not possible now: " << hint;
    }
    auto side = admin(shop_->server(serving(command)));
    EXPECT_EQ(value(side, R"(SELECT count(*) FROM verdigris.journal WHERE event = 'begin'
                             AND detail->>'step' = 'pause_traffic' AND seq >
                             (SELECT max(seq) FROM verdigris.journal WHERE event = 'plan'))"),
              "0");
    const auto scene = shop_->scene();
    EXPECT_EQ(scene.serves, serving(command));
    EXPECT_EQ(scene.activity, "none");
  }

  static Shop* shop_;
};

Shop* LastLook::shop_ = nullptr;

TEST_F(LastLook, RefusesBeforeAnybodyWaitsInBothDirections) {
  for (const std::string command : {"switch", "rollback"}) {
    SCOPED_TRACE(command);
    {
      auto source = admin(shop_->server(serving(command)));
      run(source, "CREATE TABLE public.born_late (id int PRIMARY KEY)");
      expect_refused(command, "public.born_late");
      run(source, "DROP TABLE public.born_late");

      run(source, "BEGIN");
      run(source, "SELECT pg_current_xact_id()");
      run(source, "PREPARE TRANSACTION 'late'");
      expect_refused(command, "fence.prepared");
      run(source, "ROLLBACK PREPARED 'late'");

      run(source, "CREATE SUBSCRIPTION late CONNECTION 'host=/nowhere dbname=x user=x' PUBLICATION p "
                  "WITH (connect = false, slot_name = 'late')");
      run(source, "ALTER SUBSCRIPTION late ENABLE");
      expect_refused(command, "repl.inbound");
      run(source, "ALTER SUBSCRIPTION late DISABLE");
      run(source, "ALTER SUBSCRIPTION late SET (slot_name = NONE)");
      run(source, "DROP SUBSCRIPTION late");
    }
    const auto crossed = shop_->cross(command);
    ASSERT_EQ(crossed.exit_code, 0) << crossed.errors;
  }
}

// Something done on one side and taken back, in whose presence a crossing is refused and verify does not say equal.
struct Drift {
  const char* what;
  const char* side;  // "source", "target"
  const char* done;
  const char* undone;
  const char* why;
  int verify;  // its exit code
};

// Whoever serves: the same holds in both directions.
const std::vector<Drift>& drifts() {
  static const std::vector<Drift> all = {
      {"a column with a fast default, which stops no stream", "source",
       "ALTER TABLE public.customers ADD late text DEFAULT 'x'", "ALTER TABLE public.customers DROP late",
       "data.columns: ", 4},
      {"types without a common form", "target", "ALTER TABLE public.categories ALTER title TYPE bytea USING convert_to(title, 'UTF8')",
       "ALTER TABLE public.categories ALTER title TYPE varchar(80) USING convert_from(title, 'UTF8')",
       "parity.uncovered: ", 4},
      {"a table of the target alone", "target", "CREATE TABLE public.extra (id int)", "DROP TABLE public.extra",
       "schema.extra-table: ", 4},
      {"a sequence of the target alone", "target", "CREATE SEQUENCE public.extra", "DROP SEQUENCE public.extra",
       "schema.sequences: ", 4},
      {"an unlogged table", "source", "CREATE UNLOGGED TABLE public.cache (id int)", "DROP TABLE public.cache",
       "data.unlogged: ", 4},
      {"a login that the target lacks", "source", "CREATE ROLE late LOGIN PASSWORD 'x'", "DROP ROLE late",
       "roles.login: ", 0},
      {"another password", "target", "ALTER ROLE clerk PASSWORD 'other'", "ALTER ROLE clerk PASSWORD NULL",
       "clerk has another password", 0},
      {"a login that ends otherwise", "source", "ALTER ROLE clerk VALID UNTIL '2100-01-01'",
       "ALTER ROLE clerk VALID UNTIL 'infinity'", "clerk is valid until infinity", 0},
      {"a database whose sessions begin as replica", "source",
       "ALTER DATABASE shop SET session_replication_role = replica", "ALTER DATABASE shop RESET session_replication_role",
       "fence.replica-role: ", 0},
      {"a role that may become replica", "source", "GRANT SET ON PARAMETER session_replication_role TO clerk",
       "REVOKE SET ON PARAMETER session_replication_role FROM clerk", "grant to clerk", 0},
      {"a large object", "source", "SELECT lo_create(4711)", "SELECT lo_unlink(4711)", "data.large-objects: ", 0},
  };
  return all;
}

// Before a switch all of the schema must be on green; a migration may leave it with more.
const std::vector<Drift>& drifts_before_a_switch() {
  static const std::vector<Drift> all = {
      {"an index", "source", "CREATE INDEX late ON public.customers (name)", "DROP INDEX public.late",
       "schema.diff: green: not as on blue: public.late", 0},
      {"a constraint", "source", "ALTER TABLE public.customers ADD CONSTRAINT late CHECK (id <> -1)",
       "ALTER TABLE public.customers DROP CONSTRAINT late", "public.customers.late", 0},
      {"a function", "source", "CREATE FUNCTION public.late() RETURNS int LANGUAGE sql AS 'SELECT 1'",
       "DROP FUNCTION public.late()", "function public.late()", 0},
      {"a default", "source", "ALTER TABLE public.categories ALTER title SET DEFAULT 'x'",
       "ALTER TABLE public.categories ALTER title DROP DEFAULT", "default of public.categories.title", 0},
      {"a wider column", "source", "ALTER TABLE public.categories ALTER title TYPE varchar(90)",
       "ALTER TABLE public.categories ALTER title TYPE varchar(80) USING title::varchar(80)",
       "public.categories.title character varying(90) (character varying(80) on green)", 0},
  };
  return all;
}

TEST_F(LastLook, RefusesWhatWouldBeLeftBehindInBothDirections) {
  for (const std::string command : {"switch", "rollback"}) {
    auto all = drifts();
    if (command == "switch") all.insert(all.end(), drifts_before_a_switch().begin(), drifts_before_a_switch().end());
    for (const auto& drift : all) {
      SCOPED_TRACE(command + ": " + drift.what);
      const bool is_source = std::string(drift.side) == "source";
      auto side = admin(shop_->server((serving(command) == "blue") == is_source ? "blue" : "green"));
      run(side, drift.done);
      expect_refused(command, drift.why);
      if (command == "switch" || is_thorough()) {
        const auto verified = shop_->command({"verify"});
        EXPECT_EQ(verified.exit_code, drift.verify) << verified.json << verified.errors;
      }
      run(side, drift.undone);
    }
    // The column of our own migration is on green alone and blocks no rollback.
    const auto verified = shop_->command({"verify"});
    EXPECT_EQ(verified.exit_code, 0) << verified.json << verified.errors;
    const auto crossed = shop_->cross(command);
    ASSERT_EQ(crossed.exit_code, 0) << crossed.errors;
  }
}

TEST_F(LastLook, GoesOnWithoutAColumnThatSomebodyAnswersFor) {
  auto blue = admin(shop_->server("blue"));
  run(blue, "ALTER TABLE public.customers ADD late text DEFAULT 'x'");
  const auto check = shop_->command({"check"});
  EXPECT_EQ(check.exit_code, 3) << check.json;
  EXPECT_NE(check.json.dump().find("data.columns"), std::string::npos) << check.json;
  const auto prepare = shop_->command({"prepare", "--yes"});
  EXPECT_EQ(prepare.exit_code, 3) << "not READY with a column that green lacks: " << prepare.json;
  const auto playbook = read(shop_->playbook());
  const std::string waiver = R"(  - { id: data.columns, reason: "tried", until: 2999-01-01 })";
  const bool has_waivers = playbook.find("waivers:") != std::string::npos;
  write(shop_->playbook(), playbook + (has_waivers ? "" : "waivers:\n") + waiver + "\n");
  const auto verified = shop_->command({"verify"});
  EXPECT_EQ(verified.exit_code, 0) << verified.json << verified.errors;
  const auto tried = shop_->command({"switch", "--dry-run"});
  EXPECT_EQ(tried.exit_code, 0) << tried.json << tried.errors;
  write(shop_->playbook(), playbook);
  run(blue, "ALTER TABLE public.customers DROP late");
}

// Every commit would wait for it, ours in the window too; the first of them is not even tried.
TEST_F(LastLook, RefusesWhileASynchronousStandbyIsAway) {
  auto green = admin(shop_->server("green"));
  run(green, "SET synchronous_commit = local");
  run(green, "ALTER SYSTEM SET synchronous_standby_names = 'FIRST 2 (a, b)'");
  run(green, "SELECT pg_reload_conf(), pg_sleep(0.3)");
  const auto answer = shop_->command({"switch", "--confirm", "shop"});
  run(green, "ALTER SYSTEM RESET synchronous_standby_names");
  run(green, "SELECT pg_reload_conf(), pg_sleep(0.3)");
  EXPECT_EQ(answer.exit_code, 3) << answer.json << answer.errors;
  EXPECT_EQ(answer.json["error"]["id"], "slot.sync-missing") << answer.json;
  EXPECT_NE(answer.json.dump().find("0 of 2 synchronous standbys"), std::string::npos) << answer.json;
}

// A password changed on blue after prepare: prepare carries it over again.
TEST_F(LastLook, PrepareAgainLetsThoseInWhoWereShutOut) {
  auto blue = admin(shop_->server("blue"));
  run(blue, "ALTER ROLE clerk PASSWORD 'changed'; CREATE ROLE late LOGIN; REVOKE CONNECT ON DATABASE shop FROM PUBLIC;"
            "GRANT CONNECT ON DATABASE shop TO late, clerk, app");
  expect_refused("switch", "roles.login: green: roles of blue could not log in: clerk has another password, late is missing");
  const auto prepared = shop_->command({"prepare", "--yes"});
  EXPECT_EQ(prepared.exit_code, 0) << prepared.json << prepared.errors;
  EXPECT_NE(prepared.errors.find("clerk was on green and has blue's password"), std::string::npos) << prepared.errors;
  const auto tried = shop_->command({"switch", "--dry-run"});
  EXPECT_EQ(tried.exit_code, 0) << tried.json << tried.errors;
  run(blue, "GRANT CONNECT ON DATABASE shop TO PUBLIC; REVOKE CONNECT ON DATABASE shop FROM late, clerk, app");
  for (const std::string color : {"blue", "green"}) {
    auto side = admin(shop_->server(color));
    run(side, "DROP ROLE late; ALTER ROLE clerk PASSWORD NULL");
  }
}

// A member of a role that must connect to a closed server: seen in the rehearsal of the closing.
TEST_F(LastLook, NamesWhoWouldConnectToAClosedServer) {
  for (const std::string color : {"blue", "green"}) {
    auto side = admin(shop_->server(color));
    run(side, "GRANT verdigris_repl TO clerk");
  }
  expect_refused("switch", "blue: closed for connections it would still let in: clerk");
  for (const std::string color : {"blue", "green"}) {
    auto side = admin(shop_->server(color));
    run(side, "REVOKE verdigris_repl FROM clerk");
  }
}

// The poolers' time-outs against what was asked for on the command line, not against the playbook.
TEST_F(LastLook, MeasuresThePoolersAgainstThePauseThatWasAskedFor) {
  expect_refused("switch", "query_wait_timeout", {"--max-pause", "150s"});
}

// The last one: it takes everything back. A rollback leaves green closed for our own role too; migrations that write
// rows must find it open for them.
TEST_F(LastLook, MigrationsThatWriteRunAfterARollbackAndAreTakenBack) {
  for (const std::string command : {"switch", "rollback"}) {
    const auto crossed = shop_->cross(command);
    ASSERT_EQ(crossed.exit_code, 0) << crossed.errors;
  }
  const auto migration = shop_->dir() / "migrations/0002_touch";
  std::filesystem::create_directories(migration);
  for (const char* file : {"up.sql", "down.sql"})
    write(migration / file, "UPDATE public.customers SET loyalty = loyalty WHERE false;\n");
  const auto prepared = shop_->command({"prepare", "--yes"});
  EXPECT_EQ(prepared.exit_code, 0) << prepared.json << prepared.errors;
  for (const std::string command : {"switch", "rollback"}) {
    const auto crossed = shop_->cross(command);
    ASSERT_EQ(crossed.exit_code, 0) << crossed.errors;
  }
  const auto abandoned = shop_->command({"abandon", "--confirm", "shop"});
  EXPECT_EQ(abandoned.exit_code, 0) << abandoned.json << abandoned.errors;
}

}  // namespace
}  // namespace verdigris::test
