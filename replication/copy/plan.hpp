// What to copy, in which order and how: one item per table that holds rows (leaves of partition trees and plain
// tables), or several for one that would still be under way when all others are done.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "replication/catalog.hpp"
#include "replication/server.hpp"
#include "replication/table_selection.hpp"

namespace verdigris {

// Of a table's heap; up to its end if `to` is not given.
struct BlockRange {
  std::int64_t from = 0;
  std::optional<std::int64_t> to = {};
};

struct Copied {
  std::int64_t rows = 0, bytes = 0;  // as they were sent
};

struct CopyItem {
  QualifiedName table;
  std::vector<Identifier> columns;  // those that are not generated, in the source's order
  std::int64_t bytes = 0;           // on the source
  bool may_truncate = true;         // on the target: no foreign key points at it, so TRUNCATE and FREEZE are possible
  bool is_binary = false;           // text otherwise
  std::optional<BlockRange> part = {};  // of a table that is split
  std::optional<Copied> copied = {};    // by an earlier run: there already

  // Emptied in the transaction that fills it. For a small table new files cost more than they spare; a part shares its
  // table with others.
  bool is_frozen() const { return may_truncate && !part && !is_small(); }
  bool is_small() const { return bytes < kSmallTable; }
  static constexpr std::int64_t kSmallTable = 64 << 10;
};

// Longest first, so that no long one is started last.
std::vector<CopyItem> copy_plan(const std::vector<Table>& source_tables, const TableSelection& filter);

// Tables of the target that foreign keys point at; those in `items` are marked.
void mark_referenced(std::vector<CopyItem>& items, Connection& target, Deadline deadline);

// Binary where every column's binary form is the same on all majors and holds no OID of one server: it costs both servers
// a third less than text. And where a table's columns are of the same types on both sides; one that the target does not
// have yet gets the source's.
void choose_formats(std::vector<CopyItem>& items, Connection& source, Connection& target, Deadline deadline);

// How many streams the parts of a split table are for. A stream keeps two processes busy, one on each server: with both
// on one machine half its cores are enough, and more cost more than they bring, since parts cannot be frozen.
int streams_for_parts(int workers, bool is_one_machine, int cores);
bool is_on_this_machine(const Server& server);
// cores: of the machine that both are on, if they are; 0: of this one.
int streams_for_parts(int workers, const Server& source, const Server& target, int cores);

// Splits what would be the tail: a table that alone takes longer than its share of the streams. Others stay whole, since
// parts cannot be frozen, and cost the source an executor. Only from 14 on a part is read without reading the whole.
void split_tail(std::vector<CopyItem>& items, int streams, Connection& source, Deadline deadline);
// The same with the sizes at hand: blocks of the heap, in the order of `items` (0: not known, stays whole).
std::vector<CopyItem> with_split_tail(std::vector<CopyItem> items, const std::vector<std::int64_t>& blocks, int streams);
// The first blocks of the parts of each split table; and the same parts again, whatever the sizes are by now.
using SplitTables = std::map<QualifiedName, std::vector<std::int64_t>>;
SplitTables splits_of(const std::vector<CopyItem>& items);
std::vector<CopyItem> with_splits(std::vector<CopyItem> items, const SplitTables& splits);

// COPY t (a, b) TO STDOUT / FROM STDIN. Without columns the list is left out: generated ones are left out anyway.
Sql emptying(const CopyItem& item);  // on the target, in the transaction of copy_from(), if is_frozen()
Sql copy_to(const CopyItem& item);
Sql copy_from(const CopyItem& item);

}  // namespace verdigris
