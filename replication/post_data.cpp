#include "replication/post_data.hpp"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <sstream>
#include <thread>
#include <tuple>

#include "replication/catalog.hpp"
#include "replication/lock_retry.hpp"

namespace verdigris {
namespace {

constexpr std::string_view kHead = "--\n-- Name: ";  // of each entry in a script of pg_restore
constexpr std::string_view kEnd = "--\n-- PostgreSQL database dump complete\n";
constexpr std::chrono::milliseconds kReportBuilds{500};
// In kB, of one build and its workers; what follows is the least, in MB.
constexpr const char* kMemoryOfAll =
    "SELECT pg_catalog.set_config('maintenance_work_mem', m.kb::text, false) FROM (SELECT 1024 * greatest("
    "32 * (1 + pg_catalog.current_setting('max_parallel_maintenance_workers')::int), ";
constexpr int kMostBuildTries = 20;
constexpr std::size_t kMostOfStatement = 2000;  // of a statement, in a message

// "3385; 2606 16395 CONSTRAINT public accounts accounts_pkey app_owner"
struct TocLine {
  explicit TocLine(const std::string& line) {
    std::istringstream words(line);
    std::string id, catalog, oid;
    words >> id >> catalog >> oid >> kind >> next;
  }
  // An index of a partitioned table gets its parts when all are there; in a schema named ATTACH all are of the rest.
  bool is_attach() const { return kind == "INDEX" && next == "ATTACH"; }
  bool is_build() const { return kind == "CONSTRAINT" || (kind == "INDEX" && !is_attach()); }

  std::string kind, next;
};

std::string with_statement(const Error& error, const std::string& statement) {
  return std::string(error.what()) + "; the statement was: " + statement.substr(0, kMostOfStatement);
}

// Several sessions on the target and what they share.
class Builders {
 public:
  Builders(std::vector<IndexBuild> builds, Deadline deadline) : builds_(std::move(builds)), deadline_(deadline) {
    for (std::size_t i = 0; i < builds_.size(); ++i) waiting_.push_back(i);
  }

  void add(Connection session) {
    cancels_.emplace_back(PQgetCancel(session.native()), &PQfreeCancel);
    sessions_.push_back(std::move(session));
  }

  void run(const ProgressCallback& progress) {
    std::vector<std::jthread> threads;
    try {
      for (auto& session : sessions_) {
        threads.emplace_back([this, &session] { work(session); });
        const std::lock_guard lock(mutex_);
        ++running_;
      }
    } catch (...) {
      fail(std::current_exception());
    }
    while (const auto text = look())
      if (!text->empty()) tell(progress, *text);
    threads.clear();
    if (!error_) tell(progress, said());
    if (error_) std::rethrow_exception(error_);
  }

 private:
  std::string said() const {
    return std::to_string(done_) + "/" + std::to_string(builds_.size()) + " indexes and constraints";
  }

  // Waits a while, or until all have ended: nothing then. Without words once one has failed.
  std::optional<std::string> look() {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kReportBuilds, [this] { return ended_ == running_; });
    if (ended_ == running_) return std::nullopt;
    if (!error_) return said();
    lock.unlock();
    // Again each time: one that was between two statements has begun another since.
    cancel_all();
    return "";
  }

  void cancel_all() {
    char ignored[256];
    for (const auto& cancel : cancels_) PQcancel(cancel.get(), ignored, sizeof ignored);
  }

  // A callback that throws stops the work: a person pressed Ctrl-C.
  void tell(const ProgressCallback& progress, const std::string& text) noexcept {
    try {
      if (progress) progress(text);
    } catch (...) {
      fail(std::current_exception());
    }
  }

  void fail(std::exception_ptr why) noexcept {
    const std::lock_guard lock(mutex_);
    if (!error_) error_ = std::move(why);
    waiting_.clear();
    changed_.notify_all();
  }

  bool has_failed() { return std::scoped_lock(mutex_), error_ != nullptr; }

  bool may_begin(const IndexBuild& build) const {
    if (!build.table) return true;
    return !exclusive_.contains(*build.table) && (!build.is_exclusive || !used_.contains(*build.table));
  }

  struct Task {
    const IndexBuild* build = nullptr;  // nothing when all are begun, or one has failed
    bool is_alone = false;              // nothing else is to be done meanwhile
  };

  Task next() {
    std::unique_lock lock(mutex_);
    for (;;) {
      if (waiting_.empty()) return {};
      const auto found = std::ranges::find_if(waiting_, [&](std::size_t i) { return may_begin(builds_[i]); });
      if (found != waiting_.end()) {
        const IndexBuild& build = builds_[*found];
        waiting_.erase(found);
        if (build.table) used_.insert(*build.table);
        if (build.table && build.is_exclusive) exclusive_.insert(*build.table);
        return {&build, under_way_++ == 0 && waiting_.empty()};
      }
      changed_.wait(lock);
    }
  }

  void end(const IndexBuild& build) {
    const std::lock_guard lock(mutex_);
    ++done_;
    --under_way_;
    if (build.table) used_.erase(used_.find(*build.table));
    if (build.table && build.is_exclusive) exclusive_.erase(*build.table);
    changed_.notify_all();
  }

  void work(Connection& session) noexcept {
    try {
      for (Task task = next(); task.build != nullptr; task = next()) {
        build_one(session, task);
        end(*task.build);
      }
    } catch (...) {
      fail(std::current_exception());
    }
    const std::lock_guard lock(mutex_);
    ++ended_;
    changed_.notify_all();
  }

  void build_one(Connection& session, const Task& task) {
    // As many builds as cores are under way: workers for each would only be in each other's way.
    // Alone it has the server's workers, and the server starts none of them that would get less than 32 MB.
    const std::string memory = std::to_string(build_memory_mb(*task.build));
    const std::string text = (task.is_alone ? std::string("RESET max_parallel_maintenance_workers;\n") + kMemoryOfAll + memory + ") AS kb) AS m;\n"
                                            : "SET max_parallel_maintenance_workers = 0;\nSET maintenance_work_mem = '" + memory + "MB';\n") +
                             task.build->text;
    for (int tries = 1;; ++tries) {
      try {
        session.query(Sql::written_by_operator(text), deadline_);
        return;
      } catch (const ServerError& error) {
        if (is_lock_failure(error) && tries < kMostBuildTries && !has_failed()) continue;
        throw Error("schema.restore", with_statement(error, task.build->text),
                    "What was built is kept; correct the cause, then repeat the command.");
      } catch (const Error& error) {
        throw Error(error.id(), with_statement(error, task.build->text), error.hint(), error.failure());
      }
    }
  }

  const std::vector<IndexBuild> builds_;
  const Deadline deadline_;
  std::vector<Connection> sessions_;
  std::vector<std::unique_ptr<PGcancel, decltype(&PQfreeCancel)>> cancels_;  // of their own: a session may be closed
  std::vector<std::size_t> waiting_;  // in order
  std::multiset<QualifiedName> used_;
  std::set<QualifiedName> exclusive_;
  std::size_t done_ = 0, under_way_ = 0;
  std::size_t running_ = 0, ended_ = 0;  // threads
  std::mutex mutex_;
  std::condition_variable changed_;
  std::exception_ptr error_;
};

// As pg_restore's own session. Builds wait for nobody but autovacuum; memory is asked for where there is little.
Connection open_restoring(const Server& target, const std::string& encoding, Deadline deadline) {
  const SessionOptions options{target.color(),
                               "verdigris/" + target.deployment() + "/schema",
                               false,
                               {{"search_path", ""},
                                {"lock_timeout", "10s"},
                                {"check_function_bodies", "off"},
                                {"xmloption", "content"},
                                {"synchronous_commit", "off"},  // what is noted behind them is on disk, and with it they
                                {"client_min_messages", "warning"}}};
  auto session = Connection::open(target.conninfo().with("client_encoding", encoding), options, deadline);
  session.execute(Sql(R"(
      SELECT pg_catalog.set_config('maintenance_work_mem', '256MB', false)
      WHERE pg_catalog.pg_size_bytes(pg_catalog.current_setting('maintenance_work_mem')) < 268435456)"),
                  deadline);
  return session;
}

void largest_first(Connection& target, std::vector<IndexBuild>& builds, Deadline deadline) {
  std::map<QualifiedName, std::int64_t> bytes;
  for (const auto& table : user_tables(target, deadline, TableSizes::read)) bytes[table.name] = table.bytes;
  for (auto& build : builds)
    if (build.table) build.table_bytes = bytes[*build.table];
  std::ranges::stable_sort(builds, std::ranges::greater{}, &IndexBuild::table_bytes);
}

// Whatever state they are in: valid or not, attached or not. In the encoding of the session.
void erase_what_is_there(Connection& on, std::vector<IndexBuild>& builds, Deadline deadline) {
  const Result found_constraints = on.query(Sql(R"(
      SELECT n.nspname, c.relname, k.conname FROM pg_catalog.pg_constraint k
      JOIN pg_catalog.pg_class c ON c.oid = k.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace)"),
                                            deadline);
  const Result found_indexes = on.query(Sql(R"(
      SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('i', 'I'))"),
                                        deadline);
  std::set<std::tuple<std::string, std::string, std::string>> constraints;
  std::set<std::pair<std::string, std::string>> indexes;
  for (const Row& row : found_constraints.rows(3)) constraints.emplace(row.text(0), row.text(1), row.text(2));
  for (const Row& row : found_indexes.rows(2)) indexes.emplace(row.text(0), row.text(1));
  std::erase_if(builds, [&](const IndexBuild& build) {
    if (!build.table) return false;
    const auto& schema = build.table->schema().raw();
    return build.is_constraint ? constraints.contains({schema, build.table->name().raw(), build.name})
                               : indexes.contains({schema, build.name});
  });
}

}  // namespace

PostDataToc split_toc(const std::string& toc) {
  std::istringstream lines(toc);
  PostDataToc result;
  bool is_over = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line.starts_with(";")) continue;
    const TocLine entry(line);
    is_over = is_over || (!entry.is_build() && !entry.is_attach() && entry.kind != "COMMENT");
    const bool is_one = entry.is_build() && !is_over;
    (is_one ? result.builds : result.rest) += line + '\n';
    ++(is_one ? result.build_count : result.rest_count);
  }
  return result;
}

std::vector<std::string> split_script(const std::string& script, std::size_t count) {
  std::vector<std::string> statements;
  const auto end = script.rfind(kEnd);
  for (auto at = script.find(kHead); at < end;) {
    const auto next = std::min(script.find(kHead, at + kHead.size()), end);
    const auto end_of_comment = std::min(script.find("\n--\n", at + kHead.size()), next);
    if (end_of_comment < next) statements.push_back(script.substr(end_of_comment + 4, next - end_of_comment - 4));
    at = next;
  }
  if (end == std::string::npos || statements.size() != count) {
    // Without psql's own words at its head and its end.
    std::istringstream lines(script);
    std::string whole;
    for (std::string line; std::getline(lines, line);)
      if (!line.starts_with("\\restrict ") && !line.starts_with("\\unrestrict ")) whole += line + '\n';
    return {whole};
  }
  for (auto& statement : statements) {
    statement.erase(0, statement.find_first_not_of('\n'));
    statement.erase(statement.find_last_not_of('\n') + 1);
  }
  return statements;
}

void build_indexes(Server& target, std::vector<IndexBuild> builds, const std::string& encoding, int workers,
                   const ProgressCallback& progress, Deadline deadline) {
  auto first = open_restoring(target, encoding, deadline);
  erase_what_is_there(first, builds, deadline);
  if (builds.empty()) return;
  largest_first(target.control(), builds, deadline);
  const auto sessions = std::min(static_cast<std::size_t>(std::max(workers, 1)), builds.size());
  Builders builders(std::move(builds), deadline);
  builders.add(std::move(first));
  for (std::size_t i = 1; i < sessions; ++i) builders.add(open_restoring(target, encoding, deadline));
  builders.run(progress);
}

void restore_rest(const Server& target, const std::vector<std::string>& statements, const std::string& encoding,
                  const std::function<void(Connection&)>& note, const ProgressCallback& progress, Deadline deadline) {
  auto session = open_restoring(target, encoding, deadline);
  Transaction transaction(session, deadline);
  auto next_report = Deadline::after(kReportBuilds);
  for (std::size_t i = 0; i < statements.size(); ++i) {
    const auto& statement = statements[i];
    if (progress && next_report.has_passed()) {
      progress(std::to_string(i) + "/" + std::to_string(statements.size()) + " foreign keys, triggers and the like");
      next_report = Deadline::after(kReportBuilds);
    }
    if (statement.empty()) continue;
    try {
      transaction.execute(Sql::written_by_operator(statement));
    } catch (const Error& error) {
      throw Error(dynamic_cast<const ServerError*>(&error) != nullptr ? "schema.restore" : error.id(),
                  with_statement(error, statement),
                  "Indexes are kept, of the rest of the section nothing; correct the cause, then repeat the command.");
    }
  }
  note(session);
  transaction.commit();
}

}  // namespace verdigris
