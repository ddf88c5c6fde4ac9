#include "healthcheck/questions.hpp"

namespace verdigris::questions {
namespace {

struct Usage {
  std::int64_t slots, max_slots;
  std::int64_t senders, max_senders;
  std::int64_t subscriptions, max_logical_workers, max_processes;
  std::int64_t sessions, max_sessions;
  std::int64_t origins, max_origins;
  std::int64_t locks_per_transaction;
};

// What others use; ours are what the numbers below are for. From 18 origins have a limit of their own.
Usage usage_of(Server& server, Deadline deadline) {
  const Result answer = server.control().query(Sql(R"(
    SELECT (SELECT count(*) FROM pg_replication_slots WHERE slot_name !~ '^verdigris_'),
           current_setting('max_replication_slots'),
           (SELECT count(*) FROM pg_stat_replication WHERE application_name !~ '^verdigris'),
           current_setting('max_wal_senders'),
           (SELECT count(*) FROM pg_subscription WHERE subname !~ '^verdigris_' AND subenabled),
           current_setting('max_logical_replication_workers'), current_setting('max_worker_processes'),
           (SELECT count(*) FROM pg_stat_activity
            WHERE backend_type = 'client backend' AND application_name !~ '^verdigris/'),
           current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int,
           (SELECT count(*) FROM pg_replication_origin),
           coalesce(current_setting('max_active_replication_origins', true), current_setting('max_replication_slots')),
           current_setting('max_locks_per_transaction'))"),
                                               deadline);
  const Row row = answer.one_row(12);
  return {row.integer(0), row.integer(1), row.integer(2), row.integer(3), row.integer(4),  row.integer(5),
          row.integer(6), row.integer(7), row.integer(8), row.integer(9), row.integer(10), row.integer(11)};
}

class SideLimits {
 public:
  SideLimits(const Server& server, bool is_grouped, Findings& findings)
      : color_(server.color()), is_grouped_(is_grouped), findings_(findings) {}

  void require(const char* id, const char* setting, std::int64_t used, std::int64_t needed, std::int64_t allowed) {
    if (used + needed <= allowed) return;
    findings_.push_back(fail(id,
                             color_ + ": " + setting + " is " + std::to_string(allowed) + ", others use " +
                                 std::to_string(used) + ", " + std::to_string(needed) + " more are needed",
                             "Raise it to " + std::to_string(used + needed) + " or more and restart the server" +
                                 (is_grouped_ ? ", or write replication: {groups: one}." : ".")));
  }

 private:
  std::string color_;
  bool is_grouped_;
  Findings& findings_;
};

void check_side(Server& server, const CheckContext& context, Findings& findings) {
  // A second slot and sender while one stream replaces another after a rollback; senders also make the slots. Each group
  // of tables has streams of its own.
  const std::int64_t slots = 2 * streams_each_way(context);
  const std::int64_t senders = slots + 1, origins = slots, apply_workers = slots;
  constexpr std::int64_t kControlSessions = 12;
  const Usage usage = usage_of(server, context.deadline);
  SideLimits side(server, slots > 2, findings);
  side.require("limits.slots", "max_replication_slots", usage.slots, slots, usage.max_slots);
  const bool is_loading = &server == &context.target && context.settings.is_target_loading;
  if (!is_loading) side.require("limits.senders", "max_wal_senders", usage.senders, senders, usage.max_senders);
  side.require("limits.origins", server.major() >= 18 ? "max_active_replication_origins" : "max_replication_slots",
               usage.origins, context.is_prepared ? 0 : origins, usage.max_origins);
  side.require("limits.workers", "max_logical_replication_workers", usage.subscriptions, apply_workers,
               usage.max_logical_workers);
  // The launcher is one of them.
  side.require("limits.workers", "max_worker_processes", usage.subscriptions, apply_workers + 1, usage.max_processes);
  side.require("limits.connections", "max_connections (without the reserved)", usage.sessions,
               kControlSessions + 2 * context.settings.copy_workers, usage.max_sessions);
}

// Closing the fence locks every table in one transaction.
void check_locks(const CheckContext& context, Findings& findings) {
  constexpr std::int64_t kManyTables = 2000;
  constexpr std::int64_t kEnough = 256;
  const auto tables = static_cast<std::int64_t>(user_tables(context.source.control(), context.deadline).size());
  for (Server* server : context.both()) {
    const auto allowed = usage_of(*server, context.deadline).locks_per_transaction;
    if (tables > kManyTables && allowed < kEnough)
      findings.push_back(fail("limits.locks",
                              server->color() + ": max_locks_per_transaction is " + std::to_string(allowed) + " with " +
                                  std::to_string(tables) + " tables to lock at once",
                              "Set max_locks_per_transaction = 256 and restart the server."));
  }
}

}  // namespace

Findings limits(const CheckContext& context) {
  Findings findings;
  for (Server* server : context.both()) check_side(*server, context, findings);
  check_locks(context, findings);
  if (findings.empty())
    findings.push_back(pass("limits.slots", "slots, senders, workers, origins, connections and locks suffice"));
  return findings;
}

}  // namespace verdigris::questions
