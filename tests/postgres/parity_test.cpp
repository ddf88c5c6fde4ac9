// Parity on real servers: what must be found, what must not be reported, and comparing while writes flow (parity.md
// 11).
#include <gtest/gtest.h>

#include <map>

#include "healthcheck/parity/parity.hpp"
#include "tests/support/cluster.hpp"

namespace verdigris {
namespace {

using test::run;
using test::soon;

struct Case {
  const char* name;  // of the table
  const char* type;  // of its column v
  const char* source;
  const char* target;
};

// One table each, one row each; the values differ by as little as values of the type can.
const std::vector<Case>& differing_values() {
  static const std::vector<Case> cases = {
      {"one_bit", "int4", "4", "5"},
      {"sign_of_int", "int4", "7", "-7"},
      {"folded_bigint", "int8", "1", "4294967296"},
      {"negative_bigint", "int8", "-1", "-4294967297"},
      {"sign_of_numeric", "numeric", "1.50", "-1.50"},
      {"scale", "numeric", "1.0", "1.00"},
      {"power_of_ten", "numeric", "1.0", "10000"},
      {"nan_numeric", "numeric", "'NaN'", "0"},
      {"nan_float", "float8", "'NaN'", "'Infinity'"},
      {"negative_zero", "float8", "'-0'", "0"},
      {"last_bit_of_float", "float8", "'0.1'", "'0.10000000000000002'"},
      {"last_bit_of_real", "float4", "'0.1'", "'0.10000001'"},
      {"null_or_empty", "text", "NULL", "''"},
      {"null_or_zero", "int4", "NULL", "0"},
      {"null_or_false", "bool", "NULL", "false"},
      {"null_date", "date", "NULL", "'2000-01-01'"},
      {"null_bytea", "bytea", "NULL", "''"},
      {"trailing_space", "varchar(10)", "'a'", "'a '"},
      {"trailing_space_bpchar", "bpchar", "'a'::bpchar", "'a '::bpchar"},
      {"char_n", "char(5)", "'ab'", "'aB'"},
      {"single_byte_char", "\"char\"", "'a'", "'b'"},
      {"normal_form", "text", "U&'\\00e9'", "U&'e\\0301'"},
      {"jsonb_scale", "jsonb", "'1'", "'1.0'"},
      {"json_space", "json", "'{\"a\":1}'", "'{\"a\": 1}'"},
      {"enum_label", "mood", "'sad'", "'happy'"},
      {"empty_array", "int[]", "'{}'", "NULL"},
      {"array_null", "int[]", "'{1,NULL}'", "'{1}'"},
      {"array_bound", "int[]", "'{1,2}'", "'[0:1]={1,2}'"},
      {"interval_form", "interval", "'24:00:00'", "'1 day'"},
      {"interval_month", "interval", "'30 days'", "'1 month'"},
      {"microsecond", "timestamp", "'2024-02-29 12:00:00'", "'2024-02-29 12:00:00.000001'"},
      {"microsecond_tz", "timestamptz", "'2024-02-29 12:00:00+00'", "'2024-02-29 12:00:00.000001+00'"},
      {"infinite", "timestamptz", "'infinity'", "'-infinity'"},
      {"infinite_date", "date", "'infinity'", "'-infinity'"},
      {"one_day", "date", "'2024-02-29'", "'2024-03-01'"},
      {"midnight", "time", "'00:00'", "'24:00'"},
      {"zone_of_time", "timetz", "'12:00+02'", "'10:00+00'"},
      {"bytea_byte", "bytea", "'\\x00ff'", "'\\x00fe'"},
      {"toast_last_byte", "text", "repeat('0123456789', 100000)", "repeat('0123456789', 99999) || '0123456780'"},
      {"toast_bytea", "bytea", "convert_to(repeat('x', 999999) || 'a', 'UTF8')",
       "convert_to(repeat('x', 999999) || 'b', 'UTF8')"},
      {"uuid", "uuid", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12'"},
      {"netmask", "inet", "'10.0.0.1/24'", "'10.0.0.1/25'"},
      {"range_bound", "int4range", "'[1,5)'", "'[1,6)'"},
      {"composite", "pair", "'(1,a)'", "'(1,b)'"},
      {"composite_null", "pair", "'(1,)'", "'(1,\"\")'"},
      {"domain", "positive", "1", "2"},
      {"bits", "varbit", "B'1'", "B'10'"},
      {"point", "point", "'(1,2)'", "'(1,2.5)'"},
      {"money", "money", "'1.00'::numeric::money", "'1.01'::numeric::money"},
  };
  return cases;
}

// Whole statements for both sides where one value is not enough.
struct TableCase {
  const char* name;
  const char* both;
  const char* source;
  const char* target;
};

const std::vector<TableCase>& differing_tables() {
  static const std::vector<TableCase> cases = {
      {"swapped_rows", "CREATE TABLE swapped_rows (id int, v text)",
       "INSERT INTO swapped_rows VALUES (1, 'a'), (2, 'b')", "INSERT INTO swapped_rows VALUES (1, 'b'), (2, 'a')"},
      {"swapped_columns", "CREATE TABLE swapped_columns (a int, b int)", "INSERT INTO swapped_columns VALUES (1, 2)",
       "INSERT INTO swapped_columns VALUES (2, 1)"},
      {"moved_null", "CREATE TABLE moved_null (a int, b int)", "INSERT INTO moved_null VALUES (NULL, 1)",
       "INSERT INTO moved_null VALUES (1, NULL)"},
      {"moved_text", "CREATE TABLE moved_text (a text, b text)", "INSERT INTO moved_text VALUES ('ab', 'c')",
       "INSERT INTO moved_text VALUES ('a', 'bc')"},
      {"missing_row", "CREATE TABLE missing_row (id int)", "INSERT INTO missing_row VALUES (1), (2)",
       "INSERT INTO missing_row VALUES (1)"},
      {"extra_row", "CREATE TABLE extra_row (id int)", "SELECT 1", "INSERT INTO extra_row VALUES (0)"},
      {"changed_key", "CREATE TABLE changed_key (id int)", "INSERT INTO changed_key VALUES (1)",
       "INSERT INTO changed_key VALUES (2)"},
      {"added_duplicate", "CREATE TABLE added_duplicate (v int)", "INSERT INTO added_duplicate VALUES (1)",
       "INSERT INTO added_duplicate VALUES (1), (1)"},
      {"lost_duplicate", "CREATE TABLE lost_duplicate (v int)", "INSERT INTO lost_duplicate VALUES (1), (1), (2)",
       "INSERT INTO lost_duplicate VALUES (1), (2)"},
      {"other_duplicate", "CREATE TABLE other_duplicate (v int)", "INSERT INTO other_duplicate VALUES (1), (1), (2)",
       "INSERT INTO other_duplicate VALUES (1), (2), (2)"},
      {"pairs_cancel", "CREATE TABLE pairs_cancel (v int)", "INSERT INTO pairs_cancel VALUES (1), (1)",
       "INSERT INTO pairs_cancel VALUES (2), (2)"},
      {"truncated", "CREATE TABLE truncated (v int)", "INSERT INTO truncated SELECT generate_series(1, 1000)",
       "SELECT 1"},
      {"no_columns", "CREATE TABLE no_columns ()", "INSERT INTO no_columns DEFAULT VALUES", "SELECT 1"},
      {"leaf_1",
       "CREATE TABLE tree (k int, v text) PARTITION BY LIST (k);"
       " CREATE TABLE leaf_1 PARTITION OF tree FOR VALUES IN (1); CREATE TABLE leaf_2 PARTITION OF tree FOR VALUES IN "
       "(2)",
       "INSERT INTO tree VALUES (1, 'a'), (2, 'b')", "INSERT INTO tree VALUES (1, 'A'), (2, 'b')"},
      {"parent", "CREATE TABLE parent (v int); CREATE TABLE child () INHERITS (parent)",
       "INSERT INTO parent VALUES (1)", "INSERT INTO child VALUES (1)"},
      {"child", "SELECT 1", "SELECT 1", "SELECT 1"},
      {"only_on_source", "SELECT 1", "CREATE TABLE only_on_source (v int)", "SELECT 1"},
      {"only_on_target", "SELECT 1", "SELECT 1", "CREATE TABLE only_on_target (v int)"},
      {"Sel\"ect", "CREATE TABLE \"Sel\"\"ect\" (\"x; DROP TABLE y\" int)", "INSERT INTO \"Sel\"\"ect\" VALUES (1)",
       "INSERT INTO \"Sel\"\"ect\" VALUES (2)"},
  };
  return cases;
}

// The same rows behind catalogs and sessions that differ in what must not matter.
const std::vector<TableCase>& equal_tables() {
  static const std::vector<TableCase> cases = {
      {"column_order", "SELECT 1", "CREATE TABLE column_order AS SELECT 1 AS a, 'x'::text AS b, NULL::date AS c",
       "CREATE TABLE column_order AS SELECT NULL::date AS c, 'x'::text AS b, 1 AS a"},
      {"dropped_column", "SELECT 1", "CREATE TABLE dropped_column AS SELECT 1 AS a, 2 AS b",
       "CREATE TABLE dropped_column AS SELECT 1 AS a, 9 AS gone, 2 AS b; ALTER TABLE dropped_column DROP gone"},
      {"physical_order", "SELECT 1", "CREATE TABLE physical_order AS SELECT g FROM generate_series(1, 5000) g",
       "CREATE TABLE physical_order AS SELECT g FROM generate_series(5000, 1, -1) g"},
      {"enum_oid", "CREATE TABLE enum_oid (v mood)", "INSERT INTO enum_oid VALUES ('sad'), ('happy')",
       "INSERT INTO enum_oid VALUES ('sad'), ('happy')"},
      {"dated", "CREATE TABLE dated (a timestamptz, b date, c interval, d float8, e bytea, f money, g timetz)",
       "INSERT INTO dated VALUES ('2024-02-29 12:00+00', '2024-02-29', '1 day 2:03', 0.1, '\\x00', "
       "1.5::numeric::money, '12:00+02')",
       "INSERT INTO dated VALUES ('2024-02-29 13:00+01', '2024-02-29', '1 day 2:03', 0.1, '\\x00', "
       "1.5::numeric::money, '12:00+02')"},
      {"widened", "SELECT 1",
       "CREATE TABLE widened AS SELECT g AS a, g::int2 AS b, 'x'::varchar(5) AS c FROM generate_series(-3, 3) g",
       "CREATE TABLE widened AS SELECT g::int8 AS a, g AS b, 'x'::text AS c FROM generate_series(-3, 3) g"},
      {"wider_numeric", "SELECT 1", "CREATE TABLE wider_numeric AS SELECT 1.5::numeric(10, 2) AS v",
       "CREATE TABLE wider_numeric AS SELECT 1.5::numeric(20, 2) AS v"},
      {"new_column", "CREATE TABLE new_column (a int)", "INSERT INTO new_column VALUES (1)",
       "ALTER TABLE new_column ADD b text DEFAULT 'new'; INSERT INTO new_column VALUES (1)"},
      {"generated", "CREATE TABLE generated (a int, b int GENERATED ALWAYS AS (a * 2) STORED)",
       "INSERT INTO generated VALUES (1)", "INSERT INTO generated VALUES (1)"},
      {"compression", "CREATE TABLE compression (v text)", "INSERT INTO compression VALUES (repeat('abc', 10000))",
       "ALTER TABLE compression ALTER v SET STORAGE EXTERNAL; INSERT INTO compression VALUES (repeat('abc', 10000))"},
      {"big", "CREATE TABLE big (id int, v text)",
       "INSERT INTO big SELECT g, repeat(md5(g::text), 30) FROM generate_series(1, 150000) g",
       "INSERT INTO big SELECT g, repeat(md5(g::text), 30) FROM generate_series(150000, 1, -1) g"},
  };
  return cases;
}

void create_types(Connection& on) {
  run(on,
      "CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy'); CREATE TYPE pair AS (n int, t text);"
      "CREATE DOMAIN positive AS int CHECK (value > 0)");
}

// Only the values are compared: sessions have another form of each of them by role or database.
void set_other_forms(Connection& on) {
  run(on,
      "ALTER DATABASE shop SET TimeZone = 'Asia/Kathmandu'; ALTER DATABASE shop SET DateStyle = 'German';"
      "ALTER DATABASE shop SET IntervalStyle = 'iso_8601'; ALTER DATABASE shop SET extra_float_digits = 0;"
      "ALTER DATABASE shop SET bytea_output = 'escape'; ALTER DATABASE shop SET max_parallel_workers_per_gather = 4");
}

class Parity : public ::testing::TestWithParam<std::pair<int, int>> {
 protected:
  void SetUp() override {
    const auto [blue, green] = GetParam();
    NEED_POSTGRES(blue);
    NEED_POSTGRES(green);
    pair_ = &test::shared_pair(blue, green);
    source_.emplace(test::side(pair_->blue(), "blue"));
    target_.emplace(test::side(pair_->green(), "green"));
    blue_.emplace(test::admin(pair_->blue()));
    green_.emplace(test::admin(pair_->green()));
    for (auto* on : {&*blue_, &*green_}) run(*on, "SET search_path = public");
  }

  void build(const std::vector<TableCase>& cases) {
    for (const auto& one : cases) {
      for (auto* on : {&*blue_, &*green_}) run(*on, one.both);
      run(*blue_, one.source);
      run(*green_, one.target);
    }
  }

  ParityReport compare(const TableSelection& filter = {}) {
    ParitySessions sessions(*source_, *target_, 2, soon(), filter);
    return compare_still(sessions, soon());
  }

  test::Pair* pair_ = nullptr;
  std::optional<Server> source_, target_;
  std::optional<Connection> blue_, green_;
};

std::map<std::string, TableVerdict> by_name(const ParityReport& report) {
  std::map<std::string, TableVerdict> out;
  for (const auto& table : report.tables) out.emplace(table.table.name().raw(), table);
  return out;
}

TEST_P(Parity, FindsTheSmallestDifferenceOfEachType) {
  for (auto* on : {&*blue_, &*green_}) create_types(*on);
  for (const auto& one : differing_values()) {
    const std::string name = one.name;
    for (auto* on : {&*blue_, &*green_}) run(*on, "CREATE TABLE " + name + " (id int, v " + one.type + ")");
    run(*blue_, "INSERT INTO " + name + " VALUES (1, " + one.source + ")");
    run(*green_, "INSERT INTO " + name + " VALUES (1, " + one.target + ")");
  }
  const ParityReport report = compare();
  EXPECT_FALSE(report.is_equal());
  const auto verdicts = by_name(report);
  ASSERT_EQ(verdicts.size(), differing_values().size());
  EXPECT_TRUE(report.uncovered.empty()) << report.uncovered.front();
  for (const auto& [name, verdict] : verdicts) EXPECT_FALSE(verdict.is_equal) << name;
  // The same once more with equal values, so that a hash that is always different would be found.
  for (const auto& one : differing_values()) run(*green_, std::string("UPDATE ") + one.name + " SET v = " + one.source);
  for (const auto& [name, verdict] : by_name(compare())) EXPECT_TRUE(verdict.is_equal) << name;
}

TEST_P(Parity, FindsRowsThatAreMissingExtraSwappedOrDoubled) {
  build(differing_tables());
  const auto verdicts = by_name(compare());
  for (const auto& one : differing_tables()) {
    ASSERT_TRUE(verdicts.contains(one.name)) << one.name;
    EXPECT_FALSE(verdicts.at(one.name).is_equal) << one.name;
  }
  EXPECT_TRUE(verdicts.at("leaf_2").is_equal);
  EXPECT_EQ(verdicts.at("only_on_source").note, "missing on green");
  EXPECT_EQ(verdicts.at("only_on_target").note, "missing on blue");
  EXPECT_EQ(verdicts.at("missing_row").source_rows, 2);
  EXPECT_EQ(verdicts.at("missing_row").target_rows, 1);
}

TEST_P(Parity, SeesNoDifferenceWhereOnlyFormsAndCatalogsDiffer) {
  run(*green_, "CREATE TYPE shifts_the_oids AS ENUM ('a', 'b')");
  for (auto* on : {&*blue_, &*green_}) create_types(*on);
  build(equal_tables());
  set_other_forms(*green_);
  run(*green_, "SELECT lo_create(0)");
  const ParityReport report = compare();
  for (const auto& [name, verdict] : by_name(report)) EXPECT_TRUE(verdict.is_equal) << name;
  EXPECT_EQ(report.tables.size(), equal_tables().size());
  EXPECT_TRUE(report.is_equal());
  EXPECT_TRUE(report.uncovered.empty()) << report.uncovered.front();
  EXPECT_EQ(by_name(report).at("new_column").note, "column b only on green");
  EXPECT_EQ(by_name(report).at("big").source_rows, 150000);
}

TEST_P(Parity, NamesWhatItDoesNotCover) {
  run(*blue_, "CREATE TABLE retyped (id int, v int); CREATE UNLOGGED TABLE unlogged (v int)");
  run(*green_, "CREATE TABLE retyped (id int, v text); CREATE UNLOGGED TABLE unlogged (v int)");
  const ParityReport report = compare();
  ASSERT_EQ(report.uncovered.size(), 3U);
  EXPECT_EQ(report.uncovered[0], "public.unlogged (unlogged on blue)");
  EXPECT_EQ(report.uncovered[2], "public.retyped.v (integer and text)");
}

TEST_P(Parity, ComparesSequences) {
  run(*blue_,
      "CREATE SEQUENCE same CACHE 5; CREATE SEQUENCE steps INCREMENT 2; CREATE SEQUENCE lost; SELECT nextval('same')");
  run(*green_, "CREATE SEQUENCE same CACHE 5; CREATE SEQUENCE steps INCREMENT 3 CYCLE");
  const ParityReport report = compare();
  EXPECT_FALSE(report.is_equal());
  ASSERT_EQ(report.differences.size(), 3U);
  EXPECT_EQ(report.differences[0], "sequence public.lost is missing on green");
  EXPECT_EQ(report.differences[1], "sequence public.steps: increment is 2 and 3");
}

TEST_P(Parity, RefusesACatalogThatChangedSinceTheSessionsWereOpened) {
  for (auto* on : {&*blue_, &*green_}) run(*on, "CREATE TABLE t (v int)");
  ParitySessions sessions(*source_, *target_, 1, soon());
  EXPECT_TRUE(compare_still(sessions, soon()).is_equal());
  run(*blue_, "ALTER TABLE t ADD late int");
  EXPECT_THROW(compare_still(sessions, soon()), Refused);
}

TEST_P(Parity, LeavesOutTablesThatTheFilterLeavesOut) {
  run(*blue_, "CREATE TABLE audit (v int); CREATE TABLE kept (v int)");
  run(*green_, "CREATE TABLE kept (v int)");
  EXPECT_FALSE(compare().is_equal());
  const ParityReport report = compare({{"*.*"}, {"*.audit"}});
  EXPECT_TRUE(report.is_equal());
  EXPECT_EQ(report.tables.size(), 1U);
}

const auto kMajors = ::testing::Values(std::pair(15, 17), std::pair(13, 18));
std::string majors_name(const ::testing::TestParamInfo<std::pair<int, int>>& info) {
  return "From" + std::to_string(info.param.first) + "To" + std::to_string(info.param.second);
}
INSTANTIATE_TEST_SUITE_P(Majors, Parity, kMajors, majors_name);

}  // namespace
}  // namespace verdigris
