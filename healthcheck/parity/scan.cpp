#include "healthcheck/parity/scan.hpp"

#include <poll.h>

#include <algorithm>
#include <deque>
#include <optional>

namespace verdigris {
namespace {

constexpr std::int64_t kBlockBytes = 8192;  // other block sizes only make other ranges: the last one has no end
constexpr std::int64_t kRangeBlocks = 8192;

struct Job {
  std::size_t slot;  // which sum it adds to
  std::int64_t bytes;
  Sql text;
};

// sum() of int8 is a numeric and leaves the range of int64.
WideInteger parse_wide(std::string_view text) {
  const bool is_negative = text.starts_with('-');
  WideInteger value = 0;
  for (const char digit : text.substr(is_negative ? 1 : 0)) value = value * 10 + (digit - '0');
  return is_negative ? -value : value;
}

// One side's list and sessions.
class SideScan {
 public:
  SideScan(SideSessions& side, std::vector<Job> jobs, std::size_t slots) : side_(side), sums_(slots) {
    std::stable_sort(jobs.begin(), jobs.end(), [](const Job& a, const Job& b) { return a.bytes > b.bytes; });
    jobs_.assign(jobs.begin(), jobs.end());
    under_way_.resize(side_.workers.size());
  }

  void start_idle_workers(Deadline deadline) {
    for (std::size_t i = 0; i < side_.workers.size() && !jobs_.empty(); ++i) {
      if (under_way_[i]) continue;
      side_.workers[i].send(jobs_.front().text, deadline);
      under_way_[i] = jobs_.front().slot;
      jobs_.pop_front();
    }
  }

  void add_sockets(std::vector<pollfd>& sockets) const {
    for (std::size_t i = 0; i < under_way_.size(); ++i)
      if (under_way_[i]) sockets.push_back({PQsocket(side_.workers[i].native()), POLLIN, 0});
  }

  void collect_answers(Deadline deadline) {
    for (std::size_t i = 0; i < under_way_.size(); ++i)
      if (under_way_[i] && has_answer(side_.workers[i])) collect(i, deadline);
  }

  const std::vector<TableSum>& sums() const { return sums_; }

 private:
  // An answer that is not yet whole, or a lost connection, is left to receive(), which knows how to say it.
  static bool has_answer(Connection& worker) {
    return PQconsumeInput(worker.native()) == 0 || PQisBusy(worker.native()) == 0;
  }

  void collect(std::size_t worker, Deadline deadline) {
    const Result answer = side_.workers[worker].receive(deadline);
    const Row row = answer.one_row(2);
    TableSum& sum = sums_[*under_way_[worker]];
    sum.rows += row.integer(0);
    sum.hash += parse_wide(row.text(1));
    under_way_[worker].reset();
  }

  SideSessions& side_;
  std::deque<Job> jobs_;
  std::vector<std::optional<std::size_t>> under_way_;
  std::vector<TableSum> sums_;
};

void run(SideScan& source, SideScan& target, Deadline deadline) {
  for (;;) {
    source.start_idle_workers(deadline);
    target.start_idle_workers(deadline);
    std::vector<pollfd> sockets;
    source.add_sockets(sockets);
    target.add_sockets(sockets);
    if (sockets.empty()) return;
    ::poll(sockets.data(), sockets.size(), static_cast<int>(deadline.remaining().count()));
    source.collect_answers(deadline);
    target.collect_answers(deadline);
    if (deadline.has_passed()) throw DeadlinePassed("the tables were not compared in time",
                                                    "Give more time: --timeout before clients wait, cutover.max_pause while they do.");
  }
}

std::vector<Job> jobs_of(const ParitySessions& sessions, const std::vector<std::size_t>& tables, bool is_source,
                         int major, CompareMode mode, ScanUnder under) {
  std::vector<Job> jobs;
  for (std::size_t slot = 0; slot < tables.size(); ++slot) {
    const ComparedTable& table = sessions.agreement().tables[tables[slot]];
    const std::int64_t bytes = is_source ? table.source_bytes : table.target_bytes;
    const auto statements = scan_statements(table, bytes, major, sessions.hashes(), mode);
    for (const Sql& text : statements)
      jobs.push_back({slot, bytes / static_cast<std::int64_t>(statements.size()),
                      under == ScanUnder::snapshot ? Sql("ROLLBACK TO SAVEPOINT scan; {}", text) : text});
  }
  return jobs;
}

Sql scan_statement(const ComparedTable& table, const Sql& sum, std::int64_t from, std::optional<std::int64_t> to) {
  if (from == 0 && !to) return Sql("SELECT count(*), {} FROM ONLY {}", sum, table.name);
  if (!to) return Sql("SELECT count(*), {} FROM ONLY {} WHERE ctid >= '({},0)'", sum, table.name, Number(from));
  return Sql("SELECT count(*), {} FROM ONLY {} WHERE ctid >= '({},0)' AND ctid < '({},0)'", sum, table.name,
             Number(from), Number(*to));
}

}  // namespace

std::vector<Sql> scan_statements(const ComparedTable& table, std::int64_t bytes, int major, const HashAgreement& hashes,
                                 CompareMode mode) {
  const Sql sum =
      mode == CompareMode::counts ? Sql("0") : Sql("coalesce(sum({}), 0)::text", row_hash(table.columns, hashes));
  std::vector<Sql> statements;
  std::int64_t from = 0;
  // Ranges of ctid read only their blocks from 14 on; before, each would read the whole table.
  if (major >= 14)
    for (; from + 2 * kRangeBlocks <= bytes / kBlockBytes; from += kRangeBlocks)
      statements.push_back(scan_statement(table, sum, from, from + kRangeBlocks));
  statements.push_back(scan_statement(table, sum, from, std::nullopt));
  return statements;
}

std::vector<SumPair> scan_tables(ParitySessions& sessions, const std::vector<std::size_t>& tables, CompareMode mode,
                                 ScanUnder under, Deadline deadline) {
  const int source_major = sessions.source().workers.front().major();
  const int target_major = sessions.target().workers.front().major();
  SideScan source(sessions.source(), jobs_of(sessions, tables, true, source_major, mode, under), tables.size());
  SideScan target(sessions.target(), jobs_of(sessions, tables, false, target_major, mode, under), tables.size());
  try {
    run(source, target, deadline);
  } catch (...) {
    sessions.close();  // some still hold a question; their servers give it up when the session is gone
    throw;
  }
  std::vector<SumPair> sums;
  for (std::size_t i = 0; i < tables.size(); ++i) sums.push_back({source.sums()[i], target.sums()[i]});
  return sums;
}

}  // namespace verdigris
