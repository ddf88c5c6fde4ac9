// A schema `verdigris` of somebody else on a real server: refused before anything in it is read, so that nobody's code
// runs with the controller's rights and nobody's journal is believed.
#include "replication/control_schema.hpp"

#include <gtest/gtest.h>

#include "tests/support/cluster.hpp"

namespace verdigris {
namespace {

using test::run;
using test::soon;
using test::value;

class ControlSchema : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    NEED_POSTGRES(GetParam());
    pair_ = &test::shared_pair(GetParam(), GetParam());
    blue_.emplace(test::admin(pair_->blue()));
    run(*blue_, "DO $$BEGIN CREATE ROLE mallory LOGIN; EXCEPTION WHEN duplicate_object THEN END$$");
    run(*blue_, "GRANT CREATE ON DATABASE shop TO mallory");
  }

  void install() { install_control_schema(*blue_, "shop", "blue", soon()); }
  std::string refusal(void (*act)(Connection&)) {
    try {
      act(*blue_);
      return "";
    } catch (const Refused& error) {
      EXPECT_EQ(error.id(), "schema.foreign");
      EXPECT_NE(error.hint(), "");
      return error.what();
    }
  }
  static void ask(Connection& on) { has_control_schema(on, soon()); }
  static void lay(Connection& on) { install_control_schema(on, "shop", "blue", soon()); }

  test::Pair* pair_ = nullptr;
  std::optional<Connection> blue_;
};

TEST_P(ControlSchema, IsOursOnceInstalledAndInstallingAgainIsNoChange) {
  EXPECT_FALSE(has_control_schema(*blue_, soon()));
  install();
  EXPECT_TRUE(has_control_schema(*blue_, soon()));
  install();
  EXPECT_TRUE(has_control_schema(*blue_, soon()));
}

// The journal is a view whose function would run as whoever reads it.
TEST_P(ControlSchema, OfAnotherRoleIsRefusedAndItsCodeDoesNotRun) {
  run(*blue_, R"(
    SET ROLE mallory;
    CREATE SCHEMA verdigris;
    CREATE FUNCTION verdigris.strike() RETURNS text LANGUAGE plpgsql AS $$
      BEGIN EXECUTE 'ALTER ROLE mallory SUPERUSER'; RETURN 'x'; END $$;
    CREATE VIEW verdigris.journal AS SELECT 'shop' AS deployment, 1 AS epoch, 1 AS seq, 'x' AS at, 'x' AS controller,
      verdigris.strike() AS event, '{}'::jsonb AS detail;
    CREATE TABLE verdigris.identity (deployment text PRIMARY KEY, side text, token text);
    CREATE TABLE verdigris.marker (); CREATE TABLE verdigris.saved ();
    RESET ROLE)");
  EXPECT_EQ(refusal(&ask), blue_->server() + ": the schema verdigris is not ours: it belongs to mallory");
  EXPECT_EQ(refusal(&lay), blue_->server() + ": the schema verdigris is not ours: it belongs to mallory");
  EXPECT_EQ(value(*blue_, "SELECT rolsuper FROM pg_roles WHERE rolname = 'mallory'"), "f");
}

TEST_P(ControlSchema, WithSomethingOfAnotherRoleInItIsRefused) {
  const std::vector<std::pair<std::string, std::string>> all = {
      {"GRANT CREATE ON SCHEMA verdigris TO mallory", "mallory may create objects in it"},
      {"GRANT CREATE ON SCHEMA verdigris TO PUBLIC", "PUBLIC may create objects in it"},
      {"GRANT CREATE ON SCHEMA verdigris TO mallory; ALTER TABLE verdigris.saved OWNER TO mallory;"
       "REVOKE CREATE ON SCHEMA verdigris FROM mallory", "saved belongs to mallory"},
      {"ALTER FUNCTION verdigris.open_access(text) OWNER TO mallory", "function open_access belongs to mallory"},
      {"GRANT INSERT ON verdigris.journal TO mallory", "mallory may insert journal"},
      {"DROP TABLE verdigris.saved", "saved is missing or not a table"},
  };
  for (const auto& [done, says] : all) {
    run(*blue_, "SET client_min_messages = warning; DROP SCHEMA IF EXISTS verdigris CASCADE");
    install();
    run(*blue_, done);
    EXPECT_EQ(refusal(&ask), blue_->server() + ": the schema verdigris is not ours: " + says) << done;
  }
}

// Somebody's tables that only have our names.
TEST_P(ControlSchema, OfAnotherProgramIsRefused) {
  run(*blue_, "CREATE SCHEMA verdigris; CREATE TABLE verdigris.pigments (name text)");
  EXPECT_EQ(refusal(&lay), blue_->server() + ": the schema verdigris is not ours: identity is missing or not a table");
}

INSTANTIATE_TEST_SUITE_P(Majors, ControlSchema, ::testing::Values(13, 15, 18));

}  // namespace
}  // namespace verdigris
