// What to copy, in which order and how: one item per table that holds rows (leaves of partition trees and plain
// tables).
#pragma once

#include <cstdint>
#include <vector>

#include "replication/catalog.hpp"
#include "replication/table_selection.hpp"

namespace verdigris {

struct CopyItem {
  QualifiedName table;
  std::vector<Identifier> columns;  // those that are not generated, in the source's order
  std::int64_t bytes = 0;           // on the source
  bool may_truncate = true;         // on the target: no foreign key points at it, so TRUNCATE and FREEZE are possible
};

// Longest first, so that no long one is started last.
std::vector<CopyItem> copy_plan(const std::vector<Table>& source_tables, const TableSelection& filter);

// Tables of the target that foreign keys point at; those in `items` are marked.
void mark_referenced(std::vector<CopyItem>& items, Connection& target, Deadline deadline);

// COPY t (a, b) TO STDOUT / FROM STDIN, text. Without columns the list is left out: generated ones are left out anyway.
Sql emptying(const CopyItem& item);  // on the target, in the transaction of copy_from(), if it may be truncated
Sql copy_to(const CopyItem& item);
Sql copy_from(const CopyItem& item);

}  // namespace verdigris
