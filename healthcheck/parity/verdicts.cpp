#include "healthcheck/parity/verdicts.hpp"

#include <algorithm>

namespace verdigris {

bool ParityReport::is_equal() const {
  return differences.empty() &&
         std::all_of(tables.begin(), tables.end(), [](const TableVerdict& table) { return table.is_equal; });
}

bool ParityReport::is_undecided() const {
  const auto is_open = [](const TableVerdict& table) { return table.is_undecided; };
  return differences.empty() && std::ranges::any_of(tables, is_open) &&
         std::ranges::all_of(tables, [&](const TableVerdict& table) { return table.is_equal || is_open(table); });
}

ParityReport make_report(const Agreement& agreement, const std::vector<SumPair>& sums, Lsn position) {
  ParityReport report{{}, agreement.differences, agreement.uncovered, position, agreement.gaps};
  for (std::size_t i = 0; i < sums.size(); ++i) {
    const auto& table = agreement.tables[i];
    report.tables.push_back(
        {table.name, sums[i].source.rows, sums[i].target.rows, sums[i].source == sums[i].target, table.note});
  }
  for (const auto& [name, color] : agreement.one_sided)
    report.tables.push_back({name, 0, 0, false, "missing on " + color});
  std::sort(report.tables.begin(), report.tables.end(),
            [](const TableVerdict& a, const TableVerdict& b) { return a.table < b.table; });
  return report;
}

}  // namespace verdigris
