#include "controller/parity_repair.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "controller/confirmation.hpp"
#include "controller/printable.hpp"
#include "healthcheck/parity/repair.hpp"

namespace verdigris {
namespace {

std::string_view word_of_repair(RepairResult::Kind kind) {
  switch (kind) {
    case RepairResult::Kind::nothing:
      return "nothing";
    case RepairResult::Kind::planned:
      return "planned";
    case RepairResult::Kind::refused:
      return "refused";
    case RepairResult::Kind::repaired:
      return "repaired";
    case RepairResult::Kind::incomplete:
      break;
  }
  return "incomplete";
}

std::int64_t rows_of_kind(const TableVerdict& table, RowDifference::Kind kind) {
  return std::ranges::count(table.rows, kind, &RowDifference::kind);
}

nlohmann::ordered_json plan_of(const TableVerdict& table) {
  return {{"name", table.table.display()},
          {"insert", rows_of_kind(table, RowDifference::Kind::missing)},
          {"update", rows_of_kind(table, RowDifference::Kind::changed)},
          {"delete", rows_of_kind(table, RowDifference::Kind::extra)}};
}

class Repair {
 public:
  Repair(Server& source, Server& target, const Streams& streams, ParitySessions& sessions, Output& output, Deadline deadline)
      : source_(source), target_(target), streams_(streams), sessions_(sessions), output_(output), deadline_(deadline),
        repairer_(source, target, streams, sessions.agreement(), sessions.hashes(), deadline) {}

  // False if something cannot be repaired.
  bool plan(const ParityReport& report) {
    for (const auto& table : report.tables) {
      if (table.is_equal) continue;
      auto one = plan_of(table);
      if (const auto why = repairer_.obstacle(table, deadline_)) {
        one["refused"] = *why;
        refused_.push_back(table.table.display());
        output_.result(fmt::format("NO REPAIR  {}: {}", table.table.display(), *why));
      } else {
        tables_.push_back(&table);
        output_.result(fmt::format("TO REPAIR  {} on {}: insert {}, update {}, delete {}", table.table.display(), target_.color(),
                                   one["insert"].get<int>(), one["update"].get<int>(), one["delete"].get<int>()));
      }
      plans_.push_back(std::move(one));
    }
    if (refused_.empty()) return true;
    output_.result("HINT:  Nothing was repaired. Repair the others with --table, and these as it is said of each.");
    return false;
  }

  // Whether all these rows were seen alike afterwards.
  bool run() {
    for (std::size_t i = 0; i < tables_.size(); ++i) {
      const auto outcome = repairer_.repair(*tables_[i], deadline_);
      repaired_ += outcome.repaired;
      plans_[i]["repaired"] = outcome.repaired;
      for (const auto& [key, why] : outcome.left)
        output_.warning(fmt::format("{}: key ({}) is not repaired: {}", tables_[i]->table.display(),
                                    printable(fmt::format("{}", fmt::join(key, ", "))), why));
    }
    const bool is_alike = compare_again();
    output_.result(fmt::format("{}. {} rows on {} were made what {} has; their images are in verdigris.saved there, keys repair:{}:*",
                               is_alike ? "REPAIRED" : "NOT ALL REPAIRED", repaired_, target_.color(), source_.color(),
                               repairer_.id()));
    output_.result("HINT:  Why they differed is not known by this. Run verdigris verify before a switch.");
    return is_alike;
  }

  nlohmann::ordered_json document(RepairResult::Kind kind) const {
    return {{"result", word_of_repair(kind)}, {"on", target_.color()}, {"id", repairer_.id()}, {"rows", repaired_}, {"tables", plans_}};
  }

 private:
  bool compare_again() {
    const auto& compared = sessions_.agreement().tables;
    std::map<std::size_t, std::set<RowKey>> keys;
    for (const auto* table : tables_) {
      const auto found = std::ranges::find(compared, table->table, &ComparedTable::name);
      for (const auto& row : table->rows) keys[static_cast<std::size_t>(found - compared.begin())].insert(row.key);
    }
    Judge judge(source_, target_, streams_, sessions_.agreement(), sessions_.hashes(), Values::hidden, deadline_);
    bool is_alike = true;
    for (const auto& [index, verdict] : judge.judge(keys, deadline_)) {
      if (verdict.differences.empty() && verdict.undecided.empty()) continue;
      is_alike = false;
      output_.warning(fmt::format("{}: of the rows to repair {} still differ and {} are undecided", compared[index].name.display(),
                                  verdict.differences.size(), verdict.undecided.size()));
    }
    return is_alike;
  }

  Server& source_;
  Server& target_;
  const Streams& streams_;
  ParitySessions& sessions_;
  Output& output_;
  Deadline deadline_;
  Repairer repairer_;
  std::vector<const TableVerdict*> tables_;
  std::vector<std::string> refused_;
  nlohmann::ordered_json plans_ = nlohmann::ordered_json::array();  // of tables_, unless something is refused
  std::int64_t repaired_ = 0;
};

}  // namespace

RepairResult repair_rows(const Invocation& invocation, Server& source, Server& target, const Streams& streams,
                         ParitySessions& sessions, const ParityReport& report, Output& output, Deadline deadline) {
  using Kind = RepairResult::Kind;
  if (std::ranges::all_of(report.tables, &TableVerdict::is_equal)) return {Kind::nothing, {{"result", "nothing"}}};
  Repair repair(source, target, streams, sessions, output, deadline);
  Kind kind = Kind::refused;
  if (repair.plan(report)) {
    kind = Kind::planned;
    if (!invocation.dry_run) {
      require_confirmation(invocation, target.deployment(), output);
      kind = repair.run() ? Kind::repaired : Kind::incomplete;
    }
  }
  return {kind, repair.document(kind)};
}

}  // namespace verdigris
