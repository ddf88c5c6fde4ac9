// Differences by their key, while writes flow: each real one is named, with its columns, and nothing else is (parity.md 11).
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <map>
#include <set>
#include <thread>

#include "healthcheck/parity/parity.hpp"
#include "replication/marker.hpp"
#include "tests/support/following_pair.hpp"
#include "tests/support/mutant.hpp"
#include "tests/support/thorough.hpp"

namespace verdigris {
namespace {

using namespace std::chrono_literals;
using test::run;
using test::soon;

// One row each of a table with a column for each kind of value: column, value on blue, value on green.
struct ValueCase {
  int id;
  const char *column, *blue, *green;
};

constexpr ValueCase kValues[] = {
    {1, "i", "4", "5"},
    {2, "b", "1", "4294967296"},
    {3, "n", "1.0", "1.00"},
    {4, "n", "1.0", "10000"},
    {5, "n", "12.5", "-12.5"},
    {6, "n", "'NaN'", "0"},
    {7, "f", "'-0'", "0"},
    {8, "t", "NULL", "''"},
    {9, "t", "'a'", "'a '"},
    {10, "t", "U&'\\00e9'", "U&'e\\0301'"},
    {11, "j", "'1'", "'1.0'"},
    {12, "js", "'{\"a\":1}'", "'{\"a\": 1}'"},
    {13, "a", "'{}'", "NULL"},
    {14, "a", "'{1,NULL}'", "'{1}'"},
    {15, "iv", "'24:00:00'", "'1 day'"},
    {16, "ts", "'2024-02-29 12:00:00'", "'2024-02-29 12:00:00.000001'"},
    {17, "e", "'sad'", "'happy'"},
    {18, "by", "convert_to(repeat('x', 999999) || 'a', 'UTF8')", "convert_to(repeat('x', 999999) || 'b', 'UTF8')"},
};

// Keys of text that quoting could break, beside plain ones.
constexpr const char* kOddKeys[] = {"''", "'{a,b}'", "'q\"uote'", "'back\\slash'", "E'new\\nline'", "'NULL'", "' '", "'\u00e9'"};

std::string joined(const RowKey& key) {
  std::string text;
  for (const auto& part : key) text += (text.empty() ? "" : "|") + part;
  return text;
}

// "public.v 3 changed n"
std::set<std::string> told(const ParityReport& report) {
  std::set<std::string> out;
  for (const auto& table : report.tables) {
    for (const auto& row : table.rows) {
      std::string text = table.table.name().raw() + " " + (row.key.empty() ? std::to_string(row.count) : joined(row.key)) +
                         (row.kind == RowDifference::Kind::changed ? " changed"
                          : row.kind == RowDifference::Kind::missing ? " missing" : " extra");
      for (const auto& column : row.columns) text += " " + column;
      out.insert(text);
    }
    for (const auto& key : table.undecided) out.insert(table.table.name().raw() + " " + joined(key) + " undecided");
    if (!table.is_equal && table.rows.empty() && table.undecided.empty()) out.insert(table.table.name().raw() + " unexplained");
  }
  return out;
}

class ParityKeys : public test::FollowingPair {
 protected:
  void SetUp() override {
    FollowingPair::SetUp();
    if (IsSkipped()) return;
    on_both(R"(
      CREATE TYPE mood AS ENUM ('sad', 'happy');
      CREATE COLLATION any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
      CREATE TABLE v (id int PRIMARY KEY, i int, b int8, n numeric, f float8, t text, j jsonb, js json, a int[],
                      iv interval, ts timestamp, e mood, by bytea);
      CREATE TABLE of_uuid (id uuid PRIMARY KEY, v int);
      CREATE TABLE of_bytea (id bytea PRIMARY KEY, v int);
      CREATE TABLE of_text (id text COLLATE "C" PRIMARY KEY, v int);
      CREATE TABLE of_word (id text COLLATE any_case PRIMARY KEY, v int);
      CREATE TABLE of_two (a int8, b timestamptz, v int, PRIMARY KEY (b, a));
      CREATE TABLE large (id int8 PRIMARY KEY, v text NOT NULL);
      CREATE TABLE twins (v int, w text); ALTER TABLE twins REPLICA IDENTITY FULL;
      CREATE TABLE hot (id int PRIMARY KEY, v int NOT NULL) WITH (fillfactor = 50);
      CREATE TABLE queue (id bigserial PRIMARY KEY, v text);
      CREATE TABLE reborn (id int PRIMARY KEY, v int);
      CREATE TABLE emptied (id int PRIMARY KEY, v int))");
    std::string wide = "CREATE TABLE wide (id int PRIMARY KEY";
    for (int i = 1; i < 1000; ++i) wide += ", c" + std::to_string(i) + " int";
    on_both(wide + ")");
    follow();
  }

  void fill() {
    std::string values;
    for (const auto& one : kValues)
      values += std::string("INSERT INTO v (id, ") + one.column + ") VALUES (" + std::to_string(one.id) + ", " + one.blue + ");";
    for (const auto* key : kOddKeys) values += std::string("INSERT INTO of_text VALUES (") + key + ", 1);";
    run(*blue_, values + R"(
      INSERT INTO v (id, t) VALUES (101, 'left'), (102, 'right'), (103, 'to be lost');
      INSERT INTO of_uuid SELECT md5(g::text)::uuid, g FROM generate_series(1, 100) g;
      INSERT INTO of_bytea SELECT decode(md5(g::text), 'hex'), g FROM generate_series(1, 100) g;
      INSERT INTO of_word VALUES ('word', 1), ('other', 2);
      INSERT INTO of_two SELECT g, '2024-02-29 12:00:00.000001+00'::timestamptz + g * interval '1 s', g FROM generate_series(1, 100) g;
      INSERT INTO large SELECT g, md5(g::text) FROM generate_series(1, 60000) g;
      INSERT INTO twins SELECT g % 5, 'w' || g % 3 FROM generate_series(1, 90) g;
      INSERT INTO hot SELECT g, 0 FROM generate_series(1, 20) g;
      INSERT INTO reborn SELECT g, g FROM generate_series(1, 50) g;
      INSERT INTO emptied SELECT g, g FROM generate_series(1, 5000) g;
      INSERT INTO wide (id, c1, c500) SELECT g, g, g FROM generate_series(1, 20) g)");
    caught_up();
  }

  // All that blue has committed is there.
  void caught_up() {
    const auto id = write_marker(*blue_, "blue", "test", soon());
    wait_for_marker(*green_, Stream::forward("shop"), id, soon());
  }

  // Rows that are updated some 500 times a second, come and go, go and come again, and a table emptied and filled.
  void write_until(const std::atomic<bool>& is_over) {
    Connection writer = test::admin(pair_->blue());
    run(writer, "SET search_path = public; SET synchronous_commit = off");
    for (int n = 0; !is_over; ++n) {
      run(writer, "UPDATE hot SET v = v + 1 WHERE id = 7");
      run(writer, "UPDATE hot SET v = v + 1 WHERE id = 1 + (random() * 19)::int");
      if (n % 10 == 0) run(writer, "INSERT INTO queue (v) SELECT md5(random()::text) FROM generate_series(1, 5)");
      if (n % 10 == 5) run(writer, "DELETE FROM queue WHERE id < (SELECT max(id) - 10 FROM queue)");
      if (n % 20 == 7) run(writer, "BEGIN; DELETE FROM reborn WHERE id = 3; INSERT INTO reborn VALUES (3, 3); COMMIT");
      if (n % 100 == 50) run(writer, "TRUNCATE emptied");
      if (n % 100 == 60) run(writer, "INSERT INTO emptied SELECT g, g FROM generate_series(1, 5000) g");
      std::this_thread::sleep_for(1ms);
    }
  }

  // What is done meanwhile sees writes going on.
  void under_load(const std::function<void()>& act) {
    std::atomic<bool> is_over = false;
    std::thread writer([&] { write_until(is_over); });
    try {
      act();
    } catch (...) {
      is_over = true;
      writer.join();
      throw;
    }
    is_over = true;
    writer.join();
  }

  ParityReport compare(Values values = Values::hidden, int rounds = 5) {
    return compare_live(*source_, *target_, Stream::forward("shop"), {.rounds = rounds, .values = values}, {}, soon());
  }
};

TEST_P(ParityKeys, EveryDifferenceIsNamedByKeyAndColumnAndNothingElseIs) {
  fill();
  std::string changes;
  std::set<std::string> expected;
  for (const auto& one : kValues) {
    changes += std::string("UPDATE v SET ") + one.column + " = " + one.green + " WHERE id = " + std::to_string(one.id) + ";";
    expected.insert("v " + std::to_string(one.id) + " changed " + one.column);
  }
  for (const auto* key : kOddKeys) changes += std::string("UPDATE of_text SET v = 2 WHERE id = ") + key + ";";
  for (const auto* key : {"", "{a,b}", "q\"uote", "back\\slash", "new\nline", "NULL", " ", "\u00e9"})
    expected.insert(std::string("of_text ") + key + " changed v");
  run(*green_, changes + R"(
      UPDATE v SET t = CASE id WHEN 101 THEN 'right' ELSE 'left' END WHERE id IN (101, 102);
      DELETE FROM v WHERE id = 103;
      INSERT INTO v (id, t) VALUES (104, 'nobody sent it');
      UPDATE of_uuid SET v = -1 WHERE v = 17; UPDATE of_bytea SET v = -1 WHERE v = 18; UPDATE of_two SET v = -1 WHERE a = 19;
      UPDATE of_word SET id = 'WORD' WHERE id = 'word';
      UPDATE large SET v = v || ' ' WHERE id IN (1, 30000); DELETE FROM large WHERE id = 60000;
      UPDATE large SET id = 70000 WHERE id = 4711;
      UPDATE wide SET c999 = 1, c500 = 0 WHERE id = 20;
      DELETE FROM twins WHERE ctid = (SELECT ctid FROM twins WHERE v = 1 AND w = 'w1' LIMIT 1);
      INSERT INTO twins SELECT v, w FROM twins WHERE v = 2 AND w = 'w2' LIMIT 2)");
  expected.merge(std::set<std::string>{
      "v 101 changed t", "v 102 changed t", "v 103 missing", "v 104 extra", "of_word word missing", "of_word WORD extra",
      "of_uuid " + test::value(*blue_, "SELECT id FROM of_uuid WHERE v = 17") + " changed v",
      "of_bytea " + test::value(*blue_, "SELECT id FROM of_bytea WHERE v = 18") + " changed v",
      "of_two 2024-02-29 12:00:19.000001+00|19 changed v", "large 1 changed v", "large 30000 changed v", "large 60000 missing",
      "large 4711 missing", "large 70000 extra", "wide 20 changed c500 c999", "twins 1 missing", "twins 2 extra"});
  under_load([&] {
    const auto report = compare();
    EXPECT_EQ(told(report), expected);
    EXPECT_FALSE(report.is_equal());
    EXPECT_FALSE(report.is_undecided());
    for (const auto& table : report.tables)
      for (const auto& row : table.rows) EXPECT_TRUE(row.values.empty()) << "values are shown on request only";
    EXPECT_GT(report.holds.ms.size(), 0U);
  });
}

TEST_P(ParityKeys, ValuesAreThereWhenAskedFor) {
  fill();
  run(*green_, "UPDATE v SET t = NULL, i = 3 WHERE id = 101");
  const auto report = compare(Values::shown);
  ASSERT_EQ(told(report), std::set<std::string>{"v 101 changed i t"});
  for (const auto& table : report.tables)
    for (const auto& row : table.rows) {
      ASSERT_EQ(row.values.size(), 2U);
      EXPECT_EQ(row.values[0].source, std::nullopt);
      EXPECT_EQ(row.values[0].target, "3");
      EXPECT_EQ(row.values[1].source, "left");
      EXPECT_EQ(row.values[1].target, std::nullopt);
    }
}

TEST_P(ParityKeys, NothingFalseIsToldUnderWrites) {
  fill();
  under_load([&] {
    for (int i = 0; i < (test::is_thorough() ? 50 : 4); ++i) {
      const auto report = compare();
      EXPECT_EQ(told(report), std::set<std::string>{}) << "in run " << i;
      EXPECT_TRUE(report.is_equal());
    }
  });
}

TEST_P(ParityKeys, SuspectsThatAreBelievedAtOnceAreFalse) {
  fill();
  const test::Mutant mutant("no_recheck");
  under_load([&] {
    bool is_any_false = false;
    for (int i = 0; i < 20 && !is_any_false; ++i) is_any_false = !compare().is_equal();
    EXPECT_TRUE(is_any_false);
  });
}

// Between the two looks at blue a row changes, and green loses that: what was there before is what a lost change looks like.
TEST_P(ParityKeys, ALostChangeIsNotTakenForOneThatIsOnItsWay) {
  fill();
  run(*green_, R"(
      CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
      CREATE TRIGGER lose BEFORE UPDATE ON hot FOR EACH ROW EXECUTE FUNCTION lose();
      ALTER TABLE hot ENABLE ALWAYS TRIGGER lose)");
  run(*blue_, R"(
      CREATE FUNCTION change() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN UPDATE public.hot SET v = 5 WHERE id = 1 AND v = 0; RETURN NEW; END';
      CREATE TRIGGER change BEFORE INSERT ON verdigris.marker FOR EACH ROW WHEN (new.kind = 'recheck') EXECUTE FUNCTION change())");
  const auto differences = [&] {
    ParitySessions sessions(*source_, *target_, 1, soon());
    Judge judge(*source_, *target_, Stream::forward("shop"), sessions.agreement(), sessions.hashes(), Values::hidden, soon());
    const auto& tables = sessions.agreement().tables;
    const auto hot = std::ranges::find(tables, QualifiedName("public", "hot"), &ComparedTable::name);
    const auto index = static_cast<std::size_t>(hot - tables.begin());
    return judge.judge({{index, {RowKey{"1"}}}}, soon()).at(index).differences.size();
  };
  EXPECT_EQ(differences(), 1U);
  run(*blue_, "UPDATE hot SET v = 0 WHERE id = 1");
  caught_up();
  const test::Mutant mutant("accept_first_hash");
  EXPECT_EQ(differences(), 0U) << "the mutant took the lost change for one on its way";
}

TEST_P(ParityKeys, ARowThatSomebodyHoldsLockedIsUndecidedNotEqual) {
  fill();
  run(*green_, "UPDATE v SET t = 'other' WHERE id = 102; DELETE FROM v WHERE id = 103");
  Connection holder = test::admin(pair_->blue());
  run(holder, "BEGIN; SELECT FROM public.v WHERE id = 102 FOR UPDATE");
  const auto report = compare(Values::hidden, 1);
  run(holder, "ROLLBACK");
  EXPECT_EQ(told(report), (std::set<std::string>{"v 102 undecided", "v 103 missing"}));
  run(*green_, "INSERT INTO v (id, t) VALUES (103, 'to be lost')");
  run(holder, "BEGIN; SELECT FROM public.v WHERE id = 102 FOR UPDATE");
  const auto open = compare(Values::hidden, 1);
  run(holder, "ROLLBACK");
  EXPECT_FALSE(open.is_equal());
  EXPECT_TRUE(open.is_undecided());
  EXPECT_EQ(told(compare()), std::set<std::string>{"v 102 changed t"});
}


TEST_P(ParityKeys, KeysAreFoundByTheIndexWithoutStatistics) {
  fill();
  Connection keys = open_key_session(*source_, true, soon());
  ParitySessions sessions(*source_, *target_, 1, soon());
  for (const auto& table : sessions.agreement().tables) {
    if (table.key.empty()) continue;
    const RowKey some = table.name.name().raw() == "of_two" ? RowKey{"2024-02-29 12:00:00+00", "1"}
                        : table.key[0].source_type == "uuid" ? RowKey{"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"}
                        : table.key[0].source_type == "bytea" ? RowKey{"\\x00"} : RowKey{"1"};
    const auto question = question_by_key(table, Side::source, sessions.hashes(), {&some, 1});
    std::string plan;
    const Result answer = keys.query(Sql("EXPLAIN {}", question.statement), question.params, soon());
    for (const auto& row : answer.rows(1)) plan += row.text(0) + "\n";
    EXPECT_EQ(plan.find("Seq Scan"), std::string::npos) << plan;
    EXPECT_NE(plan.find("Index"), std::string::npos) << plan;
  }
}

std::vector<std::pair<int, int>> majors() {
  if (test::is_thorough()) return {{15, 17}, {13, 18}};
  return {{15, 17}};
}
INSTANTIATE_TEST_SUITE_P(Majors, ParityKeys, ::testing::ValuesIn(majors()), test::majors_name);

}  // namespace
}  // namespace verdigris
