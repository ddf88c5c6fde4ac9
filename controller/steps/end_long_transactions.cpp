#include "controller/steps/end_long_transactions.hpp"

namespace verdigris {

std::string EndLongTransactions::describe() const {
  return "end sessions of " + source_->color() + " whose transaction is older than the gate allows";
}

PlannedActs EndLongTransactions::statements(Deadline) {
  return {{source_->color(), ending_long_transactions().text(), {source_->deployment(), "<seconds>"}}};
}

std::string EndLongTransactions::apply(Deadline deadline) {
  const auto ended = watch_->ender()->end_them(deadline);
  if (ended.empty()) return "no transaction to end";
  std::string text;
  for (const auto& one : ended) text += (text.empty() ? "ended on " + source_->color() + ": " : "; ") + one.describe();
  return text;
}

}  // namespace verdigris
