#include "healthcheck/parity/rolling.hpp"

#include <algorithm>
#include <numeric>

#include "healthcheck/parity/scan.hpp"
#include "replication/test_switches.hpp"

namespace verdigris {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kBetweenLooks{500};
constexpr milliseconds kPumpAtOnce{50};
constexpr std::size_t kKeysOfARound = 20'000;
constexpr int kRoundsUntilProof = 6;
constexpr milliseconds kRoundPatience{60'000};
const char* const kHint = "Run: verdigris verify";

std::string described(const ComparedTable& table, const RowKey& key) {
  std::string text = table.name.display() + " differs: key (";
  for (std::size_t i = 0; i < key.size(); ++i) text += (i == 0 ? "" : ", ") + key[i];
  return text + ")";
}

std::string count_of(std::size_t number, const char* one, const char* many) {
  return std::to_string(number) + " " + (number == 1 ? one : many);
}

}  // namespace

RollingParity::RollingParity(Server& source, Server& target, const Streams& there, const Streams& back,
                             ParitySessions& sessions, Deadline deadline)
    : source_(source),
      target_(target),
      sessions_(sessions),
      dirty_(sessions.agreement()),
      unseen_(sessions.agreement()),
      judge_(source, target, there, sessions.agreement(), sessions.hashes(), Values::hidden, deadline),
      source_clock_(source.open("parity end", deadline)),
      target_clock_(target.open("parity end", deadline)),
      source_changes_(source, there, dirty_, deadline),
      target_changes_(target, back, is_mutant("foreign_writes_unseen") ? unseen_ : dirty_, deadline) {
  judge_.give_up_when(is_ending_);
}

RollingParity::~RollingParity() {
  is_ending_ = true;
  if (thread_.joinable()) thread_.join();
}

void RollingParity::begin(const Streams& there, const ProgressCallback& progress, Deadline deadline) {
  resume();
  base_ = compare_live(source_, target_, there, sessions_, {}, progress, deadline);
  for (const auto& table : base_.tables)
    if (!table.is_equal && !table.is_undecided)
      throw Error("parity", table.rows.empty() ? table.table.display() + " differs"
                                               : table.table.display() + " differs in " + std::to_string(table.rows.size()) +
                                                     (table.has_more_rows ? " rows or more" : " rows or tables' surpluses"),
                  kHint, Failure::differs);
  if (!base_.differences.empty()) throw Error("parity", base_.differences.front(), kHint, Failure::differs);
  // The thread goes on with what was written too often to tell.
  freeze(deadline);
  const auto& tables = sessions_.agreement().tables;
  for (std::size_t i = 0; i < tables.size(); ++i) {
    const auto verdict = std::ranges::find(base_.tables, tables[i].name, &TableVerdict::table);
    if (verdict->is_equal) continue;
    if (verdict->undecided.empty() || verdict->has_more_rows)
      dirty_.add_whole(i);
    else
      for (const auto& key : verdict->undecided) dirty_.add(i, key);
    verdict->is_equal = true;  // but for what is dirty
    verdict->is_undecided = false;
  }
  resume();
}

Freshness RollingParity::look() {
  const std::lock_guard lock(mutex_);
  if (failure_) std::rethrow_exception(failure_);
  return fresh_;
}

void RollingParity::resume() {
  if (thread_.joinable()) return;
  is_ending_ = false;
  thread_ = std::thread([this] { run(); });
}

Freshness RollingParity::freeze(Deadline) {
  is_ending_ = true;
  if (thread_.joinable()) thread_.join();
  return look();
}

void RollingParity::run() {
  try {
    while (!is_ending_) {
      follow_once(Deadline::after(kRoundPatience));
      const auto rest = Deadline::after(kBetweenLooks);
      while (!is_ending_ && !rest.has_passed()) pump_both(milliseconds{20});
    }
  } catch (const DeadlinePassed&) {
    if (!is_ending_) note_failure();  // else: what was not seen alike is still among the dirty keys
  } catch (...) {
    note_failure();
  }
}

// To be called while an exception is handled.
void RollingParity::note_failure() {
  const std::lock_guard lock(mutex_);
  failure_ = std::current_exception();
}

void RollingParity::pump_both(milliseconds time) {
  source_changes_.pump(Deadline::after(time / 2));
  target_changes_.pump(Deadline::after(time / 2));
}

// Keys that are known now are asked for behind a marker; what changes meanwhile comes in by the streams once more.
void RollingParity::follow_once(Deadline deadline) {
  const Lsn source_end = source_clock_.query(Sql("SELECT pg_current_wal_flush_lsn()"), deadline).one_row(1).lsn(0);
  const Lsn target_end = target_clock_.query(Sql("SELECT pg_current_wal_flush_lsn()"), deadline).one_row(1).lsn(0);
  for (;;) {
    if (is_ending_) return;
    const bool is_there = source_changes_.read_to(source_end, Deadline::after(kPumpAtOnce));
    if (target_changes_.read_to(target_end, Deadline::after(kPumpAtOnce)) && is_there) break;
    if (deadline.has_passed()) throw DeadlinePassed("the changes of " + source_.color() + " were not read in time");
  }
  look_again_at(dirty_.keys(kKeysOfARound), deadline);
  source_changes_.confirm(source_end);
  target_changes_.confirm(target_end);
  const std::lock_guard lock(mutex_);
  std::int64_t bytes = 0;
  for (const auto index : dirty_.whole_tables()) {
    const auto& table = sessions_.agreement().tables[index];
    bytes += std::max(table.source_bytes, table.target_bytes);
  }
  fresh_ = {source_end, dirty_.size(), dirty_.whole_tables().size(), bytes, std::chrono::steady_clock::now()};
}

void RollingParity::look_again_at(const KeysByTable& keys, Deadline deadline) {
  const auto open = judge_.look_once(keys, deadline);
  KeysByTable stubborn;
  for (const auto& [table, all] : keys) {
    const auto still = open.find(table);
    for (const auto& key : all) {
      if (still == open.end() || !still->second.contains(key)) {
        dirty_.settle(table, key);
        stubborn_[table].erase(key);
      } else if (++stubborn_[table][key] >= kRoundsUntilProof) {
        stubborn[table].insert(key);
        stubborn_[table].erase(key);
      }
    }
  }
  if (stubborn.empty()) return;
  for (const auto& [table, verdict] : judge_.judge(stubborn, deadline))
    if (!verdict.differences.empty())
      throw Error("parity", described(sessions_.agreement().tables[table], verdict.differences.front().key), kHint, Failure::differs);
}

// Only flushed WAL is decoded, and apply flushes when it likes: a commit of ours flushes it.
void RollingParity::read_to_the_end(Deadline deadline) {
  const Sql flush("SELECT pg_logical_emit_message(true, 'verdigris', 'parity')");
  target_clock_.send(Sql("SET synchronous_commit = local; {}; SELECT pg_current_wal_flush_lsn()", flush), deadline);
  source_clock_.send(Sql("SELECT pg_current_wal_flush_lsn()"), deadline);
  const Lsn source_end = source_clock_.receive(deadline).one_row(1).lsn(0);
  const bool is_read = source_changes_.read_to(source_end, deadline);
  target_clock_.receive(deadline);
  const Lsn target_end = target_clock_.query(Sql("SELECT pg_current_wal_flush_lsn()"), deadline).one_row(1).lsn(0);
  if (!is_read || !target_changes_.read_to(target_end, deadline))
    throw DeadlinePassed("what changed since the comparison was not read in time", "Run the command again, with a longer --max-pause.");
}

void RollingParity::require_alike(const KeysByTable& different) const {
  for (const auto& [table, keys] : different)
    throw Error("parity", described(sessions_.agreement().tables[table], *keys.begin()), kHint, Failure::differs);
}

ParityReport RollingParity::settle(Deadline deadline) {
  look();
  sessions_.require_same_catalogs(deadline);
  read_to_the_end(deadline);
  const auto keys = dirty_.keys(dirty_.size());
  require_alike(judge_.differing_when_still(keys, deadline));
  const std::vector<std::size_t> whole(dirty_.whole_tables().begin(), dirty_.whole_tables().end());
  const auto sums = scan_tables(sessions_, whole, CompareMode::full, ScanUnder::nothing, deadline);
  for (std::size_t i = 0; i < whole.size(); ++i) {
    const auto verdict = std::ranges::find(base_.tables, sessions_.agreement().tables[whole[i]].name, &TableVerdict::table);
    verdict->is_equal = sums[i].source == sums[i].target;
    verdict->source_rows = sums[i].source.rows;
    verdict->target_rows = sums[i].target.rows;
  }
  account_ = count_of(dirty_.size(), "row", "rows") + " and " + count_of(whole.size(), "whole table", "whole tables") +
             " of what changed since " + base_.position.text();
  base_.position = source_changes_.received();
  return base_;
}

}  // namespace verdigris
