#include <algorithm>
#include <numeric>
#include <thread>

#include "healthcheck/parity/align.hpp"
#include "healthcheck/parity/parity.hpp"
#include "healthcheck/parity/scan.hpp"
#include "healthcheck/parity/verdicts.hpp"

namespace verdigris {
namespace {

// What is read under one pair: a snapshot holds back vacuum on its server, so it must not grow old.
constexpr std::int64_t kBytesUnderOnePair = std::int64_t{32} << 30U;

void import_snapshot(SideSessions& side, const std::string& name, Deadline deadline) {
  for (auto& worker : side.workers)
    worker.execute(Sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT {}", Literal(name)),
                   deadline);
}

void end_snapshot(SideSessions& side, Deadline deadline) {
  for (auto& worker : side.workers) worker.execute(Sql("ROLLBACK"), deadline);
}

class LiveComparison {
 public:
  LiveComparison(Server& source, Server& target, const Streams& streams, int workers, CompareMode mode,
                 const TableSelection& filter, Deadline deadline)
      : sessions_(source, target, workers, deadline, filter),
        aligner_(source, target, streams, deadline),
        mode_(mode),
        sums_(sessions_.agreement().tables.size()),
        suspects_(sums_.size()) {
    std::iota(suspects_.begin(), suspects_.end(), std::size_t{0});
  }

  // Reads all suspects once more; those that are equal now are none any longer.
  void run_round(Deadline deadline) {
    for (std::size_t from = 0; from < suspects_.size();) {
      const std::size_t to = end_of_batch(from);
      const auto at = [this](std::size_t i) { return suspects_.begin() + static_cast<std::ptrdiff_t>(i); };
      compare({at(from), at(to)}, deadline);
      from = to;
    }
    std::erase_if(suspects_, [this](std::size_t table) { return sums_[table].source == sums_[table].target; });
  }

  std::size_t suspects() const { return suspects_.size(); }
  std::size_t tables() const { return sums_.size(); }
  ParityReport report() const { return make_report(sessions_.agreement(), sums_, first_position_); }

 private:
  std::size_t end_of_batch(std::size_t from) const {
    std::int64_t bytes = 0;
    std::size_t to = from;
    for (; to < suspects_.size() && (to == from || bytes < kBytesUnderOnePair); ++to)
      bytes += sessions_.agreement().tables[suspects_[to]].source_bytes;
    return to;
  }

  void compare(const std::vector<std::size_t>& tables, Deadline deadline) {
    const SnapshotPair pair = aligner_.make(deadline);
    // What was equal later need not have been equal here, but the claim is about the end: the earliest is the safe one.
    if (first_position_ == Lsn{}) first_position_ = pair.position;
    import_snapshot(sessions_.source(), pair.source, deadline);
    import_snapshot(sessions_.target(), pair.target, deadline);
    aligner_.release();
    const auto sums = scan_tables(sessions_, tables, mode_, deadline);
    for (std::size_t i = 0; i < tables.size(); ++i) sums_[tables[i]] = sums[i];
    end_snapshot(sessions_.source(), deadline);
    end_snapshot(sessions_.target(), deadline);
  }

  ParitySessions sessions_;
  Aligner aligner_;
  CompareMode mode_;
  std::vector<SumPair> sums_;
  std::vector<std::size_t> suspects_;
  Lsn first_position_;
};

}  // namespace

ParityReport compare_live(Server& source, Server& target, const Streams& streams, int workers, int rounds,
                          const ProgressCallback& progress, Deadline deadline, CompareMode mode,
                          const TableSelection& filter) {
  LiveComparison comparison(source, target, streams, workers, mode, filter, deadline);
  for (int round = 1; round <= rounds && comparison.suspects() > 0; ++round) {
    if (round > 1) std::this_thread::sleep_for(std::chrono::milliseconds{100});
    comparison.run_round(deadline);
    if (progress)
      progress("round " + std::to_string(round) + ": " + std::to_string(comparison.tables() - comparison.suspects()) +
               "/" + std::to_string(comparison.tables()) + " tables equal");
  }
  return comparison.report();
}

}  // namespace verdigris
