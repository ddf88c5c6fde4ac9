#include "controller/emergency_fence.hpp"

#include <algorithm>

#include "replication/access.hpp"
#include "replication/fence.hpp"

namespace verdigris {
namespace {

using std::chrono::milliseconds;

// Who serves by one journal alone; nothing while a crossing is undecided there.
std::optional<std::string> serving_by(const std::vector<Record>& records) {
  const auto standing = standing_of(records);
  if (is_emergency(standing)) return standing.open->is_committed ? std::string("blue") : standing.serves;
  if (!standing.open || transition_of(standing.open->command).plan != PlanKind::cutover) return standing.serves;
  if (standing.open->is_undone) return standing.open->source;
  if (standing.open->is_committed) return other_side(standing.open->source);
  return std::nullopt;
}

void print_parting(const std::vector<Record>& blue, const std::vector<Record>& green, Output& output) {
  const auto [at_blue, at_green] = std::ranges::mismatch(blue, green, is_same);
  const auto print = [&](const char* color, const auto& at, const auto& end) {
    if (at == end) return;
    output.note(std::string(color) + ": record " + std::to_string(at->seq) + " of " + at->at + " is \"" + at->event +
                "\" by " + at->controller + " " + at->detail.dump());
  };
  print("blue ", at_blue, blue.end());
  print("green", at_green, green.end());
}

const Json* named_by(const std::vector<Record>& records, const std::string& color) {
  const Json* found = nullptr;
  for (const auto& record : records)
    if (record.event == "plan" && record.detail.contains("identity")) found = &record.detail.at("identity").at(color);
  return found;
}

// By its own journal any server is the one it speaks of: the other side's must mean it, too. A promoted standby or a
// backup that was restored is meant, whatever its timeline.
bool is_meant(Deployment& d, Server& server, const std::vector<Record>& by_other, Deadline deadline, Output& output) {
  std::string why;
  try {
    const auto now = server_identity(server.control(), d.name(), deadline);
    const Json* then = named_by(by_other, server.color());
    if (then == nullptr) return true;
    if (then->value("system_identifier", "") == now.system_identifier && then->value("token", "") == now.token) return true;
    why = "system " + now.system_identifier + ", and " + other_side(server.color()) + "'s journal names system " + then->value("system_identifier", "");
  } catch (const Refused& error) {  // a standby takes no writes
    why = error.what();
  }
  output.warning(server.color() + " (" + server.endpoint() + "): another server answers there (" + why + "); it is left as it is",
                 "Point clusters." + server.color() + " of the playbook at the right server, then run verdigris recover.");
  return false;
}

}  // namespace

bool fence_if_open(Deployment& d, Server& server, bool is_dry_run, Output& output) {
  const auto deadline = Deadline::after(milliseconds(30'000));
  const auto state = fence_state(server.control(), deadline);
  if (state == FenceState::closed || state == FenceState::following) return false;
  if (state == FenceState::absent) {
    output.warning(server.color() + " (" + server.endpoint() + ") has no fence of ours: whoever reaches it can write there",
                   "Take it out of reach of clients until it is known which server holds the data.");
    return true;
  }
  if (is_dry_run) {
    output.note(server.color() + " is open and would be closed for writes");
    return true;
  }
  try {
    close_fence(server.control(), d.playbook().fence.lock_timeout, deadline);
  } catch (const ServerError&) {
    // A writer did not let go: the function alone refuses every new statement, and no stillness is to be proven here.
    Transaction transaction(server.control(), deadline);
    set_fence(transaction, FenceState::closed);
    transaction.commit();
  }
  output.note(server.color() + " was open and has been closed for writes");
  return true;
}

bool shut_out_if_open(Deployment& d, Server& server, bool is_dry_run, Output& output) {
  const auto deadline = Deadline::after(milliseconds(30'000));
  if (is_access_closed(server.control(), d.name(), deadline)) return false;
  if (!is_dry_run) {
    Transaction transaction(server.control(), deadline);
    close_access(transaction, d.name(), d.roles_to_keep(server.color()));
    transaction.commit();
  }
  if (!is_dry_run && !is_access_closed(server.control(), d.name(), deadline)) {
    output.warning(server.color() + ": its connection limit was changed by hand and is left as it is; the fence refuses writes",
                   "To keep clients out as well: ALTER DATABASE " + server.dbname() + " CONNECTION LIMIT 0.");
    return false;
  }
  output.note(server.color() + (is_dry_run ? " takes connections and would be closed for them" : " took connections and has been closed for them"));
  return true;
}

void fence_contradicting_sides(Deployment& d, bool is_dry_run, Output& output) {
  const auto deadline = Deadline::after(milliseconds(30'000));
  const auto blue = d.journal().records_on("blue", deadline);
  const auto green = d.journal().records_on("green", deadline);
  print_parting(blue, green, output);
  const auto by_blue = serving_by(blue);
  const bool is_agreed = by_blue && by_blue == serving_by(green);
  for (Server* server : {&d.blue(), &d.green()}) {
    if (is_agreed && server->color() == *by_blue) continue;
    if (is_meant(d, *server, server->color() == "blue" ? green : blue, deadline, output)) fence_if_open(d, *server, is_dry_run, output);
  }
}

}  // namespace verdigris
