#include "controller/commands/verify.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "controller/config.hpp"
#include "controller/deployment.hpp"
#include "controller/exit_codes.hpp"
#include "controller/guardrails.hpp"
#include "controller/parity_repair.hpp"
#include "controller/parity_report.hpp"
#include "healthcheck/parity/gaps.hpp"
#include "healthcheck/parity/parity.hpp"
#include "replication/full_verification.hpp"
#include "replication/left_out.hpp"
#include "replication/publication.hpp"

namespace verdigris {
namespace {

constexpr std::chrono::milliseconds kVerifyPatience{3'600'000};

CompareMode mode_of(const Invocation& invocation) {
  if (invocation.mode == "counts") return CompareMode::counts;
  if (invocation.mode == "full") return CompareMode::full;
  throw Error("verify.mode", "mode \"" + invocation.mode + "\" is not offered", "Use --mode full or --mode counts.",
              Failure::usage);
}

// The stream that runs is the one that leads away from the side that serves.
void require_stream(const Deployment& d, const Standing& standing) {
  if (standing.open)
    throw Refused("phase.verify", "a plan of " + standing.open->command + " is not finished",
                  "Wait for its controller, or run verdigris recover.");
  if (standing.phase != Phase::ready && standing.phase != Phase::switched)
    throw Refused("phase.verify", fmt::format("{} is {}: no side follows the other", d.name(), to_text(standing.phase)),
                  "Run verdigris prepare first.");
}

TableSelection selection_of(Deployment& d, const Invocation& invocation, Deadline deadline) {
  TableSelection selection{d.playbook().replication.include, d.playbook().replication.exclude};
  if (invocation.tables.empty()) return selection;
  const auto tables = user_tables(d.blue().control(), deadline);
  for (const auto& name : invocation.tables) {
    const bool is_known = std::any_of(tables.begin(), tables.end(), [&](const Table& table) {
      return table.name.display() == name && selection.selects(table);
    });
    if (!is_known)
      throw Error("verify.table", "\"" + name + "\" is not a table of this deployment", "Write it as schema.table.",
                  Failure::usage);
  }
  selection.include = invocation.tables;
  return selection;
}

// What equal rows do not show. Tables and sequences of one side make the report different by themselves.
Findings gaps_of(const ParityReport& report, Deployment& d, const std::string& source, Deadline deadline) {
  const auto meant = left_out(d.side(source).control(), d.name(), Stream::leaving(source, d.name()), deadline);
  auto findings = findings_of(report.gaps, {source, d.target_of(source)->color(), meant.value_or(std::vector<std::string>{})});
  std::erase_if(findings, [](const Finding& one) { return one.id.starts_with("schema."); });
  std::vector<CheckWaiver> waivers;
  for (const auto& waiver : d.playbook().waivers) waivers.push_back({waiver.id, waiver.reason});
  apply_waivers(waivers, findings);
  return findings;
}

// What follows blue and was not compared: the playbook may select fewer tables by now than are published. Names for people.
std::string published_but_not_compared(Deployment& d, const ParityReport& report, Deadline deadline) {
  std::string missing;
  const auto published = published_leaves(d.blue().control(), d.streams_leaving("blue", deadline), deadline);
  for (const auto& name : published) {
    const bool is_ours = name.schema().raw() == "verdigris";
    const bool is_compared =
        std::ranges::any_of(report.tables, [&](const TableVerdict& one) { return one.table == name; });
    if (!is_ours && !is_compared) missing += (missing.empty() ? "" : ", ") + name.display();
  }
  return published.empty() ? "all, since blue publishes nothing" : missing;
}

// What counts for a switch: row for row, and all of it.
void note_if_full(Deployment& d, const Invocation& invocation, CompareMode mode, const ParityReport& report, Output& output,
                  Deadline deadline) {
  if (mode != CompareMode::full || !invocation.tables.empty()) return;
  if (!lacks_full_verification(d.green().control(), d.name(), deadline)) return;
  if (const auto missing = published_but_not_compared(d, report, deadline); !missing.empty())
    return output.warning(
        "not noted as the comparison that a switch demands: tables that follow blue were not compared: " + missing,
        "Let replication.include and exclude be as prepare had them, then run verdigris verify --mode full.");
  auto session = d.green().open("verify", deadline);
  note_full_verification(session, d.name(), report.position, deadline);
}

// What was repaired does not make up for what else differs.
int exit_code_of(const RepairResult& repair, const ParityReport& report, const Findings& gaps) {
  if (repair.kind == RepairResult::Kind::refused) return kRefused;
  const bool is_rest_equal = report.differences.empty() && is_without_failure(gaps);
  return repair.kind == RepairResult::Kind::repaired && is_rest_equal ? kDone : kDiffers;
}

void require_meaning(const Invocation& invocation, CompareMode mode) {
  if (invocation.repair && mode != CompareMode::full)
    throw misuse("verify.repair", "--repair needs the rows that differ, which --mode counts does not find", "Leave --mode away.");
  if (invocation.dry_run && !invocation.repair)
    throw misuse("verify.dry-run", "--dry-run belongs to --repair: verify alone changes nothing", "Leave it away.");
}

}  // namespace

int run_verify(const Invocation& invocation, Output& output) {
  const CompareMode mode = mode_of(invocation);
  require_meaning(invocation, mode);
  Deployment d(load_playbook(invocation.playbook), [&](const std::string& text) { output.note(text); });
  const auto deadline = Deadline::after(invocation.timeout.value_or(kVerifyPatience));
  d.connect(deadline, true);
  d.journal().load(deadline);
  const Standing standing = d.standing();
  require_stream(d, standing);
  require_not_loading(d, deadline);
  Server& source = d.side(standing.serves);
  Server& target = *d.target_of(standing.serves);
  const auto streams = d.streams_leaving(standing.serves, deadline);
  const LiveSettings settings{.workers = std::max(1, d.playbook().replication.copy_workers / 2),
                              .mode = mode,
                              .filter = selection_of(d, invocation, deadline),
                              .values = invocation.show_values ? Values::shown : Values::hidden};
  ParitySessions sessions(source, target, settings.workers, deadline, settings.filter, Warmth::cold);
  const auto report = compare_live(source, target, streams, sessions, settings, d.progress(), deadline);
  const auto gaps = gaps_of(report, d, standing.serves, deadline);
  const ParityScene scene{standing.serves, target.color(), mode};
  auto document = to_json(report, gaps, scene);
  print(report, gaps, scene, output);
  if (invocation.repair && !report.is_equal()) {
    const auto repair = repair_rows(invocation, source, target, streams, sessions, report, output, deadline);
    document["repair"] = repair.document;
    output.document(document);
    return exit_code_of(repair, report, gaps);
  }
  output.document(document);
  const bool is_equal = report.is_equal() && is_without_failure(gaps);
  if (is_equal) note_if_full(d, invocation, mode, report, output, deadline);
  return is_equal ? kDone : kDiffers;
}

}  // namespace verdigris
