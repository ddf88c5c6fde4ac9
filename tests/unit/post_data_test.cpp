// How the contents list and the script of a dump are taken apart. That the outcome is the source's is shown on servers
// (tests/postgres/post_data_test.cpp).
#include "replication/post_data.hpp"

#include <gtest/gtest.h>

#include <sstream>

namespace verdigris {
namespace {

const std::string kToc = R"(;
; Archive created at 2026-11-30 01:00:00 UTC
;
3385; 2606 16395 CONSTRAINT public accounts accounts_pkey app_owner
3386; 1259 16400 INDEX public by day app_owner
3387; 1259 16401 INDEX ATTACH in_a_schema_of_that_name app_owner
3388; 2606 16402 CONSTRAINT public accounts accounts_code_key app_owner
3390; 0 0 COMMENT public INDEX "by day" app_owner
3391; 1259 16409 MATERIALIZED VIEW public by_key app_owner
3392; 1259 16408 INDEX public of the view app_owner
3393; 2606 16410 FK CONSTRAINT public accounts accounts_branch_fkey app_owner
3400; 0 0 COMMENT public CONSTRAINT accounts_branch_fkey ON accounts app_owner
)";

std::string entry(const std::string& head, const std::string& statement) {
  return "--\n-- Name: " + head + "; Schema: public; Owner: app_owner\n--\n\n" + statement + "\n\n\n";
}

std::string script(const std::string& entries) {
  return "--\n-- PostgreSQL database dump\n--\n\nSET statement_timeout = 0;\n\n" + entries +
         "--\n-- PostgreSQL database dump complete\n--\n\n";
}

std::vector<std::string> words_of(const std::string& lines) {
  std::vector<std::string> result;
  std::istringstream in(lines);
  for (std::string line; std::getline(in, line);) result.push_back(line.substr(0, 4));
  return result;
}

TEST(PostDataToc, IndexesAndConstraintsArePartedFromTheRest) {
  const auto toc = split_toc(kToc);
  EXPECT_EQ(words_of(toc.builds), (std::vector<std::string>{"3385", "3386", "3388"}));
  EXPECT_EQ(words_of(toc.rest), (std::vector<std::string>{"3387", "3390", "3391", "3392", "3393", "3400"}))
      << "what needs another table's key, or comes behind a view that needs a key, is not built beside others";
  EXPECT_EQ(toc.build_count, 3U);
  EXPECT_EQ(toc.rest_count, 6U);
}

TEST(PostDataScript, EachStatementIsFoundWithItsTableAndName) {
  const auto statements = split_script(
      script(entry("accounts accounts_pkey; Type: CONSTRAINT",
                   "ALTER TABLE ONLY \"public\".\"accounts\"\n    ADD CONSTRAINT \"accounts_pkey\" PRIMARY KEY (\"aid\");\n\n"
                   "ALTER TABLE \"public\".\"accounts\" CLUSTER ON \"accounts_pkey\";") +
             entry("odd \"name; Type: INDEX",
                   "CREATE UNIQUE INDEX \"odd \"\" ON \"\"name\" ON ONLY \"My Schema\".\"My \"\"Table\" USING btree (a);") +
             entry("day; Type: INDEX",
                   "CREATE INDEX \"day\" ON \"public\".\"accounts\" USING btree (day);\n\n"
                   "ALTER TABLE ONLY \"public\".\"accounts\" REPLICA IDENTITY USING INDEX \"day\";")),
      3);
  ASSERT_EQ(statements.size(), 3U);
  const auto key = read_build(statements[0]), odd = read_build(statements[1]), day = read_build(statements[2]);
  EXPECT_EQ(key.table, QualifiedName("public", "accounts"));
  EXPECT_EQ(key.name, "accounts_pkey");
  EXPECT_TRUE(key.is_constraint && key.is_exclusive);
  EXPECT_TRUE(key.text.ends_with("CLUSTER ON \"accounts_pkey\";")) << "what belongs to it stays with it";
  EXPECT_EQ(odd.name, "odd \" ON \"name");
  EXPECT_EQ(odd.table, QualifiedName("My Schema", "My \"Table"));
  EXPECT_FALSE(odd.is_constraint || odd.is_exclusive);
  EXPECT_TRUE(day.is_exclusive && !day.is_constraint);
  EXPECT_TRUE(day.text.ends_with("INDEX \"day\";")) << day.text;
}

// An expression that looks like pg_restore's own comments, a script that was cut off: then nothing is taken apart.
TEST(PostDataScript, WhatIsNotUnderstoodIsNotTakenApart) {
  const auto one = entry("i; Type: INDEX", "CREATE INDEX \"i\" ON \"public\".\"t\" USING btree (a);");
  EXPECT_TRUE(split_script(script(one), 1).at(0).starts_with("CREATE INDEX"));
  const auto fake = entry("i; Type: INDEX", "CREATE INDEX \"i\" ON \"public\".\"t\" USING btree (f('\n--\n-- Name: x\n--\n'));");
  for (const auto& [text, count] : std::vector<std::pair<std::string, std::size_t>>{{script(fake), 1}, {script(one), 2}, {one, 1}}) {
    const auto statements = split_script("\\restrict abc\n" + text + "\\unrestrict abc\n", count);
    ASSERT_EQ(statements.size(), 1U);
    EXPECT_EQ(statements[0], text);
    EXPECT_FALSE(read_build(statements[0]).table.has_value());
  }
  EXPECT_FALSE(read_build("CREATE INDEX i ON public.t (a);").table.has_value());
  EXPECT_FALSE(read_build("ALTER TABLE ONLY \"public\".\"t\" ENABLE ROW LEVEL SECURITY;").table.has_value());
}

TEST(PostDataScript, MemoryGoesByTheKindOfIndexAndTheSizeOfItsTable) {
  const auto memory = [](const char* text, std::int64_t bytes) {
    auto build = read_build(text);
    build.table_bytes = bytes;
    return build_memory_mb(build);
  };
  constexpr std::int64_t kGigabyte = 1 << 30;
  const char* btree = "CREATE INDEX \"i\" ON \"public\".\"t\" USING btree (\"a\");";
  const char* key = "ALTER TABLE ONLY \"public\".\"t\"\n    ADD CONSTRAINT \"k\" PRIMARY KEY (\"a\");";
  EXPECT_EQ(memory(btree, 0), 64);
  EXPECT_EQ(memory(key, kGigabyte), 64);
  EXPECT_EQ(memory(btree, 16 * kGigabyte), 128);
  EXPECT_EQ(memory(key, 1000 * kGigabyte), 512);
  EXPECT_EQ(memory("CREATE INDEX \"i\" ON \"public\".\"t\" USING gin (\"a\");", 0), 256);
  EXPECT_EQ(memory("ALTER TABLE ONLY \"public\".\"t\"\n    ADD CONSTRAINT \"e\" EXCLUDE USING gist (\"a\" WITH &&);", 0), 256);
}

}  // namespace
}  // namespace verdigris
