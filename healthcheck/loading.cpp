#include "healthcheck/questions.hpp"
#include "replication/control_schema.hpp"

namespace verdigris::questions {

// Noted on both sides before the first row: whatever one of them has lost, the other still says it.
Findings loading(const CheckContext& context) {
  const std::string id = "target.loading";
  for (Server* server : context.both()) {
    if (!context.is_prepared && !has_control_schema(server->control(), context.deadline)) continue;
    if (!saved_value(server->control(), context.settings.deployment, kLoadingKey, context.deadline)) continue;
    if (context.is_preparing)
      return {note(id, "green is being loaded without its settings for good; prepare ends that")};
    return {fail(id, server->color() + " says that green is still being loaded: what it holds may not survive a crash",
                 "Run: verdigris prepare, which makes it durable and restarts it.")};
  }
  return {pass(id, "green is not being loaded")};
}

}  // namespace verdigris::questions
