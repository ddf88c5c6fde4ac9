#include "healthcheck/questions.hpp"
#include "replication/subscription.hpp"

namespace verdigris::questions {

// From 16 on apply acts as each table's owner, and row security that is forced on that one stops the stream at the first
// row. The tables are the source's: the target may have none yet.
Findings table_owners(const CheckContext& context) {
  const std::string id = "apply.table-owners";
  const auto closed = closed_to_their_owners(context.source.control(), context.deadline);
  std::vector<std::string> names;
  for (const auto& table : closed) names.push_back(table.display());
  if (names.empty()) return {pass(id, "every owner may write to its tables")};
  Findings findings;
  for (Server* server : context.both()) {
    if (server->major() < 16) continue;
    findings.push_back(warn(id,
                            server->color() + ": owners that forced row security or revoked rights keep from their tables: " +
                                some_of(names) + "; the apply worker acts as role \"" + server->user() + "\" on all",
                            "Make sure that you trust all who own tables: their ALWAYS and REPLICA triggers, CHECKs and "
                            "generated columns run with that role's rights there, as up to PostgreSQL 15."));
  }
  if (findings.empty()) findings.push_back(pass(id, "up to 15 the apply worker never acts as the owner of a table"));
  return findings;
}

}  // namespace verdigris::questions
