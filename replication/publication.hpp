// The publication of a stream: an explicit list of tables, never FOR ALL TABLES (pitfalls D14), always with its marker.
// Partition trees are named by their roots and sent leaf by leaf (publish_via_partition_root off), so that partitions
// born later are included. Calls are made by one thread on its own session.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "replication/catalog.hpp"
#include "replication/connection.hpp"
#include "replication/stream.hpp"
#include "replication/table_selection.hpp"

namespace verdigris {

struct PublishedTable {
  QualifiedName name;
  std::vector<Identifier> columns = {};  // empty: all. Needs 15; a leaf's list counts, not its root's
  bool operator==(const PublishedTable&) const = default;
};

// What of a catalog a publication names: the selected plain tables and roots of partition trees, not the partitions.
std::vector<PublishedTable> publishable(const std::vector<Table>& tables, const TableSelection& filter = {});

// Makes the publication hold exactly these tables and the stream's marker; changes nothing if it does. Throws Refused
// "publication.foreign" for one FOR ALL TABLES or of schemas, "publication.columns" for column lists before 15.
void ensure_publication(Connection& on, const Stream& stream, const std::vector<PublishedTable>& tables,
                        Deadline deadline);
// The same of several, `tables` for each stream, in one transaction: all are there or none.
using GroupedTables = std::vector<std::vector<PublishedTable>>;
void ensure_publications(Connection& on, const Streams& streams, const GroupedTables& tables, Deadline deadline);
bool are_published(Connection& on, const Streams& streams, const GroupedTables& tables, Deadline deadline);
// What it would send; empty if it changes nothing.
std::vector<Sql> publishing_statements(Connection& on, const Stream& stream, const std::vector<PublishedTable>& tables,
                                       Deadline deadline);
std::vector<Sql> publishing_statements(const Stream& stream, const Sql& tables);  // where there is none
// True if ensure_publication() would change nothing.
bool is_published(Connection& on, const Stream& stream, const std::vector<PublishedTable>& tables, Deadline deadline);
void drop_publication(Connection& on, const Stream& stream, Deadline deadline);
void drop_publications(Connection& on, const Streams& streams, Deadline deadline);  // in one transaction
Sql unpublishing_statement(const Stream& stream);  // what it sends

// As named, ordered, without the marker; nullopt if there is no such publication.
std::optional<std::vector<PublishedTable>> published_tables(Connection& on, const Stream& stream, Deadline deadline);
// What a subscription must hold: leaves in place of partition trees, ordered, with the marker.
std::vector<QualifiedName> published_leaves(Connection& on, const Stream& stream, Deadline deadline);
// Of all streams together; one that two publish is there twice.
std::vector<QualifiedName> published_leaves(Connection& on, const Streams& streams, Deadline deadline);

}  // namespace verdigris
