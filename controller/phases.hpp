// The phase table: idle -> ready -> switched -> finished, and which command runs which plan from where. What stands is
// read from the journal, never remembered.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controller/journal.hpp"

namespace verdigris {

enum class Phase { idle, ready, switched, finished };
enum class PlanKind { prepare, cutover, emergency, reads, finish, abandon };

std::string_view to_text(Phase phase);
std::string_view to_text(PlanKind kind);

struct Transition {
  std::string_view command;
  std::vector<Phase> from;
  PlanKind plan;
  std::string_view source;  // colour of the side that serves before the plan
  Phase to;
};
// Its plan's first record names blue as source: blue's journal leads, with an epoch of its own.
inline constexpr std::string_view kForcedRollback = "rollback --force";
// Readers alone are led to green, or back to blue, while blue serves: a plan without a line, which blue's journal leads.
inline constexpr std::string_view kReadsToGreen = "switch --traffic reads";
inline constexpr std::string_view kReadsToBlue = "rollback --traffic reads";
const std::vector<Transition>& transitions();
const Transition& transition_of(std::string_view command);

// A plan that was begun and not closed.
struct OpenPlan {
  std::string command;
  std::string source;     // colour
  Json first_record;      // identities, moments: what the plan started from
  bool is_committed = false;
  bool is_in_window = false;  // clients are held, or will be at once: too late to keep it from there
  bool is_undone = false;     // decided; poolers and the like may still have to be put back
  Json committed;         // detail of the deciding record
  std::size_t begins_at = 0;  // index of its first record
};

struct Standing {
  Phase phase = Phase::idle;
  std::string serves = "blue";
  std::string given_up;  // why the last crossing ended without the stream back; empty if it has it
  bool is_left_behind = false;  // green, by rollback --force: nothing is left to follow or to go back to
  bool is_blue_open = false;  // by finish --open-blue: nothing of ours is left there to close
  bool are_reads_ahead = false;  // readers are on green, whose connections are open for them, while blue serves
  std::optional<OpenPlan> open;
};

// A crossing that only green could end: a switch that is decided, a rollback that is not. If green is lost for good, a
// forced rollback may be begun over it; undone itself, it leaves the crossing open as it was.
bool ends_only_with_green(const OpenPlan& open);
// The command of such a crossing, open by itself or beneath a forced rollback; empty if there is none.
std::string crossing_beneath(const Standing& standing);

// Whether the records of the open plan are led by blue whatever was decided: green is lost or left.
inline bool is_emergency(const Standing& standing) {
  return standing.open && transition_of(standing.open->command).plan == PlanKind::emergency;
}

// Which plan is open, told apart from a crossing that is open beneath a forced rollback.
std::optional<std::size_t> begin_of_open_plan(const std::vector<Record>& records);
Standing standing_of(const std::vector<Record>& records);

// Where the readers' names of the pooler lead, as the last plan that was completed left them.
inline std::string reads_of(const Standing& standing) { return standing.are_reads_ahead ? "green" : standing.serves; }
inline bool is_move_of_reads(const Standing& standing) {
  return standing.open && transition_of(standing.open->command).plan == PlanKind::reads;
}

// The side that must not take writes of clients, whatever the reason; nothing where that cannot be said by the journal: in
// idle, in the midst of a plan, after finish --open-blue.
std::optional<std::string> side_to_stay_closed(const Standing& standing);

enum class Permission { run, already_done };
// Throws Refused "phase.*" with the state and the commands allowed in it. A plan of the same command that was
// interrupted is continued if it has no deciding record to respect (prepare, finish, abandon); else `recover` is named.
Permission require_allowed(const Standing& standing, std::string_view command);

}  // namespace verdigris
