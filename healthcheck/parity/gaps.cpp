#include "healthcheck/parity/gaps.hpp"

#include <algorithm>
#include <map>

namespace verdigris {
namespace {

struct Wording {
  std::string text, hint;
};

// Before a switch all can be begun anew; before a rollback it cannot.
std::string or_begin_anew(const GapSides& sides) {
  return sides.source == "blue" ? ", or run verdigris abandon, then verdigris prepare" : "";
}

std::map<std::string, Wording> wordings(const GapSides& sides) {
  const std::string change = "Make the same change on " + sides.target + or_begin_anew(sides);
  return {
      {"data.columns",
       {sides.target + ": columns of " + sides.source + " are missing and would be lost: ",
        change + "; or waive data.columns by name."}},
      {"schema.missing-table", {sides.target + ": tables of " + sides.source + " are missing: ",
                                sides.source == "blue" ? "Run verdigris abandon, then verdigris prepare: tables are taken in at the beginning only."
                                                       : "Drop what was made on green since the switch, or end without a way back: verdigris finish --now"}},
      {"schema.extra-table",
       {sides.source + ": tables that only " + sides.target + " has: ",
        "Make them once the switch is finished, or exclude them under replication.tables.exclude."}},
      {"schema.sequences",
       {"sequences are not alike: ", "Make them alike on both sides" + or_begin_anew(sides) + "."}},
      {"parity.uncovered",
       {"columns cannot be compared: ", "Give both sides one type, or waive parity.uncovered by name."}},
      {"data.unlogged",
       {"the rows of unlogged tables do not replicate: ", "ALTER TABLE ... SET LOGGED, or waive data.unlogged by name."}},
      {"data.extension-tables",
       {"tables of extensions do not replicate: ",
        "Exclude them under replication.tables.exclude, or waive data.extension-tables by name; copy their rows yourself if they matter."}},
  };
}

}  // namespace

Findings findings_of(const std::vector<Gap>& gaps, const GapSides& sides) {
  Findings findings;
  for (const auto& [id, wording] : wordings(sides)) {
    std::vector<std::string> names;
    for (const auto& gap : gaps) {
      const bool is_meant = id == "data.columns" && std::ranges::find(sides.left_out, gap.what) != sides.left_out.end();
      if (gap.id == id && !is_meant) names.push_back(gap.what);
    }
    if (!names.empty()) findings.push_back(fail(id, wording.text + some_of(names), wording.hint));
  }
  return findings;
}

}  // namespace verdigris
