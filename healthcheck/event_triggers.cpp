#include "healthcheck/questions.hpp"

namespace verdigris::questions {
namespace {

std::vector<std::string> names_of(Server& server, const char* enabled, Deadline deadline) {
  const Result answer =
      server.control().query(Sql("SELECT evtname FROM pg_event_trigger WHERE evtenabled::text = ANY ($1) ORDER BY 1"),
                             {std::string(enabled)}, deadline);
  std::vector<std::string> names;
  for (const Row& row : answer.rows(1)) names.push_back(row.text(0));
  return names;
}

}  // namespace

// They answer our own DDL: one that is ALWAYS on can refuse the control tables when half of them are made. From 17 on our
// sessions switch them off.
Findings event_triggers(const CheckContext& context) {
  Findings findings;
  for (Server* server : context.both()) {
    if (server->major() >= 17) continue;
    const auto always = names_of(*server, "{A}", context.deadline);
    if (!always.empty())
      findings.push_back(fail("schema.event-triggers",
                              server->color() + ": event triggers fire always, for our own DDL too: " + some_of(always),
                              "ALTER EVENT TRIGGER ... DISABLE for the time of the deployment, or waive it by name."));
    const auto ordinary = names_of(*server, "{O}", context.deadline);
    if (!ordinary.empty())
      findings.push_back(warn("schema.event-triggers",
                              server->color() + ": event triggers answer our DDL: " + some_of(ordinary),
                              "Make sure that they let the controller's role create and drop objects."));
  }
  if (findings.empty()) findings.push_back(pass("schema.event-triggers", "none that answers our DDL"));
  return findings;
}

}  // namespace verdigris::questions
