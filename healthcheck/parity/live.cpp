#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <thread>

#include "healthcheck/parity/align.hpp"
#include "healthcheck/parity/drill.hpp"
#include "healthcheck/parity/parity.hpp"
#include "healthcheck/parity/scan.hpp"
#include "healthcheck/parity/verdicts.hpp"
#include "replication/test_switches.hpp"

namespace verdigris {
namespace {

// What is read under one pair: a snapshot holds back vacuum on its server, so it must not grow old.
constexpr std::int64_t kBytesUnderOnePair = std::int64_t{32} << 30U;
constexpr int kPairsOfASurplus = 3;

void import_snapshot(SideSessions& side, const std::string& name, Deadline deadline) {
  for (auto& worker : side.workers)
    worker.execute(Sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT {}; SAVEPOINT scan",
                       Literal(name)),
                   deadline);
}

void end_snapshot(SideSessions& side, Deadline deadline) {
  for (auto& worker : side.workers) worker.execute(Sql("ROLLBACK"), deadline);
}

// What is known of one table by now.
struct TableCase {
  enum class Standing { open, equal, different };
  Standing standing = Standing::open;
  SumPair sums;
  Drilled drilled;  // by the last round
  std::map<std::string, std::int64_t> surplus;  // of a table without key: what all rounds have in common
  int rounds_of_surplus = 0;
  JudgedTable judged;
};

// The part of a surplus that is there each time.
std::map<std::string, std::int64_t> common(const std::map<std::string, std::int64_t>& one,
                                           const std::map<std::string, std::int64_t>& other) {
  std::map<std::string, std::int64_t> both;
  for (const auto& [hash, count] : one) {
    const auto found = other.find(hash);
    if (found == other.end() || (found->second > 0) != (count > 0)) continue;
    both[hash] = std::abs(count) < std::abs(found->second) ? count : found->second;
  }
  return both;
}

std::vector<RowDifference> differences_of(const std::map<std::string, std::int64_t>& surplus) {
  std::vector<RowDifference> rows;
  for (const auto& [hash, count] : surplus)
    rows.push_back({count > 0 ? RowDifference::Kind::missing : RowDifference::Kind::extra, {}, {}, {}, std::abs(count)});
  return rows;
}

class LiveComparison {
 public:
  LiveComparison(Server& source, Server& target, const Streams& streams, ParitySessions& sessions,
                 const LiveSettings& settings, Deadline deadline)
      : source_(source),
        target_(target),
        streams_(streams),
        settings_(settings),
        sessions_(sessions),
        aligner_(source, target, streams, deadline),
        cases_(sessions_.agreement().tables.size()) {}

  // Reads once more what is open.
  void run_round(Deadline deadline) {
    const auto open = open_tables();
    for (std::size_t from = 0; from < open.size();) {
      const std::size_t to = end_of_batch(open, from);
      const auto at = [&](std::size_t i) { return open.begin() + static_cast<std::ptrdiff_t>(i); };
      compare({at(from), at(to)}, deadline);
      from = to;
    }
    if (settings_.mode == CompareMode::full) judge(deadline);
  }

  std::size_t open() const { return open_tables().size(); }
  std::size_t tables() const { return cases_.size(); }

  ParityReport report() const {
    std::vector<SumPair> sums;
    for (const auto& one : cases_) sums.push_back(one.sums);
    ParityReport report = make_report(sessions_.agreement(), sums, first_position_);
    for (std::size_t i = 0; i < cases_.size(); ++i) {
      const auto verdict = std::ranges::find(report.tables, table(i).name, &TableVerdict::table);
      tell(cases_[i], *verdict);
    }
    report.holds = aligner_.holds();
    return report;
  }

 private:
  const ComparedTable& table(std::size_t index) const { return sessions_.agreement().tables[index]; }

  std::vector<std::size_t> open_tables() const {
    std::vector<std::size_t> open;
    for (std::size_t i = 0; i < cases_.size(); ++i)
      if (cases_[i].standing == TableCase::Standing::open) open.push_back(i);
    return open;
  }

  void tell(const TableCase& one, TableVerdict& verdict) const {
    verdict.is_equal = one.standing == TableCase::Standing::equal;
    verdict.is_undecided = one.standing == TableCase::Standing::open && settings_.mode == CompareMode::full;
    verdict.rows = one.judged.differences;
    verdict.has_more_rows = !verdict.is_equal && one.drilled.is_cut;
    verdict.undecided = one.judged.undecided;
    verdict.settled = one.judged.settled;
  }

  std::size_t end_of_batch(const std::vector<std::size_t>& open, std::size_t from) const {
    std::int64_t bytes = 0;
    std::size_t to = from;
    for (; to < open.size() && (to == from || bytes < kBytesUnderOnePair); ++to) bytes += table(open[to]).source_bytes;
    return to;
  }

  void compare(const std::vector<std::size_t>& tables, Deadline deadline) {
    const SnapshotPair pair = aligner_.make(deadline);
    // What was equal later need not have been equal here, but the claim is about the end: the earliest is the safe one.
    if (first_position_ == Lsn{}) first_position_ = pair.position;
    import_snapshot(sessions_.source(), pair.source, deadline);
    import_snapshot(sessions_.target(), pair.target, deadline);
    aligner_.release();
    const auto sums = scan_tables(sessions_, tables, settings_.mode, ScanUnder::snapshot, deadline);
    for (std::size_t i = 0; i < tables.size(); ++i) {
      TableCase& one = cases_[tables[i]];
      one.sums = sums[i];
      if (sums[i].source == sums[i].target)
        one.standing = TableCase::Standing::equal;
      else if (settings_.mode == CompareMode::full)
        one.drilled = drill(sessions_, tables[i], sums[i], deadline);
    }
    end_snapshot(sessions_.source(), deadline);
    end_snapshot(sessions_.target(), deadline);
  }

  // All tables that are open, at once.
  void judge(Deadline deadline) {
    std::map<std::size_t, std::set<RowKey>> suspects;
    for (const auto index : open_tables()) {
      if (table(index).key.empty())
        judge_surplus(cases_[index]);
      else
        suspects[index] = cases_[index].drilled.keys;
    }
    if (suspects.empty()) return;
    if (is_mutant("no_recheck")) return believe(suspects);
    if (!judge_) judge_.emplace(source_, target_, streams_, sessions_.agreement(), sessions_.hashes(), settings_.values, deadline);
    for (auto& [index, verdict] : judge_->judge(suspects, deadline)) {
      TableCase& one = cases_[index];
      verdict.settled += one.judged.settled;
      one.judged = std::move(verdict);
      if (!one.judged.differences.empty())
        one.standing = TableCase::Standing::different;
      // With all that differed seen alike, the rest being equal: so is the table.
      else if (one.judged.undecided.empty() && !one.drilled.is_cut)
        one.standing = TableCase::Standing::equal;
    }
  }

  void believe(const std::map<std::size_t, std::set<RowKey>>& suspects) {
    for (const auto& [index, keys] : suspects) {
      for (const auto& key : keys) cases_[index].judged.differences.push_back({RowDifference::Kind::missing, key, {}, {}});
      cases_[index].standing = TableCase::Standing::different;
    }
  }

  // Rows come and go between the pairs; what is too many under each of three is not on its way.
  static void judge_surplus(TableCase& one) {
    one.surplus = one.rounds_of_surplus == 0 ? one.drilled.surplus : common(one.surplus, one.drilled.surplus);
    one.rounds_of_surplus = one.surplus.empty() ? 0 : one.rounds_of_surplus + 1;
    if (one.rounds_of_surplus < kPairsOfASurplus) return;
    one.judged.differences = differences_of(one.surplus);
    one.standing = TableCase::Standing::different;
  }

  Server& source_;
  Server& target_;
  Streams streams_;
  LiveSettings settings_;
  ParitySessions& sessions_;
  Aligner aligner_;
  std::optional<Judge> judge_;
  std::vector<TableCase> cases_;
  Lsn first_position_;
};

}  // namespace

ParityReport compare_live(Server& source, Server& target, const Streams& streams, const LiveSettings& settings,
                          const ProgressCallback& progress, Deadline deadline) {
  ParitySessions sessions(source, target, settings.workers, deadline, settings.filter, Warmth::cold);
  return compare_live(source, target, streams, sessions, settings, progress, deadline);
}

ParityReport compare_live(Server& source, Server& target, const Streams& streams, ParitySessions& sessions,
                          const LiveSettings& settings, const ProgressCallback& progress, Deadline deadline) {
  LiveComparison comparison(source, target, streams, sessions, settings, deadline);
  for (int round = 1; round <= settings.rounds && comparison.open() > 0; ++round) {
    if (round > 1) std::this_thread::sleep_for(std::chrono::milliseconds{100});
    comparison.run_round(deadline);
    if (progress)
      progress("round " + std::to_string(round) + ": " + std::to_string(comparison.tables() - comparison.open()) +
               "/" + std::to_string(comparison.tables()) + " tables decided");
  }
  return comparison.report();
}

}  // namespace verdigris
