#include "healthcheck/coverage.hpp"

#include <algorithm>
#include <set>

#include "replication/publication.hpp"
#include "replication/subscription.hpp"

namespace verdigris {
namespace {

using Names = std::set<QualifiedName>;

// Leaves of partition trees and plain tables, as they appear on the wire.
Names wanted(const std::vector<Table>& tables, const TableSelection& filter) {
  Names names;
  for (const auto& table : tables)
    if (!table.is_partitioned && filter.selects(table)) names.insert(table.name);
  return names;
}

std::vector<std::string> missing(const Names& all, const Names& present) {
  std::vector<std::string> names;
  for (const auto& name : all)
    if (!present.contains(name)) names.push_back(name.display());
  return names;
}

void require_all(const Names& all, const Names& present, const std::string& id, const std::string& what,
                 const std::string& hint, Findings& findings) {
  const auto names = missing(all, present);
  if (!names.empty()) findings.push_back(fail(id, what + some_of(names), hint));
}

void name_what_cannot_replicate(Connection& source, Deadline deadline, Findings& findings) {
  const Result answer = source.query(Sql(R"(
    SELECT n.nspname || '.' || c.relname || CASE c.relkind WHEN 'f' THEN ' (foreign)' ELSE ' (unlogged)' END
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE (c.relkind = 'f' OR c.relkind = 'r' AND c.relpersistence = 'u')
      AND n.nspname !~ '^(pg_|information_schema$|verdigris$)' ORDER BY 1)"),
                                     deadline);
  std::vector<std::string> names;
  for (const Row& row : answer.rows(1)) names.push_back(row.text(0));
  if (!names.empty())
    findings.push_back(note("data.unpublished", source.server() + ": not replicated: " + some_of(names)));
}

}  // namespace

Findings coverage(Connection& source, Connection& target, const Streams& streams, Deadline deadline,
                  const TableSelection& filter) {
  Findings findings;
  const Names ours = wanted(user_tables(source, deadline), filter);
  const Names theirs = wanted(user_tables(target, deadline), filter);
  const std::string again = "Run verdigris abandon, then verdigris prepare: tables are taken in at the beginning only.";
  Names published;
  std::vector<std::string> twice, not_ready;
  Findings of_streams;
  for (const auto& stream : streams) {
    const auto leaves = published_leaves(source, stream, deadline);
    for (const auto& name : leaves)
      if (!published.insert(name).second) twice.push_back(name.display());
    const SubscriptionState state = subscription_state(target, stream, deadline);
    const Names of_stream(leaves.begin(), leaves.end()), subscribed(state.tables.begin(), state.tables.end());
    require_all({stream.marker()}, of_stream, "data.unpublished", source.server() + ": not published: ", again, of_streams);
    require_all(of_stream, subscribed, "data.unsubscribed",
                target.server() + ": published tables are not in the subscription: ", again, of_streams);
    not_ready.insert(not_ready.end(), state.not_ready.begin(), state.not_ready.end());
  }
  require_all(ours, published, "data.unpublished", source.server() + ": tables are not published: ", again, findings);
  findings.insert(findings.end(), of_streams.begin(), of_streams.end());
  if (!twice.empty())
    findings.push_back(fail("data.published-twice", source.server() + ": tables are in two groups: " + some_of(twice), again));
  require_all(ours, theirs, "schema.missing-table", target.server() + ": tables are missing: ", again, findings);
  if (!not_ready.empty())
    findings.push_back(fail("data.unsubscribed",
                            target.server() + ": tables are not ready: " + some_of(not_ready),
                            "Wait until they are, or look into that server's log."));
  name_what_cannot_replicate(source, deadline, findings);
  return findings;
}

}  // namespace verdigris
