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
    findings.push_back(fail(id,
                            server->color() + ": owners that forced row security or revoked rights keep from their tables, "
                                              "where the apply worker would stop: " + some_of(names),
                            "Let the owners write there; or, if you trust all who own tables, accept apply.table-owners under "
                            "waivers: the apply worker acts as role \"" + server->user() + "\" on all of them then, and their "
                            "ALWAYS and REPLICA triggers, CHECKs and generated columns run with its rights, as up to "
                            "PostgreSQL 15."));
  }
  if (findings.empty()) findings.push_back(pass(id, "up to 15 the apply worker never acts as the owner of a table"));
  return findings;
}

}  // namespace verdigris::questions
