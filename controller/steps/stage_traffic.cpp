#include "controller/steps/stage_traffic.hpp"

namespace verdigris {

std::string StageTraffic::describe() const {
  return "try " + traffic_.describe() + (traffic_.abilities().has_file ? " and lay the file for the target ready" : "");
}

Readiness StageTraffic::check(Deadline deadline) {
  traffic_.require_sound(from_, budget_, deadline);
  return Ready{};
}

PlannedActs StageTraffic::statements(Deadline deadline) { return traffic_.file_changes(to_, deadline); }

std::string StageTraffic::apply(Deadline deadline) {
  traffic_.require_ready(from_, budget_, deadline);
  const auto logins = traffic_.try_logins(to_, deadline);
  traffic_.stage(to_, deadline);
  return traffic_.describe() + (traffic_.abilities().has_file ? ", file staged" : ", as it must be") +
         (logins.empty() ? "" : "; " + logins);
}

void StageTraffic::undo(Deadline deadline) {
  traffic_.discard_staged();
  traffic_.clear_trials(deadline);
}

}  // namespace verdigris
