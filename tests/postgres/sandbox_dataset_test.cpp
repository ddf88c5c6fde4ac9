#include <gtest/gtest.h>

#include "controller/sandbox/dataset.hpp"
#include "tests/support/cluster.hpp"

namespace verdigris::test {
namespace {

constexpr const char* kCountTables =
    "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.relkind = 'r' AND n.nspname IN ('public', 'billing')";

class Dataset : public testing::TestWithParam<int> {};

TEST_P(Dataset, HasAsManyTablesAsAskedForAllWithRows) {
  NEED_POSTGRES(GetParam());
  Pair& pair = shared_pair(GetParam(), GetParam());
  for (const int tables : {10, 40}) {
    pair.fresh_databases();
    create_dataset(pair.blue().conninfo("verdigris", "shop"), {.tables = tables, .megabytes = 3}, {},
                   Deadline::after(std::chrono::seconds(60)));
    auto blue = admin(pair.blue());
    EXPECT_EQ(value(blue, kCountTables), std::to_string(tables));
    EXPECT_EQ(
        value(blue,
              "SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relkind = 'r' AND reltuples = "
              "0 AND relnamespace IN ('public'::regnamespace, 'billing'::regnamespace)"),
        "ledger_a ledger_b ledger_totals");
    EXPECT_EQ(value(blue,
                    "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relowner <> 'app_owner'::regrole "
                    "AND relnamespace IN ('public'::regnamespace, 'billing'::regnamespace)"),
              "0");
  }
}

INSTANTIATE_TEST_SUITE_P(Majors, Dataset, testing::Values(13, 15, 18),
                         [](const auto& server) { return "Postgres" + std::to_string(server.param); });

TEST(DatasetSchema, AloneEqualsTheSchemaOfTheDataset) {
  NEED_POSTGRES(15);
  Pair& pair = shared_pair(15, 15);
  create_dataset(pair.blue().conninfo("verdigris", "shop"), {.tables = 40, .megabytes = 1}, {}, soon());
  create_schema(pair.green().conninfo("verdigris", "shop"), {.tables = 40, .megabytes = 1}, soon());
  auto blue = admin(pair.blue());
  auto green = admin(pair.green());
  const std::string columns =
      "SELECT md5(string_agg(format('%s.%s.%s %s', table_schema, table_name, column_name, data_type), ',' "
      "ORDER BY table_schema, table_name, column_name)) FROM information_schema.columns "
      "WHERE table_schema IN ('public', 'billing')";
  EXPECT_EQ(value(blue, columns), value(green, columns));
  EXPECT_EQ(value(green, "SELECT count(*) FROM public.customers"), "0");
}

}  // namespace
}  // namespace verdigris::test
