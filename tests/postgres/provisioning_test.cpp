// Single acts of prepare where they can go wrong: roles, a schema that is present, a target that is not empty, a copy
// that fails or is repeated, migrations and what they mean for the way back.
#include <gtest/gtest.h>

#include "controller/migration/migration.hpp"
#include "controller/process.hpp"
#include "controller/staged_file.hpp"
#include "controller/steps/copy_tables.hpp"
#include "controller/steps/migrate_target.hpp"
#include "controller/steps/publish_source.hpp"
#include "controller/steps/ready_reverse_path.hpp"
#include "controller/steps/restore_constraints.hpp"
#include "controller/steps/restore_schema.hpp"
#include "replication/control_schema.hpp"
#include "replication/roles.hpp"
#include "replication/slot.hpp"
#include "replication/subscription.hpp"
#include "tests/support/cluster.hpp"

namespace verdigris::test {
namespace {

const Stream kForward = Stream::forward("shop");
const Stream kReverse = Stream::reverse("shop");

Deadline minute() {
  return Deadline::after(std::chrono::minutes(1));
}

class Provisioning : public testing::Test {
 protected:
  void open(int blue_major, int green_major) {
    pair = &shared_pair(blue_major, green_major);
    blue.emplace(side(pair->blue(), "blue"));
    green.emplace(side(pair->green(), "green"));
    install_control_schema(blue->control(), "shop", "blue", soon());
    install_control_schema(green->control(), "shop", "green", soon());
  }
  void on_both(const std::string& sql) {
    run(blue->control(), sql);
    run(green->control(), sql);
  }
  Source source() { return Source(*blue); }
  Target target() { return Target(*green); }
  SchemaSettings schema(bool is_present) {
    return {.is_present = is_present, .drop_target = true, .tools = {run_tool, tool_directories({})}};
  }
  ReadyReversePath reverse() {
    return {source(), target(), kReverse, pair->green().conninfo("verdigris_repl", "shop"), TableSelection{}};
  }
  CopyTables copy() { return {source(), target(), kForward, CopySettings{}, 0, CopyPace{}, true, nullptr}; }

  static std::string error_of(const std::function<void()>& act) {
    try {
      act();
    } catch (const Error& error) {
      return error.id() + ": " + error.what();
    }
    return "none";
  }

  Pair* pair = nullptr;
  std::optional<Server> blue;
  std::optional<Server> green;
};

Migration migration(const std::string& name, const std::string& up, const std::string& down) {
  return {name, up, down, sha256(up)};
}

TEST_F(Provisioning, RolesArriveWithVerifierMembershipSettingsAndGrants) {
  NEED_POSTGRES(15);
  NEED_POSTGRES(17);
  open(15, 17);
  run(blue->control(), R"sql(
    DROP ROLE IF EXISTS "gr""oup", "lo{}gin";
    CREATE ROLE "gr""oup" NOLOGIN;
    CREATE ROLE "lo{}gin" LOGIN PASSWORD 'secret' CONNECTION LIMIT 7 VALID UNTIL '2040-01-01';
    GRANT "gr""oup" TO "lo{}gin" WITH ADMIN OPTION;
    GRANT pg_monitor TO "gr""oup";
    ALTER ROLE "lo{}gin" SET search_path = "a b", public;
    ALTER ROLE "lo{}gin" SET my.setting = 'x''y';
    ALTER ROLE "lo{}gin" IN DATABASE shop SET work_mem = '8MB';
    ALTER DATABASE shop SET statement_timeout = '30s';
    GRANT CREATE ON DATABASE shop TO "gr""oup")sql");
  const RoleScope scope{.ours = {"verdigris", "verdigris_repl"}};
  const auto planned = copy_roles(blue->control(), green->control(), scope, true, soon());
  EXPECT_GT(planned.changes(), 0);
  std::string said;
  for (const auto& statement : planned.statements) said += statement + "\n";
  for (const char* part : {R"(CREATE ROLE "lo{}gin" WITH )", R"( PASSWORD '<its verifier>')", R"(GRANT "pg_monitor" TO "gr""oup")",
                           R"(ALTER DATABASE "shop" SET "statement_timeout" = '30s')", R"(GRANT CREATE ON DATABASE "shop" TO "gr""oup")"})
    EXPECT_NE(said.find(part), std::string::npos) << part << said;
  EXPECT_EQ(said.find("SCRAM"), std::string::npos) << "as good as a password";
  EXPECT_EQ(value(green->control(), "SELECT count(*) FROM pg_roles WHERE rolname = 'lo{}gin'"), "0");
  copy_roles(blue->control(), green->control(), scope, false, soon());
  EXPECT_EQ(copy_roles(blue->control(), green->control(), scope, false, soon()).changes(), 0);
  for (const char* sql :
       {R"(SELECT rolpassword || rolconnlimit || rolvaliduntil FROM pg_authid WHERE rolname = 'lo{}gin')",
        R"(SELECT pg_has_role('lo{}gin', 'pg_monitor', 'MEMBER') AND bool_and(admin_option)
           FROM pg_auth_members WHERE member = '"lo{}gin"'::regrole)",
        R"(SELECT string_agg(c, ' ' ORDER BY c) FROM pg_db_role_setting, unnest(setconfig) AS c
           WHERE setrole = '"lo{}gin"'::regrole OR setrole = 0 AND setdatabase <> 0)",
        R"(SELECT has_database_privilege('gr"oup', 'shop', 'CREATE'))"})
    EXPECT_EQ(value(green->control(), sql), value(blue->control(), sql)) << sql;
  run(blue->control(), R"(ALTER ROLE "lo{}gin" PASSWORD 'other')");
  EXPECT_EQ(copy_roles(blue->control(), green->control(), scope, false, soon()).roles, 1);
  for (Server* server : {&*blue, &*green})
    run(server->control(), R"(REVOKE ALL ON DATABASE shop FROM "gr""oup"; DROP ROLE "lo{}gin", "gr""oup")");
}

TEST_F(Provisioning, TargetThatIsNotEmptyIsRefusedWithCountsAndKept) {
  NEED_POSTGRES(15);
  NEED_POSTGRES(17);
  open(15, 17);
  run(green->control(), "CREATE TABLE public.precious (a int); CREATE VIEW public.v AS SELECT 1");
  RestoreSchema step(source(), target(), schema(false));
  const auto text = error_of([&] { step.check(minute()); });
  EXPECT_TRUE(text.starts_with("target.not-empty: ")) << text;
  EXPECT_NE(text.find("1 tables, 1 views"), std::string::npos) << text;
  EXPECT_EQ(error_of([&] { step.apply(minute()); }), text);
  step.undo(minute());
  EXPECT_EQ(value(green->control(), "SELECT count(*) FROM public.precious"), "0");
}

TEST_F(Provisioning, SchemaThatCannotBeRestoredSaysWhichStatement) {
  NEED_POSTGRES(15);
  NEED_POSTGRES(17);
  open(15, 17);
  run(blue->control(), "CREATE ROLE only_blue; CREATE TABLE public.t (a int); ALTER TABLE public.t OWNER TO only_blue");
  RestoreSchema step(source(), target(), schema(false));
  const auto text = error_of([&] { step.apply(minute()); });
  EXPECT_TRUE(text.starts_with("schema.restore: green: pg_restore failed")) << text;
  EXPECT_NE(text.find("OWNER TO only_blue"), std::string::npos) << text;
  EXPECT_EQ(value(green->control(), "SELECT to_regclass('public.t') IS NULL"), "t");
  run(blue->control(), "ALTER TABLE public.t OWNER TO verdigris; DROP ROLE only_blue");
  step.apply(minute());
  EXPECT_EQ(value(green->control(), "SELECT to_regclass('public.t') IS NULL"), "f");
}

TEST_F(Provisioning, TooOldDumpToolIsRefusedAndPresentSchemaServesInstead) {
  NEED_POSTGRES(17);
  NEED_POSTGRES(18);
  open(17, 18);
  run(blue->control(), "CREATE TABLE public.t (a int PRIMARY KEY, b numeric(5,2))");
  const SchemaTools tools{run_tool, {"/usr/lib/postgresql/15/bin"}};
  RestoreSchema dump(source(), target(), {.tools = tools});
  const auto text = error_of([&] { dump.check(minute()); });
  EXPECT_TRUE(text.starts_with("tool.pg-dump: pg_dump must be at least blue's major, 17: the newest at hand is 15."))
      << text;
  RestoreSchema present(source(), target(), schema(true));
  EXPECT_EQ(error_of([&] { present.check(minute()); }), "schema.missing: green lacks: public.t");
  run(green->control(), "CREATE TABLE public.t (a int PRIMARY KEY, b int)");
  EXPECT_EQ(error_of([&] { present.check(minute()); }),
            "schema.missing: green lacks: public.t.b numeric(5,2) (integer on green)");
  run(green->control(), "ALTER TABLE public.t ALTER b TYPE numeric(5,2)");
  EXPECT_TRUE(std::holds_alternative<Done>(present.check(minute())));
}

TEST_F(Provisioning, CopyIntoReferencedTablesOfAPresentSchemaStartsOverAfterAFailure) {
  NEED_POSTGRES(17);
  NEED_POSTGRES(18);
  open(17, 18);
  on_both(
      "CREATE TABLE public.a (id int PRIMARY KEY, v int); CREATE TABLE public.b (id int REFERENCES public.a) "
      "PARTITION BY RANGE (id); CREATE TABLE public.b1 PARTITION OF public.b DEFAULT");
  run(blue->control(),
      "INSERT INTO public.a SELECT i, -i FROM generate_series(1, 20000) AS i; "
      "INSERT INTO public.b SELECT i FROM generate_series(1, 20000) AS i");
  PublishSource(source(), kForward, TableSelection{}).apply(minute());
  run(green->control(), "ALTER TABLE public.a ADD CONSTRAINT early CHECK (v > -15000)");
  auto step = copy();
  const auto text = error_of([&] { step.apply(minute()); });
  EXPECT_NE(text.find("table public.a: green: new row"), std::string::npos) << text;
  EXPECT_NE(text.find("early"), std::string::npos) << text;
  EXPECT_TRUE(std::holds_alternative<Ready>(step.check(minute())));
  run(green->control(), "ALTER TABLE public.a DROP CONSTRAINT early");
  step.apply(minute());
  EXPECT_EQ(value(green->control(), "SELECT count(*) || ' ' || sum(v) FROM public.a"), "20000 -200010000");
  EXPECT_EQ(value(green->control(), "SELECT count(*) FROM public.b"), "20000");
  EXPECT_TRUE(std::holds_alternative<Done>(step.check(minute())));
  step.undo(minute());
  step.undo(minute());
  EXPECT_EQ(value(green->control(), "SELECT count(*) FROM public.a"), "0");
  EXPECT_FALSE(slot_state(blue->control(), kForward, soon()).exists);
}

TEST_F(Provisioning, RowsThatBreakANotValidCheckAreCopiedIntoAPresentSchema) {
  NEED_POSTGRES(17);
  open(15, 17);
  run(blue->control(), "CREATE TABLE public.t (id int PRIMARY KEY, v int); INSERT INTO public.t VALUES (1, -1)");
  run(green->control(), "CREATE TABLE public.t (id int PRIMARY KEY, v int)");
  on_both("ALTER TABLE public.t ADD CONSTRAINT positive CHECK (v > 0) NOT VALID");
  PublishSource(source(), kForward, TableSelection{}).apply(minute());
  auto step = copy();
  step.apply(minute());
  EXPECT_EQ(value(green->control(), "SELECT v FROM public.t"), "-1");
  EXPECT_EQ(value(green->control(), "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'positive'"),
            "CHECK ((v > 0)) NOT VALID")
      << "put back as it was";
  step.undo(minute());
}

TEST_F(Provisioning, RowsThatWereThereBeforeTheCopyAreNeverTruncated) {
  NEED_POSTGRES(17);
  NEED_POSTGRES(18);
  open(17, 18);
  on_both("CREATE TABLE public.a (id int PRIMARY KEY)");
  run(green->control(), "INSERT INTO public.a VALUES (1)");
  auto step = copy();
  EXPECT_TRUE(error_of([&] { step.apply(minute()); }).starts_with("target.not-empty")) << "refused before any change";
  step.undo(minute());
  EXPECT_EQ(value(green->control(), "SELECT count(*) FROM public.a"), "1");
}

TEST_F(Provisioning, MigrationIsRecordedWithItsChangeAndTakenBack) {
  NEED_POSTGRES(15);
  NEED_POSTGRES(17);
  open(15, 17);
  run(green->control(), "CREATE TABLE public.t (id int PRIMARY KEY)");
  const auto first = migration("0001_a", "ALTER TABLE t ADD added int NOT NULL DEFAULT 3; CREATE INDEX i ON t (added);",
                               "ALTER TABLE t DROP added;");
  const auto broken = migration("0002_b", "ALTER TABLE t ADD x int; ALTER TABLE t ADD x int;", "ALTER TABLE t DROP x;");
  MigrateTarget both(target(), {first, broken}, std::chrono::seconds(2));
  const auto text = error_of([&] { both.apply(minute()); });
  EXPECT_TRUE(text.starts_with("migration.failed: migration 0002_b: green: column \"x\"")) << text;
  EXPECT_EQ(value(green->control(), "SELECT string_agg(name, ',') FROM verdigris.migration"), "0001_a");
  EXPECT_EQ(
      value(green->control(), "SELECT count(*) FROM pg_attribute WHERE attrelid = 'public.t'::regclass AND attnum > 0"),
      "2");
  MigrateTarget one(target(), {first}, std::chrono::seconds(2));
  EXPECT_TRUE(std::holds_alternative<Done>(one.check(minute())));
  auto other = first;
  other.sha256 = "0";
  EXPECT_TRUE(error_of([&] {
                MigrateTarget(target(), {other}, std::chrono::seconds(2)).check(minute());
              }).starts_with("migration.changed"));
  EXPECT_TRUE(error_of([&] {
                MigrateTarget(target(), {}, std::chrono::seconds(2)).check(minute());
              }).starts_with("migration.order"));
  one.undo(minute());
  one.undo(minute());
  EXPECT_TRUE(std::holds_alternative<Ready>(one.check(minute())));
  EXPECT_EQ(value(green->control(), "SELECT to_regclass('public.i') IS NULL"), "t");
}

TEST_F(Provisioning, WayBackListsBluesColumnsWhereGreenHasMore) {
  NEED_POSTGRES(15);
  NEED_POSTGRES(17);
  open(15, 17);
  on_both(
      "CREATE TABLE public.t (id int PRIMARY KEY, v text, g int GENERATED ALWAYS AS (id + 1) STORED); "
      "CREATE TABLE public.same (id int PRIMARY KEY); CREATE TABLE public.p (id int PRIMARY KEY) PARTITION BY RANGE "
      "(id); "
      "CREATE TABLE public.p1 PARTITION OF public.p DEFAULT");
  run(green->control(),
      "ALTER TABLE public.t ADD added int DEFAULT 1; ALTER TABLE public.p ADD added int DEFAULT 1; "
      "CREATE TABLE public.only_green (id int PRIMARY KEY)");
  auto step = reverse();
  EXPECT_TRUE(std::holds_alternative<Ready>(step.check(minute())));
  step.apply(minute());
  EXPECT_TRUE(std::holds_alternative<Done>(step.check(minute())));
  step.apply(minute());
  EXPECT_EQ(value(green->control(),
                  "SELECT string_agg(prrelid::regclass || ':' || coalesce(prattrs::text, 'all'), ' ' "
                  "ORDER BY prrelid::regclass::text) FROM pg_publication_rel"),
            "public.p:all public.p1:1 public.same:all public.t:1 2 verdigris.marker:all");
  enable_subscription(blue->control(), kReverse, soon());
  run(green->control(),
      "INSERT INTO public.t (id, v) VALUES (1, 'x'); INSERT INTO public.p VALUES (5); "
      "UPDATE public.t SET v = 'y', added = 2");
  const auto end = minute();
  while (value(blue->control(), "SELECT string_agg(v || g, '') FROM public.t") != "y2" && !end.has_passed()) {}
  EXPECT_EQ(value(blue->control(), "SELECT count(*) FROM public.p"), "1");
  EXPECT_TRUE(error_of([&] { step.check(minute()); }).starts_with("reverse.enabled"));
  disable_subscription(blue->control(), kReverse, soon());
  step.undo(minute());
  step.undo(minute());
  EXPECT_TRUE(std::holds_alternative<Ready>(step.check(minute())));
  run(green->control(), "ALTER TABLE public.same REPLICA IDENTITY FULL; ALTER TABLE public.same ADD added int");
  EXPECT_TRUE(error_of([&] {
                step.check(minute());
                step.apply(minute());
              }).starts_with("reverse.identity"));
}

TEST_F(Provisioning, WayBackIsLaidAnewWhenATableIsMissingInIt) {
  NEED_POSTGRES(15);
  NEED_POSTGRES(17);
  open(15, 17);
  on_both("CREATE TABLE public.t (id int PRIMARY KEY)");
  auto step = reverse();
  step.apply(minute());
  on_both("CREATE TABLE public.later (id int PRIMARY KEY)");
  EXPECT_TRUE(std::holds_alternative<Ready>(step.check(minute())));
  step.apply(minute());
  EXPECT_TRUE(std::holds_alternative<Done>(step.check(minute())));
  EXPECT_EQ(subscription_state(blue->control(), kReverse, soon()).tables.size(), 3U);
  drop_subscription(blue->control(), kReverse, soon());
  EXPECT_TRUE(std::holds_alternative<Ready>(step.check(minute())));
  step.apply(minute());
  EXPECT_TRUE(std::holds_alternative<Done>(step.check(minute())));
}

}  // namespace
}  // namespace verdigris::test
