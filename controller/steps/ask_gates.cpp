#include "controller/steps/ask_gates.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "controller/gate.hpp"

namespace verdigris {

std::string AskGates::describe() const {
  return fmt::format("ask the gates: {}", fmt::join(watch_->descriptions(), ", "));
}

Readiness AskGates::check(Deadline) {
  if (const auto red = watch_->refusal()) return Blocked{red->red, red->hint};
  return Ready{};
}

PlannedActs AskGates::statements(Deadline) {
  PlannedActs out;
  for (const auto& gate : gates_) {
    if (const auto* sql = std::get_if<SqlGate>(&gate)) out.push_back({sql->on, sql->query});
    if (const auto* command = std::get_if<CommandGate>(&gate))
      out.push_back({command->id, fmt::format("{}", fmt::join(command->line.argv, " ")), {}, false, {}, true});
  }
  return out;
}

std::string AskGates::apply(Deadline) {
  if (const auto why = watch_->last_obstacle()) throw NotYet(*why);
  return watch_->account();
}

}  // namespace verdigris
