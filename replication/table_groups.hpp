// Which tables share a stream. One apply worker carries out one stream; what foreign keys, partition trees and inheritance
// tie together stays in one, since TRUNCATE ... CASCADE follows them and nothing keeps the order of commits between two
// streams. Decided once, when the publications are made; from then on they say it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "replication/connection.hpp"
#include "replication/publication.hpp"

namespace verdigris {

// Of tables as they are published: a partition counts as the root of its tree.
struct TableTie {
  QualifiedName one, other;
  std::string by;  // "foreign key lines_order_fkey", "inheritance"
};
struct TableWeight {
  QualifiedName name;
  std::int64_t writes = 0;  // rows, since statistics began
  std::int64_t bytes = 0;
};
struct GroupsWanted {
  std::vector<std::vector<std::string>> lists = {};  // "schema.table"; empty: by weight
  int most = 1;                                      // by weight: so many at the most
};
using TableGroups = std::vector<std::vector<QualifiedName>>;  // at least one, which may be empty

// How many streams so many cores can bear: half of them, two at the most, which a server with
// its default limits can follow; 0 cores: not known.
int groups_for_cores(int cores);

// By what is written, else by size; one group where little is written, or where a second one would get little of it.
TableGroups groups_by_weight(const std::vector<TableWeight>& tables, const std::vector<TableTie>& ties, int most);
// "public.a and public.b, which foreign key x ties together", of the first that stand in two groups. TRUNCATE of both
// would arrive in halves, and stop one of the streams.
std::optional<std::string> parted_tie(const TableGroups& groups, const std::vector<TableTie>& ties);
// What no list names is the first group. Throws Refused "repl.groups" for a name that is not a published table, Refused
// "repl.fk-groups" with two tables and the key for a list that parts them.
TableGroups groups_by_lists(const std::vector<QualifiedName>& tables, const std::vector<TableTie>& ties,
                            const std::vector<std::vector<std::string>>& lists);

std::vector<TableTie> table_ties(Connection& on, Deadline deadline);
// For these tables, which `on` would publish.
TableGroups decide_groups(Connection& on, const std::vector<PublishedTable>& tables, const GroupsWanted& wanted,
                          Deadline deadline);

// As the publications of these streams have them: empty if there is none.
GroupedTables published_groups(Connection& on, const Streams& streams, Deadline deadline);

}  // namespace verdigris
