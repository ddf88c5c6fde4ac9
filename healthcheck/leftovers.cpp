#include "healthcheck/questions.hpp"

#include "replication/control_schema.hpp"
#include "replication/stream.hpp"

namespace verdigris::questions {
namespace {

// One deployment per database: its schema would be taken for ours.
std::vector<std::string> other_deployments(Server& server, const std::string& ours, Deadline deadline) {
  std::vector<std::string> names;
  if (!has_control_schema(server.control(), deadline)) return names;
  const Result answer = server.control().query(
      Sql("SELECT deployment FROM verdigris.identity WHERE deployment <> $1 ORDER BY 1"), {ours}, deadline);
  for (const Row& row : answer.rows(1)) names.push_back(row.text(0));
  return names;
}

// Objects with the names of this deployment's streams, of any group. Slots of a server are those of all its databases.
std::vector<std::string> objects_with_our_names(Server& server, const std::string& deployment, Deadline deadline) {
  const Result answer = server.control().query(
      Sql(R"(
      SELECT 'slot "' || slot_name || '"' FROM pg_replication_slots WHERE slot_name::text ~ $1
      UNION ALL
      SELECT 'publication "' || pubname || '"' FROM pg_publication WHERE pubname::text ~ $1
      UNION ALL
      SELECT 'subscription "' || subname || '"' FROM pg_subscription
      WHERE subname::text ~ $1 AND subdbid = (SELECT oid FROM pg_database WHERE datname = current_database()))"),
      {"^(" + Stream::forward(deployment).name + "|" + Stream::reverse(deployment).name + ")(_g[0-9]+)?$"}, deadline);
  std::vector<std::string> names;
  for (const Row& row : answer.rows(1)) names.push_back(row.text(0));
  return names;
}

}  // namespace

Findings leftovers(const CheckContext& context) {
  Findings findings;
  for (Server* server : context.both()) {
    const auto others = other_deployments(*server, context.settings.deployment, context.deadline);
    if (!others.empty())
      findings.push_back(fail("deployment.other",
                              server->color() + ": the database belongs to deployment " + some_of(others),
                              "Finish or abandon that one first: a database takes part in one deployment at a time."));
    if (context.is_prepared || has_control_schema(server->control(), context.deadline)) continue;
    const auto objects = objects_with_our_names(*server, context.settings.deployment, context.deadline);
    if (!objects.empty())
      findings.push_back(fail(
          "slot.leftover", server->color() + ": " + some_of(objects) + " exists without a journal that says it is ours",
          "Drop it, or choose another name for the deployment."));
  }
  if (findings.empty()) findings.push_back(pass("slot.leftover", "nothing of an earlier run is in the way"));
  return findings;
}

}  // namespace verdigris::questions
