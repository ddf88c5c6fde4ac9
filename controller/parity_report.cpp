#include "controller/parity_report.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "controller/printable.hpp"

namespace verdigris {
namespace {

constexpr std::size_t kRowsToRead = 10;  // of a table, by a person; the document has them all
constexpr std::size_t kBytesOfAValue = 120;

struct ComparedRows {
  std::int64_t blue, green;
};

ComparedRows rows_of(const TableVerdict& table, const ParityScene& scene) {
  if (scene.source == "blue") return {table.source_rows, table.target_rows};
  return {table.target_rows, table.source_rows};
}

std::string_view word_of(const TableVerdict& table) {
  if (table.is_equal) return "equal";
  return table.is_undecided ? "undecided" : "different";
}

std::string_view word_of(RowDifference::Kind kind) {
  switch (kind) {
    case RowDifference::Kind::missing:
      return "missing";
    case RowDifference::Kind::extra:
      return "extra";
    case RowDifference::Kind::changed:
      break;
  }
  return "changed";
}

nlohmann::ordered_json to_json(const RowDifference& row, const ParityScene& scene) {
  nlohmann::ordered_json one{{"kind", word_of(row.kind)}, {"on", scene.target}};
  if (row.key.empty())
    one["rows"] = row.count;
  else
    one["key"] = row.key;
  if (!row.columns.empty()) one["columns"] = row.columns;
  for (const auto& value : row.values) {
    auto& both = one["values"][value.column];
    both[scene.source] = value.source ? nlohmann::ordered_json(*value.source) : nlohmann::ordered_json(nullptr);
    both[scene.target] = value.target ? nlohmann::ordered_json(*value.target) : nlohmann::ordered_json(nullptr);
  }
  return one;
}

nlohmann::ordered_json to_json(const TableVerdict& table, const ParityScene& scene) {
  const ComparedRows rows = rows_of(table, scene);
  nlohmann::ordered_json one{{"name", table.table.display()}, {"blue_rows", rows.blue}, {"green_rows", rows.green},
                             {"equal", table.is_equal},       {"note", table.note},     {"verdict", word_of(table)}};
  if (table.settled > 0) one["settled"] = table.settled;
  for (const auto& row : table.rows) one["rows"].push_back(to_json(row, scene));
  if (!table.rows.empty()) one["has_more_rows"] = table.has_more_rows;
  if (!table.undecided.empty()) one["undecided"] = table.undecided;
  return one;
}

nlohmann::ordered_json to_json(const Findings& gaps) {
  auto list = nlohmann::ordered_json::array();
  for (const auto& gap : gaps)
    list.push_back({{"id", gap.id}, {"text", gap.text}, {"hint", gap.hint}, {"waived", gap.level != Level::fail}});
  return list;
}

std::string shortened(const std::optional<std::string>& value) {
  if (!value) return "NULL";
  return "'" + excerpt(*value, kBytesOfAValue) + "'";
}

std::string key_text(const RowKey& key) {
  std::vector<std::string> parts;
  for (const auto& part : key) parts.push_back(printable(part));
  return fmt::format("({})", fmt::join(parts, ", "));
}

std::string text_of(const RowDifference& row, const ParityScene& scene) {
  const auto where = row.kind == RowDifference::Kind::changed ? "" : " on " + scene.target;
  if (row.key.empty())
    return fmt::format("{}{}: {} row{} without a key", word_of(row.kind), where, row.count, row.count == 1 ? "" : "s");
  std::string text = fmt::format("{}{}: key {}", word_of(row.kind), where, key_text(row.key));
  if (!row.columns.empty()) text += fmt::format(", column{} {}", row.columns.size() == 1 ? "" : "s", printable(fmt::format("{}", fmt::join(row.columns, ", "))));
  return text;
}

void print_rows(const TableVerdict& table, const ParityScene& scene, Output& output) {
  for (std::size_t i = 0; i < std::min(kRowsToRead, table.rows.size()); ++i) {
    const auto& row = table.rows[i];
    output.result("             " + text_of(row, scene));
    for (const auto& value : row.values)
      output.result(fmt::format("               {}: {} {}, {} {}", printable(value.column), scene.source, shortened(value.source),
                                scene.target, shortened(value.target)));
  }
  if (table.rows.size() > kRowsToRead)
    output.result(fmt::format("             and {}{} more proven (--json has them)", table.rows.size() - kRowsToRead,
                              table.has_more_rows ? " of many" : ""));
  else if (!table.rows.empty() && table.has_more_rows)
    output.result("             and more, which were not looked at one by one");
  if (!table.undecided.empty())
    output.result(fmt::format("             written too often to tell: key {}{}", key_text(table.undecided.front()),
                              table.undecided.size() == 1 ? "" : fmt::format(" and {} others", table.undecided.size() - 1)));
}

void print_gaps(const Findings& gaps, Output& output) {
  for (const auto& gap : gaps) {
    const bool is_open = gap.level == Level::fail;
    output.result(fmt::format("{}  {}: {}", is_open ? "NOT PROVEN" : "waived    ", gap.id, gap.text));
    if (is_open) output.result("HINT:  " + gap.hint);
  }
}

void print_verdict(const ParityReport& report, const Findings& gaps, const ParityScene& scene, Output& output) {
  const auto what = scene.mode == CompareMode::counts ? "by their number of rows" : "row for row";
  const auto number_of = [&](const auto& is_such) { return std::ranges::count_if(report.tables, is_such); };
  const auto undecided = number_of([](const TableVerdict& one) { return one.is_undecided; });
  const auto different = number_of([](const TableVerdict& one) { return !one.is_equal && !one.is_undecided; });
  if (report.is_equal())
    return output.result(fmt::format("{}. {} tables compared {}, verified through {} of {}",
                                     is_without_failure(gaps) ? "EQUAL" : "EQUAL IN WHAT WAS COMPARED", report.tables.size(),
                                     what, report.position.text(), scene.source));
  if (report.is_undecided()) {
    output.result(fmt::format("UNDECIDED. Of {} tables {} could be proven neither equal nor different", report.tables.size(),
                              undecided));
    return output.result("HINT:  Run it again when less is written, or give fewer tables: --table schema.table");
  }
  output.result(fmt::format("DIFFERENT. {} of {} tables and {} sequences differ{}", different, report.tables.size(),
                            report.differences.size(), undecided > 0 ? fmt::format(", {} undecided", undecided) : ""));
}

}  // namespace

bool is_without_failure(const Findings& findings) {
  return std::ranges::none_of(findings, [](const Finding& one) { return one.level == Level::fail; });
}

std::string verdict_of(const ParityReport& report, const Findings& gaps) {
  if (report.is_undecided()) return "undecided";
  if (!report.is_equal()) return "different";
  return is_without_failure(gaps) ? "equal" : "incomplete";
}

nlohmann::ordered_json to_json(const ParityReport& report, const Findings& gaps, const ParityScene& scene) {
  auto tables = nlohmann::ordered_json::array();
  for (const auto& table : report.tables) tables.push_back(to_json(table, scene));
  return {{"result", verdict_of(report, gaps)},
          {"source", scene.source},
          {"tables_compared", report.tables.size()},
          {"tables", tables},
          {"differences", report.differences},
          {"uncovered", report.uncovered},
          {"gaps", to_json(gaps)},
          {"position", report.position.text()},
          {"apply_held",
           {{"times", report.holds.ms.size()},
            {"given_up", report.holds.given_up},
            {"p50_ms", report.holds.percentile(0.5)},
            {"p99_ms", report.holds.percentile(0.99)},
            {"max_ms", report.holds.longest()}}}};
}

void print(const ParityReport& report, const Findings& gaps, const ParityScene& scene, Output& output) {
  for (const auto& table : report.tables) {
    const ComparedRows rows = rows_of(table, scene);
    const std::string text = fmt::format("{:<40} blue {} rows, green {} rows{}{}{}", table.table.display(), rows.blue, rows.green,
                                         table.note.empty() ? "" : ", ", table.note,
                                         table.settled > 0 ? fmt::format(", {} on their way", table.settled) : "");
    if (table.is_equal) {
      output.detail("equal      " + text);
      continue;
    }
    output.result((table.is_undecided ? "UNDECIDED  " : "DIFFERENT  ") + text);
    print_rows(table, scene, output);
  }
  for (const auto& difference : report.differences) output.result("DIFFERENT  " + difference);
  for (const auto& uncovered : report.uncovered) output.detail("not covered: " + uncovered);
  print_gaps(gaps, output);
  print_verdict(report, gaps, scene, output);
}

}  // namespace verdigris
