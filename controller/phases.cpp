#include "controller/phases.hpp"

#include <algorithm>
#include <utility>

#include "replication/errors.hpp"
#include "replication/side.hpp"

namespace verdigris {

// The product's table of contents: what leads from where to where.
const std::vector<Transition>& transitions() {
  static const std::vector<Transition> table = {
      // command     from                           plan               serves    leads to
      {"prepare",  {Phase::idle, Phase::ready},     PlanKind::prepare, "blue",  Phase::ready},
      {"switch",   {Phase::ready},                  PlanKind::cutover, "blue",  Phase::switched},
      {"rollback", {Phase::switched},               PlanKind::cutover, "green", Phase::ready},
      {kForcedRollback, {Phase::switched},           PlanKind::emergency, "green", Phase::ready},
      {"finish",   {Phase::switched},               PlanKind::finish,  "green", Phase::finished},
      {kReadsToGreen, {Phase::ready},                PlanKind::reads,   "blue",  Phase::ready},
      {kReadsToBlue, {Phase::ready},                 PlanKind::reads,   "blue",  Phase::ready},
      {"abandon",  {Phase::idle, Phase::ready},     PlanKind::abandon, "blue",  Phase::idle},
  };
  return table;
}

namespace {

// Asked for what already stands: no error, nothing to do.
bool is_where_it_leads(const Standing& standing, const Transition& transition) {
  if (transition.plan == PlanKind::emergency) return standing.is_left_behind;
  return transition.plan != PlanKind::prepare && standing.phase == transition.to;
}

std::string allowed_commands(Phase phase) {
  std::string out = "status, check, verify";
  for (const auto& transition : transitions())
    if (transition.plan != PlanKind::reads && std::ranges::find(transition.from, phase) != transition.from.end())
      out += ", " + std::string(transition.command);
  return out;
}

// Readers on green: what closes green's connections, or removes what they read from, would shut them out.
void require_readers_behind(const Standing& standing, std::string_view command) {
  if (!standing.are_reads_ahead || (command != "prepare" && command != "abandon")) return;
  throw Refused("phase.reads", std::string(command) + " is not possible while readers are led to green: it would shut them out",
                "Bring them back first: verdigris rollback --traffic reads");
}

// A move of readers names its end; a way back that went there for want of the other says so in its last record.
bool ends_with_reads_ahead(const OpenPlan& open, const Json& finished) {
  return finished.value("reads", open.command == kReadsToGreen ? "green" : "blue") == "green";
}

}  // namespace

std::string_view to_text(Phase phase) {
  switch (phase) {
    case Phase::idle: return "idle";
    case Phase::ready: return "ready";
    case Phase::switched: return "switched";
    case Phase::finished: return "finished";
  }
  return "unknown";
}

std::string_view to_text(PlanKind kind) {
  switch (kind) {
    case PlanKind::prepare: return "prepare";
    case PlanKind::cutover: return "cutover";
    case PlanKind::emergency: return "emergency";
    case PlanKind::reads: return "reads";
    case PlanKind::finish: return "finish";
    case PlanKind::abandon: return "abandon";
  }
  return "unknown";
}

const Transition& transition_of(std::string_view command) {
  const auto found = std::ranges::find(transitions(), command, &Transition::command);
  if (found == transitions().end())
    throw Error("journal.command", "no plan belongs to the command \"" + std::string(command) + "\"",
                "Use the version of verdigris that wrote this journal.");
  return *found;
}

bool ends_only_with_green(const OpenPlan& open) {
  return transition_of(open.command).plan == PlanKind::cutover && (open.source == "blue") == open.is_committed;
}

std::string crossing_beneath(const Standing& standing) {
  if (!standing.open) return {};
  if (is_emergency(standing)) return standing.open->first_record.value("over", "");
  return ends_only_with_green(*standing.open) ? standing.open->command : std::string{};
}

Standing standing_of(const std::vector<Record>& records) {
  Standing standing;
  std::optional<OpenPlan> beneath;  // the crossing that a forced rollback was begun over
  for (std::size_t i = 0; i < records.size(); ++i) {
    const auto& record = records[i];
    if (record.event == "plan") {
      if (standing.open && transition_of(standing.open->command).plan == PlanKind::cutover) beneath = std::move(standing.open);
      standing.open = OpenPlan{record.detail.at("command"), record.detail.at("source"), record.detail,
                               false, false, false, {}, i};
      if (transition_of(standing.open->command).plan == PlanKind::cutover) standing.given_up.clear();
    } else if (!standing.open) {
      continue;
    } else if (record.event == "window") {
      standing.open->is_in_window = record.detail.value("opens", true);
    } else if (record.event == "committed") {
      standing.open->is_committed = true;
      standing.open->committed = record.detail;
    } else if (record.event == "undone") {
      standing.open->is_undone = true;
    } else if (record.event == "finished" && standing.open->is_undone) {
      standing.open = std::exchange(beneath, std::nullopt);
    } else if (record.event == "finished") {
      const auto& transition = transition_of(standing.open->command);
      standing.phase = transition.to;
      if (transition.plan == PlanKind::abandon) standing.is_left_behind = false;
      if (transition.plan == PlanKind::emergency) {
        standing.serves = "blue";
        standing.is_left_behind = true;
        standing.given_up = "green was left behind by a forced rollback";
      }
      if (record.detail.contains("given_up")) standing.given_up = record.detail.at("given_up").value("reason", "");
      if (transition.plan == PlanKind::finish) standing.is_blue_open |= standing.open->first_record.value("open_blue", false);
      if (transition.plan == PlanKind::cutover) standing.serves = other_side(standing.open->source);
      standing.are_reads_ahead = transition.plan == PlanKind::reads && ends_with_reads_ahead(*standing.open, record.detail);
      standing.open.reset();
      beneath.reset();
    }
  }
  return standing;
}

std::optional<std::string> side_to_stay_closed(const Standing& standing) {
  if (standing.open || standing.phase == Phase::idle || standing.is_blue_open) return std::nullopt;
  return other_side(standing.serves);
}

Permission require_allowed(const Standing& standing, std::string_view command) {
  const auto& transition = transition_of(command);
  const std::string phase(to_text(standing.phase));
  if (standing.open) {
    const auto& open = transition_of(standing.open->command);
    const bool continues = open.command == command && open.plan != PlanKind::cutover && open.plan != PlanKind::emergency;
    const bool abandons = command == "abandon" && open.plan == PlanKind::prepare;
    const bool turns_readers = open.plan == PlanKind::reads && transition.plan == PlanKind::reads;
    // Undone but for green, which it had closed and which died then: begun anew it is the only way to open blue.
    const bool is_forced_anew = command == kForcedRollback && open.plan == PlanKind::emergency && standing.open->is_undone;
    const bool is_forced_over = command == kForcedRollback && ends_only_with_green(*standing.open);
    if (continues || abandons || turns_readers || is_forced_anew || is_forced_over) return Permission::run;
    const bool is_recovered = open.plan == PlanKind::cutover || open.plan == PlanKind::emergency || open.plan == PlanKind::reads;
    throw Refused("phase.interrupted", "a " + standing.open->command + " was begun and is not complete",
                  is_recovered ? "Run: verdigris recover" : "Run: verdigris " + standing.open->command);
  }
  if (standing.is_left_behind && (command == "prepare" || command == "switch" || command == kReadsToGreen))
    throw Refused("phase.left-behind", std::string(command) + " is not possible: green was left behind by a forced rollback and holds what blue never got",
                  "Begin anew: verdigris abandon --drop-green (if green is lost: --without green), then verdigris prepare.");
  require_readers_behind(standing, command);
  if (std::ranges::find(transition.from, standing.phase) != transition.from.end()) return Permission::run;
  if (is_where_it_leads(standing, transition)) return Permission::already_done;
  throw Refused("phase.command", std::string(command) + " is not possible in phase " + phase,
                "Possible now: " + allowed_commands(standing.phase) + ".");
}

std::optional<std::size_t> begin_of_open_plan(const std::vector<Record>& records) {
  const auto open = standing_of(records).open;
  return open ? std::optional(open->begins_at) : std::nullopt;
}

}  // namespace verdigris
