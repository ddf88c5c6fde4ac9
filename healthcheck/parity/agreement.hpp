// What can be compared: the tables of both sides with the columns that they share, and the statements that read them.
// Made before any pause, so that in it only the statements run.
#pragma once

#include <string>
#include <vector>

#include "healthcheck/parity/row_hash.hpp"
#include "replication/catalog.hpp"
#include "replication/table_selection.hpp"

namespace verdigris {

struct KeyColumn {
  SharedColumn column;
  std::string source_type;  // format_type()
  std::string target_type;
};

struct ComparedTable {
  QualifiedName name;
  std::vector<SharedColumn> columns;
  std::int64_t source_bytes = 0;
  std::int64_t target_bytes = 0;
  std::string note;  // columns that only one side has
  // Of the identity in force on both sides, the same columns there; empty: its rows can only be told apart by all columns.
  std::vector<KeyColumn> key = {};
};

// Something that equal rows do not show, because it was not compared or is only on one side. A playbook waives it by id.
struct Gap {
  std::string id;    // "data.columns"
  std::string what;  // "public.orders.note"
};

struct Agreement {
  std::vector<ComparedTable> tables;                             // leaves (relkind r) on both sides, ordered by name
  std::vector<std::pair<QualifiedName, std::string>> one_sided;  // table, and the side that lacks it
  std::vector<std::string> differences;                          // of sequences
  std::vector<std::string> uncovered;
  std::vector<Gap> gaps;  // all of these, and the columns that the target lacks

  void leave_out(const std::string& id, const std::string& what) {
    uncovered.push_back(what);
    gaps.push_back({id, what});
  }
};

struct SideCatalog {
  std::string color;
  std::vector<Table> tables;
  std::vector<Sequence> sequences;
};

SideCatalog read_catalog(Connection& on, const std::string& color, Deadline deadline);
Agreement agree(const SideCatalog& source, const SideCatalog& target, const HashAgreement& hashes,
                const TableSelection& filter);

}  // namespace verdigris
