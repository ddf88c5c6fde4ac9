// What can be compared: the tables of both sides with the columns that they share, and the statements that read them.
// Made before any pause, so that in it only the statements run.
#pragma once

#include <string>
#include <vector>

#include "healthcheck/parity/row_hash.hpp"
#include "replication/catalog.hpp"
#include "replication/table_selection.hpp"

namespace verdigris {

struct ComparedTable {
  QualifiedName name;
  std::vector<SharedColumn> columns;
  std::int64_t source_bytes = 0;
  std::int64_t target_bytes = 0;
  std::string note;  // columns that only one side has
};

struct Agreement {
  std::vector<ComparedTable> tables;                             // leaves (relkind r) on both sides, ordered by name
  std::vector<std::pair<QualifiedName, std::string>> one_sided;  // table, and the side that lacks it
  std::vector<std::string> differences;                          // of sequences
  std::vector<std::string> uncovered;
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
