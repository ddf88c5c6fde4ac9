// A small shop's database for the sandbox: varied types, keys, names and features of a schema that people really have,
// and the ledger tables that show a lost or doubled write (faults I1). The same options give the same rows. Needs the
// roles of roles.hpp; everything belongs to app_owner.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "replication/conninfo.hpp"
#include "replication/deadline.hpp"
#include "replication/tool_runner.hpp"

namespace verdigris {

struct DatasetOptions {
  int tables = 40;  // that hold rows: leaves of partition trees and ledger tables counted, partitioned tables not
  int megabytes = 300;
};

inline constexpr int kFewestTables = 10;  // what the load writes to

// `superuser` leads to the database. Types, tables, constraints, functions, triggers, views, grants; no rows.
void create_schema(const Conninfo& superuser, const DatasetOptions& options, Deadline deadline);
// The rows, by two sessions at once, and VACUUM ANALYZE, so that autovacuum does not come right afterwards. Call it
// between create_tables and finish_schema, as create_dataset does: constraints are cheaper once the rows are there.
void create_dataset(const Conninfo& superuser, const DatasetOptions& options, const ProgressCallback& progress,
                    Deadline deadline);

// One table or partition tree of the dataset; the texts are SQL for a session with search_path=public.
struct TableSpec {
  std::string name;
  int tables;     // that hold rows
  int row_bytes;  // as measured, with TOAST, without indexes
  int share;      // of the data, in parts of 1000
  std::string create;
  std::string fill;    // $1 is the number of rows; empty: none
  std::string finish;  // once the rows are there: constraints, indexes, triggers
};

std::vector<TableSpec> shop_tables();   // dataset_shop.cpp: first those that the load writes to
std::vector<TableSpec> typed_tables();  // dataset_types.cpp
// Exactly `count` tables: shop, types, and plain archives for the rest.
std::vector<TableSpec> dataset_tables(int count);

}  // namespace verdigris
