// Rows that were proven to differ are made what blue has, while writes flow: the same rows, also those that are written all
// the time, and apply goes on.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <thread>

#include "healthcheck/parity/repair.hpp"
#include "replication/marker.hpp"
#include "tests/support/following_pair.hpp"
#include "tests/support/mutant.hpp"
#include "tests/support/thorough.hpp"

namespace verdigris {
namespace {

using namespace std::chrono_literals;
using test::run;
using test::soon;
using test::value;

class ParityRepair : public test::FollowingPair {
 protected:
  void SetUp() override {
    FollowingPair::SetUp();
    if (IsSkipped()) return;
    on_both(R"(
      CREATE COLLATION any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
      CREATE TYPE mood AS ENUM ('sad', 'happy');
      CREATE TABLE kinds (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n numeric, t text, a text[], e mood, by bytea, f float8,
                          j jsonb, iv interval, c char(5), twice numeric GENERATED ALWAYS AS (n * 2) STORED, mail text UNIQUE);
      CREATE TABLE of_word (id text COLLATE any_case PRIMARY KEY, v int);
      CREATE TABLE of_two (a int8, "B b" timestamptz, v int, PRIMARY KEY ("B b", a));
      CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES kinds);
      CREATE TABLE hot (id int PRIMARY KEY, v int NOT NULL) WITH (fillfactor = 50);
      CREATE TABLE twins (v int); ALTER TABLE twins REPLICA IDENTITY FULL)");
    run(*green_, "ALTER TABLE of_two ADD only_green text DEFAULT 'kept'");
    follow();
    run(*blue_, R"(
      INSERT INTO kinds (n, t, a, e, by, f, j, iv, c, mail)
        SELECT g + 0.10, E'q"\\' || g || E'\n', ARRAY['', NULL, '{"'], 'sad', decode('00ff', 'hex'), 'NaN', '{"k": 1.0}', '24:00:00',
               'ab', 'mail' || g FROM generate_series(1, 200) g;
      INSERT INTO of_word VALUES ('word', 1), ('other', 2);
      INSERT INTO of_two SELECT g, '2024-02-29 12:00:00.000001+00'::timestamptz + g * interval '1 s', g FROM generate_series(1, 100) g;
      INSERT INTO child SELECT g, g FROM generate_series(1, 50) g;
      INSERT INTO hot SELECT g, 0 FROM generate_series(1, 20) g;
      INSERT INTO twins SELECT 1 FROM generate_series(1, 5))");
    caught_up();
  }

  void caught_up() {
    const auto id = write_marker(*blue_, "blue", "test", soon());
    wait_for_marker(*green_, Stream::forward("shop"), id, soon());
  }

  void spoil_green() {
    run(*green_, R"(SET session_replication_role = replica;
      UPDATE kinds SET n = -n, a = '{}', e = 'happy', f = 0, j = NULL, c = 'x' WHERE id BETWEEN 1 AND 40;
      DELETE FROM kinds WHERE id BETWEEN 41 AND 60;
      SELECT setval('kinds_id_seq', 5000); UPDATE kinds SET id = DEFAULT WHERE id = 61;
      INSERT INTO kinds (id, t, mail) OVERRIDING SYSTEM VALUE VALUES (9000, 'nobody sent it', 'mail41');
      UPDATE of_word SET id = 'WORD' WHERE id = 'word';
      UPDATE of_two SET v = -1, only_green = 'mine' WHERE a = 19; DELETE FROM of_two WHERE a = 20;
      DELETE FROM child WHERE id = 7;
      DELETE FROM hot WHERE id IN (7, 8); UPDATE hot SET v = -1 WHERE id = 9;
      RESET session_replication_role)");
  }

  struct Repaired {
    std::int64_t rows = 0, left = 0;
    std::vector<std::string> refused;
  };
  // What differs is looked for, and made equal.
  Repaired repair() {
    Repaired result;
    ParitySessions sessions(*source_, *target_, 1, soon());
    const auto report = compare_live(*source_, *target_, Stream::forward("shop"), sessions, {}, {}, soon());
    Repairer repairer(*source_, *target_, Stream::forward("shop"), sessions.agreement(), sessions.hashes(), soon());
    for (const auto& table : report.tables) {
      if (table.is_equal) continue;
      if (const auto why = repairer.obstacle(table, soon())) {
        result.refused.push_back(table.table.name().raw() + ": " + *why);
        continue;
      }
      const auto outcome = repairer.repair(table, soon());
      result.rows += outcome.repaired;
      result.left += static_cast<std::int64_t>(outcome.left.size());
    }
    return result;
  }
  bool is_equal() {
    return compare_live(*source_, *target_, Stream::forward("shop"), {}, {}, soon()).is_equal();
  }
  std::string images(const char* which) {
    return value(*green_, std::string("SELECT count(*) FROM verdigris.saved WHERE key LIKE 'repair:%' AND ") + which);
  }
};

TEST_P(ParityRepair, RowsAreWhatBlueHasUnderWritesAndApplyGoesOn) {
  spoil_green();
  std::atomic<bool> is_over = false;
  std::thread writer([&] {
    Connection on = test::admin(pair_->blue());
    run(on, "SET search_path = public; SET synchronous_commit = off");
    while (!is_over) {
      run(on, "UPDATE hot SET v = v + 1 WHERE id = 1 + (random() * 19)::int");
      std::this_thread::sleep_for(1ms);
    }
  });
  Repaired first;
  try {
    first = repair();
  } catch (const std::exception& error) {
    ADD_FAILURE() << error.what();
  }
  EXPECT_TRUE(is_equal()) << "while it is written on";
  is_over = true;
  writer.join();
  EXPECT_EQ(first.refused, std::vector<std::string>{});
  EXPECT_EQ(first.left, 0);
  EXPECT_GT(first.rows, 60);
  caught_up();
  EXPECT_TRUE(is_equal());
  EXPECT_EQ(value(*green_, "SELECT string_agg(only_green, ',' ORDER BY a) FROM of_two WHERE a IN (19, 20)"), "mine,kept");
  EXPECT_EQ(images("true"), std::to_string(first.rows));
  EXPECT_EQ(images("value ->> 'table' = 'public.kinds' AND value -> 'key' = '[\"9000\"]' AND value ->> 'before' LIKE '%nobody%' "
                   "AND value ->> 'after' IS NULL"), "1");
  EXPECT_EQ(value(*green_, "SELECT count(*) FROM pg_replication_origin WHERE roname LIKE 'verdigris%repair'"), "0");
}

TEST_P(ParityRepair, WhatCannotBeRepairedIsRefusedAndLeftAsItIs) {
  run(*green_, R"(
      CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
      CREATE TRIGGER loud BEFORE UPDATE ON hot FOR EACH ROW EXECUTE FUNCTION nothing();
      ALTER TABLE hot ENABLE ALWAYS TRIGGER loud;
      UPDATE hot SET v = 7 WHERE id = 1;
      INSERT INTO twins VALUES (2);
      SET session_replication_role = replica; UPDATE kinds SET t = 'all of them'; RESET session_replication_role;
      UPDATE child SET parent = 2 WHERE id = 1)");
  Connection holder = test::admin(pair_->blue());
  run(holder, "BEGIN; SELECT FROM public.child WHERE id = 1 FOR UPDATE");
  const auto result = repair();
  run(holder, "ROLLBACK");
  ASSERT_EQ(result.refused.size(), 4U);
  EXPECT_NE(result.refused[0].find("undecided"), std::string::npos) << result.refused[0];
  EXPECT_NE(result.refused[1].find("trigger loud"), std::string::npos) << result.refused[1];
  EXPECT_NE(result.refused[2].find("more than 100 rows"), std::string::npos) << result.refused[2];
  EXPECT_NE(result.refused[3].find("no key"), std::string::npos) << result.refused[3];
  EXPECT_EQ(result.rows, 0);
  EXPECT_EQ(images("true"), "0");
  EXPECT_EQ(value(*green_, "SELECT v FROM hot WHERE id = 1"), "7");
}

// The repair is held up behind its look at the row on blue, and somebody writes to it then: whether he could, and
// whether both sides are equal in the end.
TEST_P(ParityRepair, ARowCannotChangeBetweenTheLookAndTheWrite) {
  const auto write_meanwhile = [&] {
    run(*green_, "SET session_replication_role = replica; UPDATE hot SET v = -1 WHERE id = 9; RESET session_replication_role");
    ParitySessions sessions(*source_, *target_, 1, soon());
    const auto report = compare_live(*source_, *target_, Stream::forward("shop"), sessions, {}, {}, soon());
    const auto hot = std::ranges::find(report.tables, QualifiedName("public", "hot"), &TableVerdict::table);
    Repairer repairer(*source_, *target_, Stream::forward("shop"), sessions.agreement(), sessions.hashes(), soon());
    Connection gate = test::admin(pair_->blue());
    run(gate, "BEGIN; LOCK TABLE verdigris.marker IN SHARE MODE");
    auto repair = std::async(std::launch::async, [&] { return repairer.repair(*hot, soon()); });
    while (value(*blue_, "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE '%repair marker' AND wait_event_type = 'Lock'") == "0")
      std::this_thread::sleep_for(5ms);
    bool has_written = true;
    try {
      run(*blue_, "SET lock_timeout = '200ms'; UPDATE hot SET v = 4711 WHERE id = 9");
    } catch (const ServerError&) {
      has_written = false;
    }
    run(gate, "ROLLBACK");
    repair.get();
    caught_up();
    return std::pair(has_written, is_equal());
  };
  EXPECT_EQ(write_meanwhile(), std::pair(false, true));
  const test::Mutant mutant("repair_unlocked_rows");
  EXPECT_EQ(write_meanwhile(), std::pair(true, false)) << "the mutant writes an older row over what came by the stream";
}

std::vector<std::pair<int, int>> majors_of_repair() {
  if (test::is_thorough()) return {{15, 17}, {13, 18}};
  return {{15, 17}};
}
INSTANTIATE_TEST_SUITE_P(Majors, ParityRepair, ::testing::ValuesIn(majors_of_repair()), test::majors_name);

}  // namespace
}  // namespace verdigris
