// The fence on real servers: what it stops, what passes it, and that opening waits for nobody (faults P22-P29).
#include "replication/fence.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "replication/access.hpp"
#include "replication/control_schema.hpp"
#include "replication/rehearsal.hpp"
#include "replication/test_switches.hpp"
#include "tests/support/cluster.hpp"
#include "tests/support/mutant.hpp"

namespace verdigris {
namespace {

using namespace std::chrono_literals;
using test::run;
using test::soon;
using test::value;

// A database with a partition tree three deep, fenced open.
class Fence : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    NEED_POSTGRES(GetParam());
    pair_ = &test::shared_pair(GetParam(), GetParam());
    on_.emplace(test::admin(pair_->blue()));
    run(*on_, R"(
      CREATE TABLE public.plain (id int PRIMARY KEY, v int);
      CREATE TABLE public.tree (id int, k int) PARTITION BY RANGE (id);
      CREATE TABLE public.middle PARTITION OF public.tree FOR VALUES FROM (0) TO (10) PARTITION BY LIST (k);
      CREATE TABLE public.leaf PARTITION OF public.middle FOR VALUES IN (1);
      CREATE UNLOGGED TABLE public.unpublished (v int);
      INSERT INTO public.plain VALUES (1, 1))");
    install_control_schema(*on_, "shop", "blue", soon());
    {
      Transaction transaction(*on_, soon());
      set_fence(transaction, FenceState::open);
      transaction.commit();
    }
    install_fence_triggers(*on_, FenceBy::table, 200ms, soon());
  }
  std::string refusal_of(Connection& session, const std::string& sql) {
    try {
      run(session, sql);
    } catch (const ServerError& error) {
      return error.sqlstate();
    }
    return "";
  }
  test::Pair* pair_ = nullptr;
  std::optional<Connection> on_;
};

TEST_P(Fence, CoversEveryMemberOfAPartitionTreeAndUnpublishedTables) {
  EXPECT_TRUE(tables_without_fence(*on_, soon()).empty());
  run(*on_, "CREATE TABLE public.later (v int)");
  ASSERT_EQ(tables_without_fence(*on_, soon()).size(), 1U);
  run(*on_, "ALTER TABLE public.plain DISABLE TRIGGER USER");
  EXPECT_EQ(tables_without_fence(*on_, soon()).size(), 2U) << "an owner's DISABLE TRIGGER is seen";
}

TEST_P(Fence, OpenLetsWritesThroughAndClosedStopsEveryKindOfWriteInRunningSessions) {
  auto writer = test::admin(pair_->blue());  // a superuser
  const char* writes[] = {"INSERT INTO public.plain VALUES (2, 2)",
                          "UPDATE public.plain SET v = 3 WHERE false",
                          "DELETE FROM public.plain WHERE false",
                          "INSERT INTO public.tree VALUES (1, 1)",
                          "INSERT INTO public.middle VALUES (1, 1)",
                          "INSERT INTO public.leaf VALUES (1, 1)",
                          "INSERT INTO public.unpublished VALUES (1)",
                          "COPY public.plain FROM PROGRAM 'true'",
                          "TRUNCATE public.leaf"};
  for (const char* write : writes) EXPECT_EQ(refusal_of(writer, write), "") << write;
  EXPECT_EQ(close_fence(*on_, 500ms, soon()).tables, 5);
  EXPECT_EQ(fence_state(*on_, soon()), FenceState::closed);
  for (const char* write : writes) EXPECT_EQ(refusal_of(writer, write), "25006") << write;
  run(writer, "SET session_replication_role = replica");
  EXPECT_EQ(refusal_of(writer, "UPDATE public.plain SET v = 9"), "") << "apply passes; so does a superuser who asks for it";
}

TEST_P(Fence, ClosingWaitsForAWriterAndGivesUpWithoutATrace) {
  auto writer = test::admin(pair_->blue());
  run(writer, "BEGIN; UPDATE public.plain SET v = 2");
  EXPECT_THROW(close_fence(*on_, 50ms, soon()), ServerError);
  EXPECT_EQ(fence_state(*on_, soon()), FenceState::open);
  run(writer, "COMMIT");
  EXPECT_EQ(close_fence(*on_, 500ms, soon()).tables, 5);
}

// Mutants of the fence (faults M1, M20, M22): what would be let in.
TEST_P(Fence, MissingOnAKindOfTableItIsOpenThere) {
  const std::pair<const char*, const char*> kinds[] = {
      {"fence_on_roots_alone", "INSERT INTO public.leaf VALUES (1, 1)"},
      {"fence_on_leaves_alone", "INSERT INTO public.tree VALUES (1, 1)"},
      {"fence_not_on_middle_levels", "INSERT INTO public.middle VALUES (1, 1)"},
      {"fence_not_on_unpublished", "INSERT INTO public.unpublished VALUES (1)"}};
  auto writer = test::admin(pair_->blue());
  for (const auto& [name, write] : kinds) {
    remove_fence_triggers(*on_, 200ms, soon());
    {
      const test::Mutant mutant(name);
      install_fence_triggers(*on_, FenceBy::table, 200ms, soon());
      EXPECT_TRUE(close_fence(*on_, 500ms, soon()).without_trigger.empty()) << "nobody would notice";
    }
    EXPECT_EQ(refusal_of(writer, write), "") << "survived: " << name;
    install_fence_triggers(*on_, FenceBy::table, 200ms, soon());
    EXPECT_EQ(refusal_of(writer, write), "25006") << name;
  }
}

TEST_P(Fence, OutlivesItsControllerUnlessItIsItsLock) {
  for (const std::string name : {"fence_by_session_lock", ""}) {
    {
      const test::Mutant mutant(name);
      auto controller = test::admin(pair_->blue());
      close_fence(controller, 500ms, soon());
      auto writer = test::admin(pair_->blue());
      run(writer, "SET lock_timeout = 100");
      EXPECT_NE(refusal_of(writer, "UPDATE public.plain SET v = 4"), "") << "it holds as long as the controller does";
    }
    auto writer = test::admin(pair_->blue());
    run(writer, "SET lock_timeout = '10s'");  // of a session that is about to end
    EXPECT_EQ(refusal_of(writer, "UPDATE public.plain SET v = 4"), name.empty() ? "25006" : "") << "survived: " << name;
  }
}

TEST_P(Fence, ClosedWithoutTheLockItLeavesAWriterInFlight) {
  auto writer = test::admin(pair_->blue());
  run(writer, "BEGIN; UPDATE public.plain SET v = 2");
  const test::Mutant mutant("fence_without_lock");
  close_fence(*on_, 50ms, soon());
  EXPECT_EQ(fence_state(*on_, soon()), FenceState::closed);
  EXPECT_EQ(refusal_of(writer, "COMMIT"), "") << "survived: acknowledged behind the fence";
}

TEST_P(Fence, OpeningByWayOfTableLocksWaitsForWhoeverHoldsOne) {
  close_fence(*on_, 500ms, soon());
  auto holder = test::admin(pair_->blue());
  run(holder, "BEGIN; LOCK TABLE public.plain, public.leaf IN ACCESS EXCLUSIVE MODE");
  run(*on_, "SET lock_timeout = 100");
  {
    const test::Mutant mutant("opening_locks_tables");
    Transaction transaction(*on_, Deadline::after(5s));
    EXPECT_THROW(set_fence(transaction, FenceState::open), ServerError) << "survived";
  }
  EXPECT_EQ(fence_state(*on_, soon()), FenceState::closed);
}

TEST_P(Fence, PreparedPlanAndOldSnapshotAreRefusedAfterwards) {
  auto writer = test::admin(pair_->blue());
  run(writer, "PREPARE p AS UPDATE public.plain SET v = v + 1");
  run(writer, "EXECUTE p");
  auto old = test::admin(pair_->blue());
  run(old, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_catalog.pg_class");
  close_fence(*on_, 500ms, soon());
  EXPECT_EQ(refusal_of(writer, "EXECUTE p"), "25006");
  EXPECT_EQ(refusal_of(old, "UPDATE public.plain SET v = 7"), "25006");
}

TEST_P(Fence, OpeningTakesNoTableLock) {
  close_fence(*on_, 500ms, soon());
  auto holder = test::admin(pair_->blue());
  run(holder, "BEGIN; LOCK TABLE public.plain, public.leaf IN ACCESS EXCLUSIVE MODE");
  run(*on_, "SET lock_timeout = 100");
  Transaction transaction(*on_, Deadline::after(5s));
  set_fence(transaction, FenceState::open);
  transaction.commit();
  EXPECT_EQ(fence_state(*on_, soon()), FenceState::open);
}

TEST_P(Fence, FollowingLetsOnlyTheControllersRoleWrite) {
  Transaction transaction(*on_, soon());
  set_fence(transaction, FenceState::following);
  transaction.commit();
  EXPECT_EQ(fence_state(*on_, soon()), FenceState::following);
  EXPECT_EQ(refusal_of(*on_, "UPDATE public.plain SET v = 5"), "");
  auto other = Connection::open(pair_->blue().conninfo("postgres", "shop"), {"blue", "test", false, {}}, soon());
  EXPECT_EQ(refusal_of(other, "UPDATE public.plain SET v = 6"), "25006");
}

TEST_P(Fence, ForeignBodyIsUnknown) {
  run(*on_, "CREATE OR REPLACE FUNCTION verdigris.fence() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'");
  EXPECT_EQ(fence_state(*on_, soon()), FenceState::unknown);
}

TEST_P(Fence, TriggersAreRemovedAgain) {
  remove_fence_triggers(*on_, 200ms, soon());
  EXPECT_EQ(tables_without_fence(*on_, soon()).size(), 5U);
  EXPECT_EQ(refusal_of(*on_, "UPDATE public.plain SET v = 5"), "");
}

// Grants as they are, for comparison: grantor, grantee, privilege, in order.
std::string grants(Connection& on) {
  return value(on, R"(
    SELECT string_agg(a.grantor || '>' || a.grantee || ':' || a.privilege_type || a.is_grantable, ' ' ORDER BY 1)
           || ' limit ' || min(d.datconnlimit)
    FROM pg_database d, LATERAL (SELECT x.grantor::text, x.grantee::text, x.privilege_type, x.is_grantable::text
      FROM aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) x
      ORDER BY 1, 2, 3) a WHERE d.datname = current_database())");
}

TEST_P(Fence, ConnectionFenceShutsOutAndRestoresGrantsGrantorByGrantor) {
  run(*on_, R"(
    DO $$ BEGIN CREATE ROLE granter; CREATE ROLE plain_login LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
    GRANT CONNECT ON DATABASE shop TO granter WITH GRANT OPTION;
    SET ROLE granter; GRANT CONNECT ON DATABASE shop TO plain_login; RESET ROLE;
    ALTER DATABASE shop CONNECTION LIMIT 77)");
  const auto before = grants(*on_);
  for (int round = 0; round < 2; ++round) {  // twice: the saved values are not those of our own change
    Transaction transaction(*on_, soon());
    close_access(transaction, "shop", {"verdigris", "verdigris_repl"});
    transaction.commit();
  }
  EXPECT_TRUE(is_access_closed(*on_, "shop", soon()));
  EXPECT_EQ(value(*on_, "SELECT has_database_privilege('plain_login', 'shop', 'CONNECT')"), "f");
  EXPECT_EQ(value(*on_, "SELECT has_database_privilege('verdigris_repl', 'shop', 'CONNECT')"), "t");
  Transaction transaction(*on_, soon());
  open_access(transaction, "shop");
  transaction.commit();
  EXPECT_FALSE(is_access_closed(*on_, "shop", soon()));
  EXPECT_EQ(grants(*on_), before);

  close_access(*on_, "shop", {"verdigris", "verdigris_repl"}, soon());
  const test::Mutant mutant("access_opened_to_defaults");
  Transaction to_defaults(*on_, soon());
  open_access(to_defaults, "shop");
  to_defaults.commit();
  EXPECT_NE(grants(*on_), before) << "survived";
}

// By membership in a role that is kept, or granted behind the fence: has_database_privilege is read back.
TEST_P(Fence, WhomTheConnectionFenceLetsInIsNamed) {
  run(*on_, R"(
    DO $$ BEGIN CREATE ROLE plain_login LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
    DO $$ BEGIN CREATE ROLE helper LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
    ALTER DATABASE shop OWNER TO plain_login;
    GRANT verdigris_repl TO helper)");
  const std::vector<std::string> keep{"verdigris", "verdigris_repl"};
  EXPECT_EQ(rehearse_closing(*on_, "shop", keep, soon()), std::vector<std::string>{"helper"});
  EXPECT_EQ(value(*on_, "SELECT has_database_privilege('plain_login', 'shop', 'CONNECT')"), "t") << "it was rolled back";
  run(*on_, "REVOKE verdigris_repl FROM helper");
  EXPECT_EQ(rehearse_closing(*on_, "shop", keep, soon()), std::vector<std::string>{});
  close_access(*on_, "shop", keep, soon());
  EXPECT_EQ(roles_let_in(*on_, keep, soon()), std::vector<std::string>{}) << "nor its owner";
  run(*on_, "GRANT CONNECT ON DATABASE shop TO plain_login");
  EXPECT_EQ(roles_let_in(*on_, keep, soon()), std::vector<std::string>{"plain_login"});
  run(*on_, "ALTER DATABASE shop OWNER TO verdigris");
}

// Serving and following side alike: not one write or login meets what is said and taken back.
TEST_P(Fence, WhatIsRehearsedIsMetByNobodyAndLeavesNothing) {
  for (const bool is_closed : {false, true}) {
    SCOPED_TRACE(is_closed ? "closed" : "open");
    if (is_closed) {
      close_access(*on_, "shop", {"verdigris_repl"}, soon());
      close_fence(*on_, 500ms, soon());
    }
    const auto everything = [&] {
      return grants(*on_) + value(*on_, "SELECT coalesce(string_agg(key || value::text, ';' ORDER BY key), '') FROM verdigris.saved") +
             value(*on_, "SELECT string_agg(prosrc, ';' ORDER BY oid) FROM pg_proc WHERE pronamespace = 'verdigris'::regnamespace");
    };
    const auto before = everything();
    std::atomic<bool> is_over = false;
    std::atomic<int> writes = 0, refusals = 0;
    std::thread client([&] {
      while (!is_over || writes + refusals < 50) {
        auto session = test::admin(pair_->blue());
        ++(refusal_of(session, "INSERT INTO public.unpublished VALUES (2)").empty() ? writes : refusals);
      }
    });
    for (int round = 0; round < 30; ++round) {
      rehearse_closing(*on_, "shop", {"verdigris_repl"}, soon());
      rehearse_opening(*on_, "shop", soon());
    }
    is_over = true;
    client.join();
    EXPECT_EQ((is_closed ? writes : refusals).load(), 0);
    EXPECT_EQ(everything(), before);
  }
}

TEST_P(Fence, ForeignSessionsAreListedAndOursAreNot) {
  auto ours = test::side(pair_->blue(), "blue");
  EXPECT_TRUE(foreign_sessions(ours.control(), "shop", soon()).size() >= 1U) << "the test's own session is foreign";
  auto stray = Connection::open(pair_->blue().conninfo("postgres", "shop"), {"blue", "psql", false, {}}, soon());
  bool is_named = false;
  for (const auto& session : foreign_sessions(ours.control(), "shop", soon()))
    is_named |= session.pid == stray.backend_pid() && session.describe().find("psql") != std::string::npos;
  EXPECT_TRUE(is_named);
  auto second = ours.open("copy", soon());
  for (const auto& session : foreign_sessions(ours.control(), "shop", soon())) EXPECT_NE(session.pid, second.backend_pid());
}

INSTANTIATE_TEST_SUITE_P(Majors, Fence, ::testing::Values(13, 15, 18), [](const auto& major) {
  return "On" + std::to_string(major.param);
});

}  // namespace
}  // namespace verdigris
