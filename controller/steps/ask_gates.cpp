#include "controller/steps/ask_gates.hpp"

#include <utility>

#include "controller/gate.hpp"

namespace verdigris {

std::string AskGates::describe() const {
  std::string text = "ask the gates: ";
  bool is_first = true;
  for (const auto& one : watch_->descriptions()) text += (std::exchange(is_first, false) ? "" : ", ") + one;
  return text;
}

Readiness AskGates::check(Deadline) {
  if (const auto red = watch_->refusal()) return Blocked{red->red, red->hint};
  return Ready{};
}

PlannedActs AskGates::statements(Deadline) {
  PlannedActs out;
  for (const auto& gate : gates_) {
    if (const auto* sql = std::get_if<SqlGate>(&gate)) out.push_back({sql->on, sql->query});
    if (const auto* command = std::get_if<CommandGate>(&gate)) {
      std::string line;
      for (const auto& argument : command->line.argv) line += (line.empty() ? "" : " ") + argument;
      out.push_back({command->id, line, {}, false, {}, true});
    }
  }
  return out;
}

std::string AskGates::apply(Deadline) {
  if (const auto why = watch_->last_obstacle()) throw NotYet(*why);
  return watch_->account();
}

}  // namespace verdigris
