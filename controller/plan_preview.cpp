#include "controller/plan_preview.hpp"

#include <fmt/format.h>

#include <fstream>
#include <iterator>

#include "controller/hold.hpp"
#include "controller/migration/files.hpp"
#include "controller/shared_acts.hpp"
#include "controller/plans.hpp"
#include "controller/staged_file.hpp"
#include "controller/waiting_slot.hpp"
#include "replication/catalog.hpp"
#include "replication/control_schema.hpp"
#include "replication/identity.hpp"

namespace verdigris {
namespace {

// What stands on an earlier step that is still to be done cannot be asked yet: to do.
Readiness readiness_of(Step& step, Deadline deadline) {
  try {
    return step.check(deadline);
  } catch (const Refused& error) {
    return Blocked{error.what(), error.hint()};
  } catch (const Error&) {
    return Ready{};
  }
}

// PlannedActs of a step are asked for unless it is done for good: what stands behind the gate is looked at again then.
PlannedActs statements_of(Step& step, bool is_wanted, Deadline deadline) {
  if (!is_wanted) return {};
  try {
    return step.statements(deadline);
  } catch (const Error& error) {
    return {{"unknown", std::string("<cannot be told now: ") + error.what() + ">"}};
  }
}

// Whether what a step finds done will still be so when its turn comes. `never`: nothing is there yet, so that what has
// nothing to do now may have something by then.
enum class DoneIs { final, asked_again, never };

PlannedStep planned_step(Step& step, bool is_taken_back, DoneIs done_is, Deadline deadline) {
  PlannedStep out{std::string(step.name()), (is_taken_back ? "undo: " : "") + step.describe(), "to do", "", {}};
  if (is_taken_back) return out;
  const auto readiness = readiness_of(step, deadline);
  const bool is_done = std::holds_alternative<Done>(readiness);
  if (is_done) out.state = "done";
  if (const auto* blocked = std::get_if<Blocked>(&readiness)) {
    out.state = "blocked: " + blocked->why;
    out.hint = blocked->hint;
  }
  out.statements = statements_of(step, !is_done || done_is != DoneIs::final, deadline);
  if (is_done && done_is == DoneIs::never && !out.statements.empty()) out.state = "to do";
  return out;
}

std::string digest_of_file(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return sha256({std::istreambuf_iterator<char>(stream), {}});
}

std::string digest_of_migrations(const std::filesystem::path& dir, std::size_t& count) {
  std::string all;
  const auto migrations = load_migrations(dir);
  count = migrations.size();
  for (const auto& one : migrations) all += one.name + " " + one.sha256 + " " + sha256(one.down) + "\n";
  return sha256(all);
}

// Nothing in it moves while clients write: no position, no size, no time.
void rest_on_what_is_there(Deployment& d, PlanPage& page, Deadline deadline) {
  page.rest_on("playbook", std::filesystem::weakly_canonical(d.playbook().file).string() + ", sha256 " + digest_of_file(d.playbook().file));
  if (const auto& dir = d.playbook().migrations.dir) {
    std::size_t count = 0;
    const auto digest = digest_of_migrations(*dir, count);
    page.rest_on("migrations", fmt::format("{} in {}, sha256 {}", count, dir->string(), digest));
  }
  for (Server* server : {&d.blue(), &d.green()}) {
    if (!server->is_connected()) continue;
    const auto identity = server_identity(server->control(), d.name(), deadline);
    page.rest_on(server->color(), fmt::format("PostgreSQL {}.{} at {}, system {}, timeline {}, database {}",
                                              server->version() / 10000, server->version() % 10000, server->endpoint(),
                                              identity.system_identifier, identity.timeline, identity.database));
    page.rest_on("tables of " + server->color(), "fingerprint " + catalog_fingerprint(server->control(), deadline));
  }
}

// On which sides a plan writes records, the leading one first.
std::vector<std::string> recorded_on(Deployment& d) {
  std::vector<std::string> sides{d.standing().serves};
  if (d.side(other_side(sides.front())).is_connected()) sides.push_back(other_side(sides.front()));
  return sides;
}

bool is_first_prepare(Deployment& d, const PlannedCommand& planned) {
  const auto standing = d.standing();
  return standing.phase == Phase::idle && !standing.open && transition_of(planned.command).plan == PlanKind::prepare;
}

// The first prepare brings the schema verdigris along.
PlannedActs statements_before(Deployment& d, const PlannedCommand& planned, Deadline deadline) {
  if (planned.plan.has_line()) return waiting_slot_statements(d, d.standing().serves, deadline);
  if (!is_first_prepare(d, planned)) return {};
  PlannedActs out;
  for (const char* on : {"blue", "green"})
    for (const auto& statement : installing_statements()) {
      const bool has_values = statement.text().find("VALUES ($1, $2") != std::string::npos;
      out.push_back({on, statement.text(), has_values ? std::vector<std::string>{d.name(), on} : std::vector<std::string>{}});
    }
  return out;
}

PlannedActs statements_behind(Deployment& d, const PlannedCommand& planned, Deadline deadline) {
  PlannedActs out;
  if (transition_of(planned.command).plan != PlanKind::finish) return out;
  for (Server* server : {&d.blue(), &d.green()}) {
    if (!server->is_connected() || !has_control_schema(server->control(), deadline)) continue;
    if (hold_on(*server, deadline)) out.push_back(forgetting(*server, "hold"));
  }
  if (planned.options.purge) out.push_back({"green", removing_statement().text()});
  if (planned.options.purge && planned.options.open_blue && d.blue().is_connected()) out.push_back({"blue", removing_statement().text()});
  return out;
}

void add_what_comes_before(Deployment& d, const PlannedCommand& planned, PlanPage& page, Deadline deadline) {
  page.add_around("before", statements_before(d, planned, deadline));
  PlannedActs records;
  for (const std::string& on : recorded_on(d))
    records.push_back({on, recording_of_entries().text(), {d.name(), "<what begins, what has ended, what is decided>", "<on or off>"}});
  page.add_around("records", records);
}

void add_steps(Deployment& d, const PlannedCommand& planned, PlanPage& page, Deadline deadline) {
  const Plan& plan = planned.plan;
  const auto before_gate = is_first_prepare(d, planned) ? DoneIs::never : DoneIs::final;
  if (planned.is_taken_back) {
    for (std::size_t i = plan.size(); i-- > 0;) page.add_step(planned_step(plan[i], true, DoneIs::final, deadline));
    return;
  }
  for (std::size_t i = 0; i < plan.size(); ++i) {
    if (plan.has_line() && i == plan.window()) page.say("     -- clients wait from here --");
    if (plan.has_line() && i == plan.no_return())
      page.say("     -- the line: above it everything can be undone, below it only forward --");
    page.add_step(planned_step(plan[i], false, i < plan.gate() ? before_gate : DoneIs::asked_again, deadline));
  }
}

}  // namespace

std::string next_command(const Standing& standing) {
  if (standing.open) return standing.open->command;
  if (standing.phase == Phase::idle) return "prepare";
  return standing.phase == Phase::ready ? "switch" : "rollback";
}

PlannedCommand planned_command(Deployment& d, const Standing& standing, const std::string& command, PlannedOptions options) {
  const bool opens_blue =
      options.open_blue || standing.is_blue_open || (standing.open && standing.open->first_record.value("open_blue", false));
  switch (transition_of(command).plan) {
    case PlanKind::prepare: return {command, prepare_plan(d)};
    case PlanKind::abandon: return {command, abandon_plan(d, false), true};
    case PlanKind::reads: return {command, reads_plan(d, command == kReadsToGreen ? "green" : "blue", ReadsStart::resumed)};
    case PlanKind::finish:
      return {command, finish_plan(d, Source(d.green()), Target(d.blue()), {opens_blue}), false, {opens_blue, options.purge}};
    case PlanKind::emergency:
    case PlanKind::cutover: break;
  }
  return {command, cutover_plan(d, d.source_of(standing.serves), d.target_of(standing.serves))};
}

PlanPage preview(Deployment& d, const PlannedCommand& planned, Deadline deadline) {
  PlanPage page(planned.command);
  page.say("verdigris " + planned.command + (d.standing().open ? " was interrupted, and would go on:" : " would do:"));
  rest_on_what_is_there(d, page, deadline);
  add_what_comes_before(d, planned, page, deadline);
  add_steps(d, planned, page, deadline);
  page.add_around("after", statements_behind(d, planned, deadline));
  if (planned.plan.has_line()) page.say("clients: " + d.traffic().effect_on_clients());
  page.say("digest sha256 " + page.digest());
  return page;
}

}  // namespace verdigris
