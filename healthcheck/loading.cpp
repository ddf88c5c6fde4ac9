#include "healthcheck/questions.hpp"
#include "replication/control_schema.hpp"

namespace verdigris::questions {

// Noted on both sides before the first row: whatever one of them has lost, the other still says it.
Findings loading(const CheckContext& context) {
  const std::string id = "target.loading";
  for (Server* server : context.both()) {
    if (!has_control_schema(server->control(), context.deadline)) continue;
    if (!saved_value(server->control(), context.settings.deployment, kLoadingKey, context.deadline)) continue;
    if (context.is_preparing && !context.settings.is_target_ours)
      return {fail(id, server->color() + " says that green is still being loaded, and the playbook does not say any more how it is made",
                   "Write provision back as it was, then repeat the command; or take all of it back: verdigris abandon.")};
    if (context.is_preparing)
      return {note(id, "green is being loaded without its settings for good; prepare ends that")};
    return {fail(id, server->color() + " says that green is still being loaded: what it holds may not survive a crash",
                 "Run: verdigris prepare, which makes it durable and restarts it.")};
  }
  return {pass(id, "green is not being loaded")};
}

}  // namespace verdigris::questions
