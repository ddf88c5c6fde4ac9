// What the target must have before clients come, on real servers: columns, tables, schema, logins. Asked at the head of
// each crossing in the direction of that crossing.
#include <gtest/gtest.h>

#include <algorithm>

#include "healthcheck/questions.hpp"
#include "replication/access.hpp"
#include "replication/control_schema.hpp"
#include "replication/definitions.hpp"
#include "replication/left_out.hpp"
#include "replication/logins.hpp"
#include "replication/schema.hpp"
#include "replication/stream.hpp"
#include "tests/support/cluster.hpp"

namespace verdigris {
namespace {

using test::run;
using test::soon;

class Carried : public ::testing::Test {
 protected:
  void SetUp() override {
    NEED_POSTGRES(15);
    NEED_POSTGRES(17);
    pair_ = &test::shared_pair(15, 17);
    blue_.emplace(test::side(pair_->blue(), "blue"));
    green_.emplace(test::side(pair_->green(), "green"));
  }

  static void apply(const PostgresServer& server, const std::string& sql) {
    Connection on = test::admin(server);
    run(on, "SET search_path = public; SET client_min_messages = warning");
    run(on, sql);
  }
  CheckContext context() { return {*blue_, *green_, settings_, true, soon()}; }

  test::Pair* pair_ = nullptr;
  std::optional<Server> blue_, green_;
  CheckSettings settings_{.deployment = "shop"};
};

const Finding* find(const Findings& findings, const std::string& id, Level level) {
  const auto found = std::ranges::find_if(findings, [&](const Finding& one) { return one.id == id && one.level == level; });
  return found == findings.end() ? nullptr : &*found;
}

TEST_F(Carried, CarriedSchemaNamesWhatTheTargetLacksButNotWhatWasLeftOutOnPurpose) {
  for (Server* server : {&*blue_, &*green_}) install_control_schema(server->control(), "shop", server->color(), soon());
  apply(pair_->blue(), "CREATE TABLE t (id int PRIMARY KEY, late text DEFAULT 'x', v int); CREATE TABLE left_out (a int)");
  apply(pair_->green(), "CREATE TABLE t (id int PRIMARY KEY, grade int, v json)");
  settings_.tables.exclude = {"public.left_out"};
  const auto there = questions::carried_schema({*blue_, *green_, settings_, true, soon(), true});
  EXPECT_EQ(find(there, "data.columns", Level::fail)->text, "green: columns of blue are missing and would be lost: public.t.late");
  EXPECT_EQ(find(there, "parity.uncovered", Level::fail)->text, "columns cannot be compared: public.t.v (integer and json)");
  EXPECT_EQ(there.size(), 2U) << "a column that only green has is a migration's";
  record_left_out(green_->control(), "shop", Stream::reverse("shop"), {"public.t.grade"}, soon());
  apply(pair_->green(), "ALTER TABLE t ADD born_later int");
  const auto back = questions::carried_schema({*green_, *blue_, settings_, true, soon(), true});
  EXPECT_EQ(find(back, "data.columns", Level::fail)->text,
            "blue: columns of green are missing and would be lost: public.t.born_later");
  EXPECT_EQ(find(back, "data.columns", Level::fail)->hint.find("prepare"), std::string::npos);
}

TEST_F(Carried, SchemaDriftNamesWhatBlueGotSinceGreenWasMade) {
  const std::string both =
      "CREATE TYPE mood AS ENUM ('sad'); CREATE TABLE t (id int PRIMARY KEY, n int, v varchar(5), m mood);"
      "CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT a'";
  apply(pair_->blue(), both);
  apply(pair_->green(), both + "; ALTER TABLE t ALTER n TYPE bigint; CREATE INDEX more ON t (n); CREATE VIEW w AS SELECT 1 AS a");
  const auto ask_drift = [&] { return questions::schema_drift({*blue_, *green_, settings_, true, soon(), true}); };
  EXPECT_EQ(ask_drift().at(0).level, Level::pass) << ask_drift().at(0).text;
  apply(pair_->blue(),
        "ALTER TYPE mood ADD VALUE 'glad'; ALTER TABLE t ALTER v TYPE varchar(6), ALTER n SET NOT NULL, ALTER n SET DEFAULT 1;"
        "CREATE INDEX late ON t (n); ALTER TABLE t ADD CONSTRAINT positive CHECK (n > 0);"
        "CREATE OR REPLACE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT a + 1'; CREATE VIEW v AS SELECT 1 AS a");
  const auto missing = [&] {
    auto names = missing_definitions(blue_->control(), green_->control(), {}, soon());
    for (auto& name : missing_post_data(blue_->control(), green_->control(), {}, soon())) names.push_back(name);
    return names;
  }();
  EXPECT_EQ(missing, (std::vector<std::string>{
                         "function public.f(int4)", "label 'glad' of type public.mood", "view public.v",
                         "NOT NULL of public.t.n", "default of public.t.n",
                         "public.t.v character varying(6) (character varying(5) on green)", "public.late", "public.t.positive"}));
  EXPECT_EQ(ask_drift().at(0).level, Level::fail);
  EXPECT_EQ(questions::schema_drift({*green_, *blue_, settings_, true, soon(), true}).at(0).level, Level::note);
}

TEST_F(Carried, LoginsOfTheSourceMustBeOnTheTargetWithTheirPasswords) {
  for (const auto* server : {&pair_->blue(), &pair_->green()})
    apply(*server, "DROP ROLE IF EXISTS one; DROP ROLE IF EXISTS two; DROP ROLE IF EXISTS three");
  apply(pair_->blue(), "CREATE ROLE one LOGIN PASSWORD 'a'; CREATE ROLE two LOGIN; CREATE ROLE three");
  apply(pair_->green(), "CREATE ROLE one LOGIN PASSWORD 'b'; CREATE ROLE three");
  settings_.our_roles = {"verdigris", "verdigris_repl"};
  const auto findings = questions::logins({*blue_, *green_, settings_, true, soon(), true});
  const Finding* found = find(findings, "roles.login", Level::fail);
  ASSERT_NE(found, nullptr);
  EXPECT_NE(found->text.find("one has another password"), std::string::npos) << found->text;
  EXPECT_NE(found->text.find("two is missing"), std::string::npos) << found->text;
  EXPECT_EQ(found->text.find("three"), std::string::npos) << "nobody logs in as a group";
  EXPECT_EQ(found->text.find("verdigris"), std::string::npos) << found->text;
  EXPECT_EQ(questions::logins(context()).at(0).level, Level::note) << "prepare has not carried them over yet";
  for (const auto* server : {&pair_->blue(), &pair_->green()})
    apply(*server, "DROP ROLE IF EXISTS one; DROP ROLE IF EXISTS two; DROP ROLE IF EXISTS three");
}

// Closed by our fence, green has no CONNECT for anybody; what counts is what opening will put back.
TEST_F(Carried, LoginsLookBehindTheConnectionFence) {
  for (Server* server : {&*blue_, &*green_}) install_control_schema(server->control(), "shop", server->color(), soon());
  for (const auto* server : {&pair_->blue(), &pair_->green()})
    apply(*server, "DROP ROLE IF EXISTS one; CREATE ROLE one LOGIN");
  const auto shut_out = [&] {
    const auto names = logins_shut_out(blue_->control(), green_->control(), "shop", {"verdigris", "verdigris_repl"}, soon());
    return std::ranges::count_if(names, [](const std::string& name) { return name.starts_with("one "); });
  };
  const auto close = [&] {
    Transaction transaction(green_->control(), soon());
    close_access(transaction, "shop", {"verdigris", "verdigris_repl"});
    transaction.commit();
  };
  close();
  EXPECT_EQ(shut_out(), 0) << "PUBLIC will have CONNECT again";
  {
    Transaction transaction(green_->control(), soon());
    open_access(transaction, "shop");
    transaction.commit();
  }
  apply(pair_->green(), "REVOKE CONNECT ON DATABASE shop FROM PUBLIC");
  EXPECT_EQ(shut_out(), 1);
  close();
  EXPECT_EQ(shut_out(), 1);
  for (const auto* server : {&pair_->blue(), &pair_->green()}) apply(*server, "DROP ROLE one");
}

}  // namespace
}  // namespace verdigris
