// Each question is made to say no on real servers, and asking leaves both sides as they were.
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "healthcheck/checks.hpp"
#include "healthcheck/questions.hpp"
#include "healthcheck/report.hpp"
#include "healthcheck/server_versions.hpp"
#include "tests/support/catalog_image.hpp"
#include "tests/support/cluster.hpp"

namespace verdigris {
namespace {

using test::run;
using test::soon;
using test::catalog_image;

struct Question {
  const char* stem;  // of the file in healthcheck/ that asks it
  const char* on_blue;
  const char* on_green;
  const char* id;
  Level level;
  const char* says;  // part of its text
};

// One database each; what is not about databases has a test of its own below.
const std::vector<Question>& questions_about_the_way() {
  static const std::vector<Question> all = {
      {"leftovers", "CREATE PUBLICATION verdigris_shop_fwd", "", "slot.leftover", Level::fail, "verdigris_shop_fwd"},
      {"leftovers",
       "CREATE SCHEMA verdigris; CREATE TABLE verdigris.journal (); CREATE TABLE verdigris.identity (deployment text);"
       "CREATE TABLE verdigris.marker (); CREATE TABLE verdigris.saved (deployment text, key text, value jsonb);"
       "INSERT INTO verdigris.identity VALUES ('other')",
       "", "deployment.other", Level::fail, "deployment other"},
      {"loading",
       "CREATE SCHEMA verdigris; CREATE TABLE verdigris.journal (); CREATE TABLE verdigris.identity (deployment text);"
       "CREATE TABLE verdigris.marker (); CREATE TABLE verdigris.saved (deployment text, key text, value jsonb);"
       "INSERT INTO verdigris.saved VALUES ('shop', 'provision:loading', 'true')",
       "", "target.loading", Level::fail, "still being loaded"},
      {"standby", "", "ALTER DATABASE shop SET default_transaction_read_only = on", "target.read-only", Level::fail,
       "read only"},
      {"apply_settings", "", "ALTER DATABASE shop SET lock_timeout = '1s'", "apply.role-settings", Level::fail, "1s"},
      {"table_owners",
       "CREATE TABLE mine (id int PRIMARY KEY); ALTER TABLE mine OWNER TO app_owner;"
       "ALTER TABLE mine ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
       "", "apply.table-owners", Level::fail, "public.mine"},
      {"foreign_replication", "",
       "CREATE SUBSCRIPTION theirs CONNECTION 'dbname=x' PUBLICATION p WITH (connect = false)", "target.foreign-repl",
       Level::fail, "theirs"},
      {"foreign_replication",
       "CREATE SUBSCRIPTION inbound CONNECTION 'host=/nowhere dbname=x' PUBLICATION p WITH (connect = false);"
       "ALTER SUBSCRIPTION inbound ENABLE",
       "", "repl.inbound", Level::fail, "inbound"},
      {"foreign_slots", "SELECT pg_create_logical_replication_slot('cdc', 'pgoutput')", "", "slot.foreign", Level::warn,
       "cdc (pgoutput)"},
      {"replica_role", "ALTER DATABASE shop SET session_replication_role = replica", "", "fence.replica-role", Level::fail,
       "database shop"},
      {"target_empty", "", "CREATE TABLE leftover (a int); INSERT INTO leftover VALUES (1)", "target.not-empty",
       Level::fail, "1 of 1 tables hold rows: public.leftover"},
      {"target_empty", "", "CREATE TABLE leftover (a int)", "target.not-empty", Level::fail, "1 tables already"},
  };
  return all;
}

const std::vector<Question>& questions_about_the_schema() {
  static const std::vector<Question> all = {
      {"event_triggers",
       "CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';"
       "CREATE EVENT TRIGGER noisy ON ddl_command_start EXECUTE FUNCTION f()",
       "", "schema.event-triggers", Level::warn, "noisy"},
      {"event_triggers",
       "CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';"
       "CREATE EVENT TRIGGER strict ON ddl_command_start EXECUTE FUNCTION f();"
       "ALTER EVENT TRIGGER strict ENABLE ALWAYS",
       "", "schema.event-triggers", Level::fail, "strict"},
      {"compression", "CREATE TABLE small (id int PRIMARY KEY, v text COMPRESSION lz4)", "", "schema.compression",
       Level::fail, "public.small.v"},
      {"replica_triggers",
       "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
       "CREATE TABLE t (id int PRIMARY KEY); CREATE TRIGGER audit AFTER INSERT ON t EXECUTE FUNCTION f();"
       "ALTER TABLE t ENABLE ALWAYS TRIGGER audit",
       "", "schema.replica-triggers", Level::warn, "public.t.audit"},
      {"replica_identity", "CREATE TABLE keyless (a int)", "", "ri.none", Level::note, "public.keyless"},
      {"replica_identity", "CREATE TABLE late (a int PRIMARY KEY DEFERRABLE)", "", "ri.none", Level::note,
       "public.late"},
      {"replica_identity", "CREATE TABLE pointed (a int, p point)", "", "ri.full-type", Level::fail,
       "public.pointed.p point"},
      {"replica_identity", "CREATE DOMAIN doc AS json; CREATE TABLE docs (d doc[])", "", "ri.full-type", Level::fail,
       "public.docs.d"},
      {"unlogged_tables", "CREATE UNLOGGED TABLE cache (a int)", "", "data.unlogged", Level::fail, "public.cache"},
      {"extension_tables", "CREATE TABLE jobs (a int PRIMARY KEY); ALTER EXTENSION plpgsql ADD TABLE jobs", "",
       "data.extension-tables", Level::fail, "public.jobs"},
      {"large_objects", "SELECT lo_create(0)", "", "data.large-objects", Level::fail, "1 large objects"},
      {"foreign_tables",
       "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w; CREATE FOREIGN TABLE far (a int) SERVER "
       "s",
       "", "data.foreign", Level::warn, "public.far"},
      {"foreign_tables",
       "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w; CREATE TABLE tree (a int) PARTITION BY LIST (a);"
       "CREATE FOREIGN TABLE leaf PARTITION OF tree FOR VALUES IN (1) SERVER s",
       "", "data.foreign-partition", Level::fail, "public.leaf"},
      {"physical_ids", "CREATE TABLE refs (a int PRIMARY KEY, b regclass, c xid)", "", "data.physical-ids", Level::warn,
       "public.refs.b regclass"},
      {"generated_columns", "CREATE TABLE g (a int PRIMARY KEY, b int GENERATED ALWAYS AS (a * 2) STORED)",
       "CREATE TABLE g (a int PRIMARY KEY, b int GENERATED ALWAYS AS (a * 3) STORED)", "data.generated", Level::fail,
       "public.g.b"},
      {"sequence_headroom", "CREATE TABLE s (id serial PRIMARY KEY); SELECT setval('s_id_seq', 2000000000)", "",
       "data.sequence-headroom", Level::warn, "public.s_id_seq (93 %)"},
      {"sequence_headroom", "CREATE TABLE s (id smallserial PRIMARY KEY); SELECT setval('s_id_seq', 32767)", "",
       "data.sequence-headroom", Level::fail, "public.s_id_seq (100 %)"},
      {"sequence_headroom", "CREATE SEQUENCE down INCREMENT -1 MINVALUE -100; SELECT setval('down', -99)", "",
       "data.sequence-headroom", Level::warn, "public.down (98 %)"},
  };
  return all;
}

class CheckQuestions : public ::testing::Test {
 protected:
  void SetUp() override {
    NEED_POSTGRES(15);
    NEED_POSTGRES(17);
    begin();
  }

  // Fresh databases and sessions.
  void begin() {
    blue_.reset();
    green_.reset();
    pair_ = &test::shared_pair(15, 17);
    blue_.emplace(test::side(pair_->blue(), "blue"));
    green_.emplace(test::side(pair_->green(), "green"));
    settings_ = {.deployment = "shop", .pg_dump = DumpTool{"/usr/bin/pg_dump", 150020}};
  }

  void apply(const PostgresServer& server, const std::string& sql) {
    Connection on = test::admin(server);
    run(on, "SET search_path = public");
    if (!sql.empty()) run(on, sql);
  }

  CheckContext context(bool is_prepared = false) { return {*blue_, *green_, settings_, is_prepared, soon()}; }
  Findings ask(bool is_prepared = false) { return ask_all(context(is_prepared)); }
  void expect_no(const std::vector<Question>& questions);

  test::Pair* pair_ = nullptr;
  std::optional<Server> blue_, green_;
  CheckSettings settings_;
};

const Finding* find(const Findings& findings, const std::string& id, Level level) {
  const auto found = std::find_if(findings.begin(), findings.end(),
                                  [&](const Finding& one) { return one.id == id && one.level == level; });
  return found == findings.end() ? nullptr : &*found;
}

void CheckQuestions::expect_no(const std::vector<Question>& questions) {
  for (const auto& question : questions) {
    begin();
    ASSERT_EQ(find(ask(), question.id, question.level), nullptr) << question.stem << ": " << question.id << " before";
    apply(pair_->blue(), question.on_blue);
    apply(pair_->green(), question.on_green);
    const Findings findings = ask();
    const Finding* found = find(findings, question.id, question.level);
    ASSERT_NE(found, nullptr) << question.stem << ": " << question.id;
    EXPECT_NE(found->text.find(question.says), std::string::npos) << found->text;
    EXPECT_EQ(found->hint.empty(), question.level == Level::note) << found->id;
  }
}

TEST_F(CheckQuestions, AboutTheWaySayNoAndWhatToDo) {
  expect_no(questions_about_the_way());
}
TEST_F(CheckQuestions, AboutTheSchemaSayNoAndWhatToDo) {
  expect_no(questions_about_the_schema());
}

TEST_F(CheckQuestions, FindNothingOnAPlainPairButWhatTheTestServersAre) {
  apply(pair_->blue(), "CREATE TABLE t (id serial PRIMARY KEY, v jsonb)");
  for (const auto& finding : ask()) {
    const bool is_of_the_test_servers = finding.id == "settings.fsync" || finding.id == "versions.minor";
    EXPECT_TRUE(finding.level != Level::fail || is_of_the_test_servers) << finding.id << ": " << finding.text;
  }
}

TEST_F(CheckQuestions, EveryCheckSaysSomething) {
  for (const auto& check : all_checks()) {
    if (check.name == "replication login") continue;  // without replication.conninfo there is nothing to say
    EXPECT_FALSE(check.ask({*blue_, *green_, settings_, false, soon()}).empty()) << check.name;
  }
}

TEST_F(CheckQuestions, SameDatabaseEndsTheQuestions) {
  const Findings findings = ask_all({*blue_, *blue_, settings_, false, soon()});
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].id, "target.same");
  EXPECT_NE(findings[0].text.find("are the same database"), std::string::npos);
}

TEST_F(CheckQuestions, SameServerIsNoGreenEither) {
  Server other("green", "shop", pair_->blue().conninfo("verdigris", "postgres"));
  other.connect(soon(), true);
  const Findings findings = questions::same_database({*blue_, other, settings_, false, soon()});
  EXPECT_NE(findings.at(0).text.find("are one server"), std::string::npos);
}

TEST_F(CheckQuestions, ServerVersionsMustRise) {
  const Findings findings = ask_all({*green_, *blue_, settings_, false, soon()});
  ASSERT_NE(find(findings, "versions.pair", Level::fail), nullptr);
  EXPECT_NE(find(findings, "versions.pair", Level::fail)->text.find("green is older than blue"), std::string::npos);
}

TEST(ServerVersions, FloorIsByMajor) {
  EXPECT_TRUE(is_below_floor(130023));
  EXPECT_TRUE(is_below_floor(150018));
  EXPECT_FALSE(is_below_floor(150019));
  EXPECT_TRUE(is_below_floor(170010));
  EXPECT_FALSE(is_below_floor(180006));
}

TEST_F(CheckQuestions, WaiverTurnsAFailureIntoAWarningWithItsReason) {
  apply(pair_->blue(), "CREATE UNLOGGED TABLE cache (a int)");
  settings_.waivers = {{"data.unlogged", "a cache"}};
  const Findings findings = ask();
  EXPECT_EQ(find(findings, "data.unlogged", Level::fail), nullptr);
  EXPECT_NE(find(findings, "data.unlogged", Level::warn)->text.find("waived: a cache"), std::string::npos);
  EXPECT_EQ(find(findings, "waiver.unused", Level::fail), nullptr);
}

TEST_F(CheckQuestions, WaiverThatWaivesNothingIsAFailure) {
  settings_.waivers = {{"data.unlogged", "a cache"}};
  const Findings findings = ask();
  ASSERT_NE(find(findings, "waiver.unused", Level::fail), nullptr);
  EXPECT_FALSE(judge(findings).is_passed());
}

TEST_F(CheckQuestions, DumpToolMustNotBeOlderThanBlue) {
  settings_.pg_dump = DumpTool{"/usr/bin/pg_dump", 140020};
  EXPECT_NE(find(ask(), "tool.pg-dump", Level::fail), nullptr);
  settings_.pg_dump.reset();
  EXPECT_NE(find(ask(), "tool.pg-dump", Level::fail), nullptr);
  settings_.dumps_schema = false;
  EXPECT_EQ(find(ask(), "tool.pg-dump", Level::fail), nullptr);
}

TEST_F(CheckQuestions, ReplicaIdentityRefusesWhereNoneIsToBeMade) {
  apply(pair_->blue(), "CREATE TABLE keyless (a int); CREATE TABLE left_out (a int)");
  settings_.makes_identities = false;
  settings_.tables.exclude = {"public.left_out"};
  const Findings findings = ask();
  const Finding* found = find(findings, "ri.none", Level::fail);
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->text, "blue: 1 tables without an identity: public.keyless");
}

TEST_F(CheckQuestions, TargetEmptyIsNotAskedOnceGreenIsPrepared) {
  apply(pair_->green(), "CREATE TABLE ours (a int); INSERT INTO ours VALUES (1)");
  EXPECT_EQ(find(ask(true), "target.not-empty", Level::fail), nullptr);
}

TEST_F(CheckQuestions, ReplicationLoginIsTriedAndItsRoleLookedAt) {
  settings_.to_blue = pair_->blue().conninfo("verdigris_repl", "shop");
  settings_.to_green = pair_->green().conninfo("verdigris_repl", "shop");
  EXPECT_NE(find(questions::replication_login(context()), "roles.connect", Level::pass), nullptr);
  settings_.to_blue = pair_->blue().conninfo("nobody_knows", "shop");
  EXPECT_NE(find(ask(), "roles.connect", Level::fail)->text.find("does not exist"), std::string::npos);
  apply(pair_->blue(),
        "DO $$BEGIN CREATE ROLE with_password LOGIN REPLICATION PASSWORD 'secret'; EXCEPTION WHEN OTHERS THEN END$$");
  settings_.to_blue = pair_->blue().conninfo("with_password", "shop").with("passfile", "/nowhere");
  const Findings findings = ask();
  ASSERT_NE(find(findings, "roles.connect", Level::fail), nullptr);
  EXPECT_NE(find(findings, "roles.connect", Level::fail)->text.find("no password supplied"), std::string::npos);
  apply(pair_->blue(), "DROP ROLE with_password");
}

TEST_F(CheckQuestions, ControllerRoleMustBeASuperuser) {
  apply(pair_->blue(), "ALTER ROLE verdigris_repl SUPERUSER");
  Server plain("blue", "shop", pair_->blue().conninfo("verdigris_repl", "shop"));
  plain.connect(soon(), true);
  apply(pair_->blue(), "ALTER ROLE verdigris_repl NOSUPERUSER");
  const Findings findings = questions::controller_role({plain, *green_, settings_, false, soon()});
  ASSERT_NE(find(findings, "roles.controller", Level::fail), nullptr);
  EXPECT_NE(findings[0].text.find("verdigris_repl"), std::string::npos);
}

TEST_F(CheckQuestions, BypassingSessionsAreNamedButNotThePoolers) {
  Connection writer = test::admin(pair_->blue());
  run(writer, "SET application_name = 'nightly'");
  const Findings findings = questions::bypassing_sessions(context());
  ASSERT_EQ(findings.at(0).level, Level::warn);
  EXPECT_NE(findings[0].text.find("nightly"), std::string::npos);
  settings_.pooler_backends = {writer.backend_pid()};
  EXPECT_EQ(questions::bypassing_sessions(context()).at(0).level, Level::pass);
}

TEST_F(CheckQuestions, SlotBlockersAreWriteTransactionsThatGrowOld) {
  Connection writer = test::admin(pair_->blue());
  run(writer, "CREATE TABLE public.t (a int); BEGIN; INSERT INTO public.t VALUES (1)");
  EXPECT_EQ(questions::slot_blockers(context()).at(0).level, Level::pass) << "it is young";
  std::this_thread::sleep_for(std::chrono::milliseconds(10500));
  const Findings findings = questions::slot_blockers(context());
  ASSERT_EQ(findings.at(0).level, Level::warn);
  EXPECT_NE(findings[0].text.find("pid " + std::to_string(writer.backend_pid())), std::string::npos);
}

TEST_F(CheckQuestions, PhysicalStandbysAreNamed) {
  const Conninfo conninfo = pair_->blue().conninfo("verdigris_repl", "shop").with("replication", "true");
  Connection standby = Connection::open_plain(conninfo, {"blue", "db1b", false, {}}, soon());
  const std::string start = standby.query(Sql("IDENTIFY_SYSTEM"), soon()).one_row(4).text(2);
  standby.query(Sql::written_by_operator("START_REPLICATION PHYSICAL " + start), soon());
  const Findings findings = questions::physical_standbys(context());
  ASSERT_NE(find(findings, "fence.standbys", Level::fail), nullptr);
  EXPECT_NE(find(findings, "fence.standbys", Level::fail)->text.find("db1b"), std::string::npos);
}

TEST_F(CheckQuestions, SyncStandbyNamesAndSlotWalAndDurabilityAreSettingsOfServers) {
  Connection blue = test::admin(pair_->blue());
  run(blue, "SET synchronous_commit = local");  // or its own commits would wait for a standby that never comes
  run(blue, "ALTER SYSTEM SET max_slot_wal_keep_size = '10MB'");
  run(blue, "ALTER SYSTEM SET synchronous_standby_names = '*'");
  run(blue, "SELECT pg_reload_conf(), pg_sleep(0.3)");
  settings_.max_slot_wal_bytes = std::int64_t{1} << 30U;
  const auto sync = questions::sync_standby(context());
  const auto missing = questions::missing_standbys(context());
  const auto slot_wal = questions::slot_wal(context());
  run(blue, "ALTER SYSTEM RESET synchronous_standby_names");
  run(blue, "ALTER SYSTEM RESET max_slot_wal_keep_size");
  run(blue, "SELECT pg_reload_conf(), pg_sleep(0.3)");
  EXPECT_NE(find(sync, "slot.sync-standby", Level::fail), nullptr);
  ASSERT_NE(find(missing, "slot.sync-missing", Level::fail), nullptr);
  EXPECT_NE(missing[0].text.find("blue: 0 of 1 synchronous standbys"), std::string::npos) << missing[0].text;
  EXPECT_EQ(questions::missing_standbys(context()).at(0).level, Level::pass);
  EXPECT_NE(find(slot_wal, "limits.slot-wal", Level::warn), nullptr);
  EXPECT_EQ(questions::durability(context()).at(0).level, Level::fail) << "the test servers run without fsync";
}

TEST_F(CheckQuestions, EncodingAndExtensionsOfGreenMustHoldBlues) {
  Connection on = test::admin(pair_->green(), "postgres");
  run(on, "DROP DATABASE IF EXISTS ascii");
  run(on, "CREATE DATABASE ascii TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'");
  Server ascii("green", "shop", pair_->green().conninfo("verdigris", "ascii"));
  ascii.connect(soon(), true);
  // An extension that blue only pretends to have.
  apply(pair_->blue(), "UPDATE pg_extension SET extname = 'plunobtainium' WHERE extname = 'plpgsql'");
  const Findings findings = ask_all({*blue_, ascii, settings_, false, soon()});
  EXPECT_NE(find(findings, "schema.encoding", Level::fail), nullptr);
  ASSERT_NE(find(findings, "schema.extensions", Level::fail), nullptr);
  EXPECT_NE(find(findings, "schema.extensions", Level::fail)->text.find("plunobtainium"), std::string::npos);
}

// Settings that need a restart: a pair of its own.
TEST(CheckLimits, WalLevelAndLimitsAndPreparedTransactions) {
  NEED_POSTGRES(15);
  test::Pair pair(15, 15,
                  {.settings = {{"max_prepared_transactions", "4"},
                                {"wal_level", "replica"},
                                {"max_replication_slots", "1"},
                                {"max_wal_senders", "2"},
                                {"max_logical_replication_workers", "1"}}});
  pair.fresh_databases();
  Server blue = test::side(pair.blue(), "blue");
  Server green = test::side(pair.green(), "green");
  const CheckSettings settings{.deployment = "shop"};
  const CheckContext context{blue, green, settings, false, soon()};
  EXPECT_EQ(questions::wal_level(context).size(), 2U);
  EXPECT_EQ(questions::wal_level(context)[0].text, "blue: wal_level is replica");
  const Findings limits = questions::limits(context);
  for (const char* id : {"limits.slots", "limits.senders", "limits.workers", "limits.origins"})
    EXPECT_NE(find(limits, id, Level::fail), nullptr) << id;
  EXPECT_EQ(questions::prepared_transactions(context).at(0).level, Level::pass);
  Connection writer = test::admin(pair.blue());
  run(writer, "CREATE TABLE public.t (a int)");
  run(writer, "BEGIN; INSERT INTO public.t VALUES (1); PREPARE TRANSACTION 'two phases'");
  EXPECT_NE(questions::prepared_transactions(context).at(0).text.find("two phases"), std::string::npos);
  run(writer, "ROLLBACK PREPARED 'two phases'");
}

TEST_F(CheckQuestions, ChangeNothingOnEitherSide) {
  apply(pair_->blue(), "CREATE TABLE keyless (a int); SELECT lo_create(0); CREATE SEQUENCE s");
  Connection on_blue = test::admin(pair_->blue());
  Connection on_green = test::admin(pair_->green());
  const std::string blue = catalog_image(on_blue);
  const std::string green = catalog_image(on_green);
  blue_->connect(soon(), true);  // as the command does: the server itself refuses a write
  green_->connect(soon(), true);
  ask();
  EXPECT_EQ(catalog_image(on_blue), blue);
  EXPECT_EQ(catalog_image(on_green), green);
}

}  // namespace
}  // namespace verdigris
