// Indexes and constraints that several sessions build from pg_restore's own script, on real servers: what comes out is
// the source's, what is there already is left alone, and the first failure is told with its statement.
#include <gtest/gtest.h>

#include <chrono>

#include "controller/process.hpp"
#include "replication/schema.hpp"
#include "tests/support/cluster.hpp"

namespace verdigris {
namespace {

using test::run;
using test::soon;
using test::value;
using namespace std::chrono_literals;

constexpr const char* kTables = R"(
  SET search_path = public;
  CREATE TABLE branch (id int PRIMARY KEY, code text NOT NULL UNIQUE);
  CREATE TABLE account (id bigint, branch int REFERENCES branch, day date NOT NULL, span int4range, note text);
  INSERT INTO branch SELECT i, 'b' || i FROM generate_series(1, 50) i;
  INSERT INTO account SELECT i, i % 50 + 1, date '2025-01-01' + i % 300, int4range(i * 10, i * 10 + 5), 'n' || i
    FROM generate_series(1, 5000) i;
  ALTER TABLE account ADD CONSTRAINT account_key PRIMARY KEY (id) INCLUDE (day);
  ALTER TABLE account ADD CONSTRAINT account_span EXCLUDE USING gist (span WITH &&);
  ALTER TABLE account ADD CONSTRAINT account_late UNIQUE (note) DEFERRABLE INITIALLY DEFERRED;
  CREATE INDEX account_day ON account (day DESC, branch) WITH (fillfactor = 70) WHERE branch > 3;
  CREATE INDEX "odd "" ON ""name" ON account (lower(note), (id % 7));
  ALTER INDEX "odd "" ON ""name" ALTER COLUMN 2 SET STATISTICS 500;
  CREATE UNIQUE INDEX account_identity ON account (id, day);
  ALTER TABLE account ALTER id SET NOT NULL, REPLICA IDENTITY USING INDEX account_identity;
  CLUSTER account USING account_key;
  CREATE STATISTICS account_both (dependencies) ON day, branch FROM account;
  COMMENT ON INDEX account_day IS 'by day';
  COMMENT ON CONSTRAINT account_key ON account IS 'the key';
  CREATE TABLE part (id int, day date) PARTITION BY RANGE (day);
  CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM ('2025-01-01') TO ('2025-07-01');
  CREATE TABLE part_2 PARTITION OF part FOR VALUES FROM ('2025-07-01') TO ('2026-01-01');
  ALTER TABLE part ADD PRIMARY KEY (id, day);
  CREATE INDEX ON part (day);
  INSERT INTO part SELECT i, date '2025-01-01' + i % 300 FROM generate_series(1, 2000) i)";

constexpr const char* kImage = R"(
  SELECT string_agg(line, E'\n' ORDER BY line COLLATE "C") FROM (
    SELECT pg_get_indexdef(i.indexrelid) || concat_ws(' ', i.indisclustered, i.indisreplident, i.indisvalid,
             obj_description(i.indexrelid, 'pg_class'), c.reloptions::text,
             (SELECT string_agg(a.attstattarget::text, ',' ORDER BY attnum) FROM pg_attribute a
              WHERE attrelid = i.indexrelid AND attstattarget > 0),
             (SELECT inhparent::regclass::text FROM pg_inherits h WHERE h.inhrelid = i.indexrelid)) AS line
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relnamespace = 'public'::regnamespace
    UNION ALL
    SELECT concat_ws(' ', k.conrelid::regclass, k.conname, pg_get_constraintdef(k.oid), k.convalidated,
             obj_description(k.oid, 'pg_constraint'))
    FROM pg_constraint k WHERE k.connamespace = 'public'::regnamespace AND k.contype <> 'n'
    UNION ALL
    SELECT pg_get_statisticsobjdef(oid) FROM pg_statistic_ext) AS all_lines)";

class PostData : public testing::TestWithParam<std::pair<int, int>> {
 protected:
  void SetUp() override {
    const auto [blue_major, green_major] = GetParam();
    NEED_POSTGRES(blue_major);
    NEED_POSTGRES(green_major);
    pair_ = &test::shared_pair(blue_major, green_major);
    blue_.emplace(test::side(pair_->blue(), "blue"));
    green_.emplace(test::side(pair_->green(), "green"));
    auto on = test::admin(pair_->blue());
    run(on, "SET client_min_messages = warning");
    run(on, kTables);
    carry_schema(*blue_, *green_, SchemaSection::pre_data, tools_, soon());
    fill("branch");
    fill("account");
    fill("part_1");
    fill("part_2");
  }

  // The rows, through us: they are few.
  void fill(const std::string& table) {
    auto on = test::admin(pair_->green());
    const auto rows = value(blue_->control(), "SELECT coalesce(json_agg(t), '[]') FROM ONLY public." + table + " t");
    run(on, "INSERT INTO public." + table + " SELECT * FROM json_populate_recordset(NULL::public." + table + ", '" +
                rows + "')");
  }

  void carry(const ProgressCallback& progress = {}) {
    const PostDataWork work{3, is_rest_there_, [this](Connection&) { is_rest_there_ = true; }};
    carry_post_data(*blue_, *green_, tools_, work, progress, Deadline::after(60s));
  }

  Error failure_of_carrying() {
    try {
      carry();
    } catch (const Error& error) {
      return error;
    }
    return {"none", "nothing failed"};
  }

  std::string indexes() {
    return value(green_->control(), "SELECT coalesce(string_agg(oid::text || '.' || relfilenode, ' ' ORDER BY oid), '') "
                                    "FROM pg_class WHERE relkind = 'i' AND relnamespace = 'public'::regnamespace");
  }

  std::string image(Server& side) {
    run(side.control(), "SET search_path = ''");
    const auto text = value(side.control(), kImage);
    run(side.control(), "SET search_path = pg_catalog, pg_temp");
    return text;
  }

  test::Pair* pair_ = nullptr;
  std::optional<Server> blue_, green_;
  SchemaTools tools_{run_tool, tool_directories({})};
  bool is_rest_there_ = false;
};

TEST_P(PostData, IsTheSourcesAndWhatIsThereIsLeftAlone) {
  std::vector<std::string> said;
  carry([&](const std::string& text) { said.push_back(text); });
  EXPECT_EQ(image(*green_), image(*blue_));
  ASSERT_FALSE(said.empty());
  EXPECT_TRUE(said.back().ends_with(" indexes and constraints")) << said.back();
  run(green_->control(), "DROP INDEX public.account_day; ALTER TABLE public.account DROP CONSTRAINT account_span");
  ASSERT_NE(image(*green_), image(*blue_));
  const auto kept = indexes();
  carry();
  EXPECT_TRUE(indexes().starts_with(kept)) << "what was there was built again";
  run(green_->control(), "COMMENT ON INDEX public.account_day IS 'by day'");  // of the rest, which was not asked for
  EXPECT_EQ(image(*green_), image(*blue_));
}

TEST_P(PostData, TheFirstFailureIsToldWithItsStatementAndWhatWasBuiltIsKept) {
  run(green_->control(), "INSERT INTO public.part_2 VALUES (51, '2025-08-01'), (51, '2025-08-01')");
  const auto failure = failure_of_carrying();
  EXPECT_EQ(failure.id(), "schema.restore");
  const std::string text = failure.what();
  EXPECT_NE(text.find("part_2_pkey"), std::string::npos) << text;
  EXPECT_NE(text.find("the statement was: ALTER TABLE ONLY"), std::string::npos) << text;
  EXPECT_NE(failure.hint().find("repeat"), std::string::npos);
  EXPECT_FALSE(is_rest_there_) << "it stands on all of them";
  const auto oids = indexes();
  EXPECT_FALSE(oids.empty());
  run(green_->control(), "DELETE FROM public.part_2 WHERE id = 51");
  carry();
  EXPECT_EQ(image(*green_), image(*blue_));
  EXPECT_TRUE(indexes().find(oids.substr(0, oids.find(' '))) != std::string::npos) << "what was built was built again";
}

// A foreign key that does not hold: behind all indexes, those of partitioned tables not attached yet.
TEST_P(PostData, TheRestIsOneTransactionAndComesAgain) {
  run(green_->control(), "INSERT INTO public.account VALUES (9999, 777, '2025-01-01', NULL, NULL)");
  const auto failure = failure_of_carrying();
  const std::string text = failure.what();
  EXPECT_NE(text.find("account_branch_fkey"), std::string::npos) << text;
  EXPECT_NE(text.find("FOREIGN KEY"), std::string::npos) << text;
  EXPECT_EQ(value(green_->control(), "SELECT count(*) FROM pg_inherits h JOIN pg_class c ON c.oid = h.inhrelid "
                                     "WHERE c.relkind = 'i' AND c.relnamespace = 'public'::regnamespace"),
            "0");
  const auto oids = indexes();
  run(green_->control(), "DELETE FROM public.account WHERE id = 9999");
  carry();
  EXPECT_EQ(indexes(), oids) << "what was built was built again";
  EXPECT_EQ(image(*green_), image(*blue_));
  EXPECT_TRUE(is_rest_there_);
  carry();
  EXPECT_EQ(image(*green_), image(*blue_));
}

// Ctrl-C: nobody waits for a build that takes long.
TEST_P(PostData, ACallbackThatThrowsEndsBuildsThatAreUnderWay) {
  for (auto* side : {&*blue_, &*green_})
    run(side->control(), "CREATE FUNCTION public.slow(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS "
                         "'BEGIN PERFORM pg_sleep(0.5); RETURN $1; END'; CREATE TABLE public.big (id int)");
  run(blue_->control(), "CREATE INDEX slow_one ON public.big (public.slow(id))");
  run(green_->control(), "INSERT INTO public.big SELECT generate_series(1, 200)");
  auto watch = test::admin(pair_->green());
  const std::string builds = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE '%/schema' AND "
                             "state = 'active' AND query LIKE '%slow_one%'";
  bool was_seen = false;
  const auto began = std::chrono::steady_clock::now();
  try {
    carry([&](const std::string&) {
      if (value(watch, builds) != "1") return;
      was_seen = true;
      throw Error("interrupted", "Ctrl-C");
    });
    FAIL() << "it ended";
  } catch (const Error& error) {
    EXPECT_EQ(error.id(), "interrupted") << error.what();
  }
  EXPECT_TRUE(was_seen);
  EXPECT_LT(std::chrono::steady_clock::now() - began, 30s) << "the index alone takes 100 s";
  for (const auto end = soon(); value(watch, builds) != "0";) ASSERT_FALSE(end.has_passed()) << "it is still built";
}

// What a dump of LATIN1 says of its names is LATIN1.
TEST_P(PostData, NamesKeepTheirLettersInEveryEncoding) {
  auto postgres = test::admin(pair_->blue(), "postgres");
  run(postgres, "DROP DATABASE IF EXISTS latin");
  run(postgres, "CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'");
  {
    Server latin("blue", "shop", pair_->blue().conninfo("verdigris", "latin"));
    latin.connect(soon());
    run(green_->control(), "DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    run(latin.control(), "CREATE TABLE public.\"Stra\u00dfe\" (id int, \"gr\u00f6\u00dfe\" int CONSTRAINT \"h\u00f6he\" UNIQUE);"
                         "CREATE INDEX \"gr\u00f6\u00dfen\" ON public.\"Stra\u00dfe\" (\"gr\u00f6\u00dfe\")");
    carry_schema(latin, *green_, SchemaSection::pre_data, tools_, soon());
    for (int i = 0; i < 2; ++i)
      carry_post_data(latin, *green_, tools_, {2, true, [](Connection&) {}}, {}, Deadline::after(60s));
    EXPECT_EQ(image(*green_), image(latin));
  }
  run(postgres, "DROP DATABASE latin");
}

INSTANTIATE_TEST_SUITE_P(Majors, PostData, testing::Values(std::pair(15, 17), std::pair(13, 15)), [](const auto& pair) {
  return std::to_string(pair.param.first) + "to" + std::to_string(pair.param.second);
});

}  // namespace
}  // namespace verdigris
