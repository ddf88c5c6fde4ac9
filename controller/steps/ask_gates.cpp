#include "controller/steps/ask_gates.hpp"

#include <thread>

#include "controller/runner.hpp"
#include "replication/errors.hpp"

namespace verdigris {
namespace {

constexpr std::chrono::milliseconds kGateLook{20};  // a signal is heard within this

}  // namespace

std::string AskGates::describe() const {
  std::string text = "ask the gates: ";
  bool is_first = true;
  for (const auto& one : watch_->descriptions()) text += (std::exchange(is_first, false) ? "" : ", ") + one;
  return text;
}

Readiness AskGates::check(Deadline deadline) {
  if (const auto red = watch_->refusal(deadline)) return Blocked{red->red, red->hint};
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
  if (watch_->ender() != nullptr)
    out.push_back({source_->color(), ending_long_transactions().text(), {source_->deployment(), "<seconds>"}});
  return out;
}

std::string AskGates::apply(Deadline deadline) {
  for (auto why = watch_->last_obstacle(deadline); why; why = watch_->obstacle(deadline)) {
    if (was_interrupted()) throw Error("interrupted", "interrupted by a signal", "Run the same command to go on.");
    if (deadline.has_passed())
      throw DeadlinePassed(*why + ", for longer than all that comes before clients are held may take");
    std::this_thread::sleep_for(kGateLook);
  }
  std::string text = watch_->account();
  if (watch_->ender() == nullptr) return text;
  const auto ended = watch_->ender()->end_them(deadline);
  for (const auto& one : ended)
    text += (&one == &ended.front() ? "; ended on " + source_->color() + ": " : "; ") + one.describe();
  return text + (ended.empty() ? "; no transaction to end" : "");
}

}  // namespace verdigris
