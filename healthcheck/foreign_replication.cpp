#include "healthcheck/questions.hpp"

namespace verdigris::questions {
namespace {

std::vector<std::string> subscriptions_of_others(Server& server, bool only_enabled, Deadline deadline) {
  const Result answer = server.control().query(Sql(R"(
      SELECT subname FROM pg_subscription
      WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND subname !~ '^verdigris_'
        AND (subenabled OR NOT $1) ORDER BY 1)"),
                                               {only_enabled ? "t" : "f"}, deadline);
  std::vector<std::string> names;
  for (const Row& row : answer.rows(1)) names.push_back(row.text(0));
  return names;
}

}  // namespace

// Writes of an apply worker pass the fence of the side that serves: they would go on behind it.
Findings inbound_replication(const CheckContext& context) {
  const auto& serving = context.source.color();
  const auto names = subscriptions_of_others(context.source, true, context.deadline);
  if (names.empty()) return {pass("repl.inbound", serving + " is no subscriber")};
  return {fail("repl.inbound", serving + ": receives rows from elsewhere by subscription " + some_of(names),
               "Disable it, or move it to " + context.target.color() + " first: those rows would be lost at the switch.")};
}

// On green they would mix with ours.
Findings foreign_replication(const CheckContext& context) {
  Findings findings = inbound_replication(context);
  const auto on_green = subscriptions_of_others(context.target, false, context.deadline);
  if (on_green.empty())
    findings.push_back(pass("target.foreign-repl", "green has no other subscription"));
  else
    findings.push_back(fail("target.foreign-repl", "green: has subscriptions that are not ours: " + some_of(on_green),
                            "Drop them (with slot_name = NONE if the slot belongs to somebody else)."));
  return findings;
}

}  // namespace verdigris::questions
