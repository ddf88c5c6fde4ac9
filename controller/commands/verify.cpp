#include "controller/commands/verify.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "controller/config.hpp"
#include "controller/deployment.hpp"
#include "controller/exit_codes.hpp"
#include "healthcheck/parity/parity.hpp"

namespace verdigris {
namespace {

constexpr std::chrono::milliseconds kPatience{3'600'000};
constexpr int kRounds = 10;  // a table under writes may differ by what is in flight; ten times in a row it does not

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

struct Rows {
  std::int64_t blue, green;
};

Rows rows_of(const TableVerdict& table, const std::string& source) {
  if (source == "blue") return {table.source_rows, table.target_rows};
  return {table.target_rows, table.source_rows};
}

nlohmann::ordered_json to_json(const ParityReport& report, const std::string& source) {
  auto tables = nlohmann::ordered_json::array();
  for (const auto& table : report.tables) {
    const Rows rows = rows_of(table, source);
    tables.push_back({{"name", table.table.display()},
                      {"blue_rows", rows.blue},
                      {"green_rows", rows.green},
                      {"equal", table.is_equal},
                      {"note", table.note}});
  }
  return {{"result", report.is_equal() ? "equal" : "different"},
          {"source", source},
          {"tables_compared", report.tables.size()},
          {"tables", tables},
          {"differences", report.differences},
          {"uncovered", report.uncovered},
          {"position", report.position.text()}};
}

void print(const ParityReport& report, const std::string& source, CompareMode mode, Output& output) {
  for (const auto& table : report.tables) {
    const Rows rows = rows_of(table, source);
    const std::string text = fmt::format("{:<40} blue {} rows, green {} rows{}{}", table.table.display(), rows.blue,
                                         rows.green, table.note.empty() ? "" : ", ", table.note);
    if (!table.is_equal)
      output.result("DIFFERENT  " + text);
    else
      output.detail("equal      " + text);
  }
  for (const auto& difference : report.differences) output.result("DIFFERENT  " + difference);
  for (const auto& uncovered : report.uncovered) output.result("not covered: " + uncovered);
  const auto different =
      std::count_if(report.tables.begin(), report.tables.end(), [](const auto& table) { return !table.is_equal; });
  const auto what = mode == CompareMode::counts ? "by their number of rows" : "row for row";
  if (report.is_equal())
    output.result(fmt::format("EQUAL. {} tables compared {}, verified through {} of {}", report.tables.size(), what,
                              report.position.text(), source));
  else
    output.result(fmt::format("DIFFERENT. {} of {} tables and {} sequences differ", different, report.tables.size(),
                              report.differences.size()));
}

}  // namespace

int run_verify(const Invocation& invocation, Output& output) {
  const CompareMode mode = mode_of(invocation);
  Deployment d(load_playbook(invocation.playbook), [&](const std::string& text) { output.note(text); });
  const auto deadline = Deadline::after(invocation.timeout.value_or(kPatience));
  d.connect(deadline, true);
  d.journal().load(deadline);
  const Standing standing = d.standing();
  require_stream(d, standing);
  Server& source = d.side(standing.serves);
  Server& target = *d.target_of(standing.serves);
  const Stream stream = Stream::leaving(standing.serves, d.name());
  const int workers = std::max(1, d.playbook().replication.copy_workers / 2);
  const auto report = compare_live(source, target, stream, workers, kRounds, d.progress(), deadline, mode,
                                   selection_of(d, invocation, deadline));
  output.document(to_json(report, standing.serves));
  print(report, standing.serves, mode, output);
  return report.is_equal() ? kDone : kDiffers;
}

}  // namespace verdigris
