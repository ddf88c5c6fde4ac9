#include "replication/copy/copier.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <stop_token>
#include <thread>

#include "replication/copy/plan.hpp"
#include "replication/copy/relay.hpp"
#include "replication/copy/snapshot.hpp"
#include "replication/origin.hpp"
#include "replication/slot.hpp"

namespace verdigris {
namespace {

constexpr std::chrono::milliseconds kReportEvery{500};

Connection open_target(const Server& target, Deadline deadline) {
  // Asynchronous commits: everything is made durable once at the end, and a crash before that starts over.
  Connection session = target.open("copy", deadline, false,
                                   {{"synchronous_commit", "off"},
                                    {"client_min_messages", "error"},
                                    {"xmloption", "content"},
                                    {"lc_monetary", "C"},
                                    {"lock_timeout", "10s"}});
  session.execute(Sql("SET session_replication_role = replica"), deadline);
  return session;
}

// The pairs of sessions and what they share. Threads take items from the front; the first error stops all.
class Workers {
 public:
  Workers(std::vector<CopyItem> items, Deadline deadline) : items_(std::move(items)), deadline_(deadline) {}

  void add_pair(Connection source, Connection target) { pairs_.push_back({std::move(source), std::move(target)}); }

  void run(const ProgressCallback& progress) {
    std::vector<std::jthread> threads;
    running_ = pairs_.size();
    for (auto& pair : pairs_) threads.emplace_back([this, &pair] { work(pair); });
    while (running_ > 0) {
      std::unique_lock lock(mutex_);
      ended_.wait_for(lock, kReportEvery, [this] { return running_ == 0; });
      lock.unlock();
      tell(progress);
    }
    threads.clear();
    if (error_) std::rethrow_exception(error_);
  }

  int tables() const { return done_; }
  std::int64_t rows() const { return rows_; }
  std::int64_t bytes() const { return sent_; }

 private:
  struct Pair {
    Connection source;
    Connection target;
  };

  // A callback that throws stops the copy: a person pressed Ctrl-C.
  void tell(const ProgressCallback& progress) noexcept {
    try {
      if (progress) progress(report());
    } catch (...) {
      stop_all(std::current_exception());
    }
  }

  void stop_all(std::exception_ptr why) {
    const std::lock_guard lock(mutex_);
    if (!error_) error_ = std::move(why);
    stop_.request_stop();
  }

  void work(Pair& pair) noexcept {
    try {
      for (std::size_t next = next_++; next < items_.size() && !stop_.stop_requested(); next = next_++)
        copy_one(pair, items_[next]);
    } catch (...) {
      stop_all(std::current_exception());
    }
    const std::lock_guard lock(mutex_);
    --running_;
    ended_.notify_all();
  }

  void copy_one(Pair& pair, const CopyItem& item) {
    try {
      Transaction transaction(pair.target, deadline_);
      if (item.may_truncate) transaction.execute(emptying(item));
      rows_ +=
          relay_copy(pair.source, copy_to(item), pair.target, copy_from(item), stop_.get_token(), sent_, deadline_);
      transaction.commit();
      ++done_;
    } catch (const Error& error) {
      throw Error(error.id(), "table " + item.table.display() + ": " + error.what(), error.hint(), error.failure());
    }
  }

  std::string report() const {
    return std::to_string(done_) + "/" + std::to_string(items_.size()) + " tables, " + std::to_string(sent_ >> 20) +
           " MiB";
  }

  const std::vector<CopyItem> items_;
  const Deadline deadline_;
  std::vector<Pair> pairs_;
  std::stop_source stop_;
  std::atomic<std::size_t> next_ = 0;
  std::atomic<int> done_ = 0;
  std::atomic<std::int64_t> rows_ = 0;
  std::atomic<std::int64_t> sent_ = 0;
  std::atomic<std::size_t> running_ = 0;
  std::mutex mutex_;
  std::condition_variable ended_;
  std::exception_ptr error_;
};

// By name, as `plan` says it.
std::vector<QualifiedName> names_of(const std::vector<CopyItem>& items) {
  std::vector<QualifiedName> names;
  for (const auto& item : items) names.push_back(item.table);
  std::ranges::sort(names);
  return names;
}

}  // namespace

CopyTotals copy_all_tables(Server& source, Server& target, const Stream& stream, const CopySettings& settings,
                           const ProgressCallback& progress, Deadline deadline) {
  drop_slot(source.control(), stream, deadline);
  truncate_tables(target.control(), settings.filter, deadline);
  auto items = copy_plan(user_tables(source.control(), deadline), settings.filter);
  mark_referenced(items, target.control(), deadline);
  const auto names = names_of(items);
  const auto before = storage_digest(source.control(), names, deadline);
  SlotSnapshot slot = create_slot_with_snapshot(source, stream, deadline);
  Connection keeper = open_under_snapshot(source, "keeper", slot.name, deadline);
  lock_tables(keeper, names, deadline);
  if (storage_digest(source.control(), names, deadline) != before)
    throw Error("copy.changed", source.color() + ": a table was truncated, rewritten or dropped while the copy began",
                "Repeat the command when no such work is under way.");
  Workers workers(std::move(items), deadline);
  for (int i = 0; i < settings.workers; ++i)
    workers.add_pair(open_under_snapshot(source, "copy", slot.name, deadline), open_target(target, deadline));
  workers.run(progress);
  durable_wal_position(target.control(), deadline);
  return {slot.consistent_point, workers.tables(), workers.rows(), workers.bytes()};
}

std::vector<QualifiedName> tables_with_rows(Connection& on, const TableSelection& filter, Deadline deadline) {
  std::vector<QualifiedName> filled;
  for (const Table& table : user_tables(on, deadline)) {
    if (table.is_partitioned || !filter.selects(table) || table.bytes == 0) continue;
    const Result answer = on.query(Sql("SELECT EXISTS (SELECT FROM ONLY {})", table.name), deadline);
    if (answer.one_row(1).boolean(0)) filled.push_back(table.name);
  }
  return filled;
}

void truncate_tables(Connection& on, const TableSelection& filter, Deadline deadline) {
  const auto statement = truncating_statement(user_tables(on, deadline), filter);
  if (!statement) return;
  Transaction transaction(on, deadline);
  // As the apply worker: no trigger of ours or of the application answers.
  transaction.execute(Sql("SET LOCAL session_replication_role = replica"));
  transaction.execute(*statement);
  transaction.commit();
}

std::optional<Sql> truncating_statement(const std::vector<Table>& tables, const TableSelection& filter) {
  std::vector<Sql> names;
  for (const Table& table : tables)
    if (!table.is_partition && filter.selects(table))  // a root brings its partitions, and only with it may they go
      names.push_back(table.is_partitioned ? Sql("{}", table.name) : Sql("ONLY {}", table.name));
  if (names.empty()) return std::nullopt;
  return Sql("TRUNCATE {}", Sql::joined(names, ", "));
}

}  // namespace verdigris
