#include "replication/copy/snapshot_keeper.hpp"

#include "replication/copy/snapshot.hpp"
#include "replication/poll.hpp"

namespace verdigris {
namespace {

constexpr const char* kKeeper = "kept";
constexpr const char* kWatcher = "slot";
constexpr std::chrono::milliseconds kTimeToBegin{30'000};
constexpr std::int64_t kForEver = 2'000'000'000;  // seconds

std::string application_of(const std::string& deployment, const char* role) {
  return "verdigris/" + deployment + "/" + role;
}

struct Watch {
  std::int64_t alone;  // seconds without a controller, until it ends
  std::int64_t most;   // bytes of WAL, until the slot is dropped; 0: no limit
  Sql each_round;
};

Sql dropping_the_others(const Streams& streams) {
  std::vector<Literal> names;
  for (const auto& stream : streams)
    if (stream.group != 1) names.push_back(Literal(stream.name));
  if (names.empty()) return Sql("");
  return Sql(R"(
          PERFORM pg_drop_replication_slot(s.slot_name) FROM pg_replication_slots s
          WHERE s.slot_name IN ({}) AND NOT s.active;)",
             Sql::joined(names, ", "));
}

// The session ends itself, since a client that is gone would not end it. A controller that works looks at the WAL itself,
// every two seconds, and has something to say: it comes first. The key of its lease is that of controller/lease.cpp.
// pg_locks and pg_replication_slots show what is now, also under an old snapshot.
Sql watching_statement(const std::string& deployment, const Streams& streams, const std::string& unread, const Watch& watch) {
  const Literal name(streams.first().name);
  const Number most(watch.most);
  const Sql body(R"(
    DECLARE
      slot record;
      alone int := 0;
      beyond int := 0;
    BEGIN
      LOOP
        SELECT s.active OR coalesce(s.wal_status, 'lost') = 'lost' AS is_over, s.confirmed_flush_lsn = {} AS is_unread,
               coalesce(pg_current_wal_insert_lsn() - s.restart_lsn, 0) AS kept
        INTO slot FROM pg_replication_slots s WHERE s.slot_name = {};
        EXIT WHEN NOT FOUND OR slot.is_over OR slot.is_unread IS NOT TRUE;
        alone := CASE WHEN EXISTS (
          SELECT FROM pg_locks l
          WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
            AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND (l.classid::bigint << 32 | l.objid::bigint) = hashtextextended('verdigris:' || {}, 0)
        ) THEN 0 ELSE alone + 1 END;
        EXIT WHEN alone > {};
        beyond := CASE WHEN {} > 0 AND slot.kept > {} THEN beyond + 1 ELSE 0 END;
        IF beyond > (CASE WHEN alone > 2 THEN 0 ELSE 15 END) THEN
          PERFORM pg_drop_replication_slot({});{}
          EXIT;
        END IF;
        PERFORM pg_sleep(1);{}
      END LOOP;
      PERFORM pg_terminate_backend(pg_backend_pid());
    END)",
                 Literal(unread), name, Literal(deployment), Number(watch.alone), most, most, name,
                 dropping_the_others(streams), watch.each_round);
  return Sql("DO {}", Literal(body.text()));
}

// Returns when it has looked once, and nothing was wrong. Throws what the server said instead.
void leave_at_work(Server& source, Connection& session, const Sql& statement, Deadline deadline) {
  Connection& control = source.control();
  // It must not look whether its client is still there.
  if (session.major() >= 14) session.execute(Sql("SET client_connection_check_interval = 0"), deadline);
  session.send(statement, deadline);
  const auto soon = Deadline::after(kTimeToBegin).or_earlier(deadline);
  const auto pid = std::to_string(session.backend_pid());
  const bool rests = wait_until(soon, [&] {
    if (session.has_answer()) {
      session.receive(soon);
      throw snapshot_lost(control.server() + ": it ended at once");
    }
    const Result answer = control.query(
        Sql("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1::int AND wait_event = 'PgSleep')"), {pid}, soon);
    return answer.one_row(1).boolean(0);
  });
  if (!rests) throw DeadlinePassed(control.server() + ": the session that shall keep the snapshot has not begun in time");
}

}  // namespace

Sql keeping_statement(const std::string& deployment, const Streams& streams, const std::string& unread,
                      const KeepingTerms& terms) {
  return watching_statement(deployment, streams, unread, {terms.alone.count(), 0, Sql("")});
}

// Committed each round, and so under a snapshot of its own for no longer than that.
Sql guarding_statement(const std::string& deployment, const Streams& streams, const std::string& unread,
                       const KeepingTerms& terms) {
  return watching_statement(deployment, streams, unread, {kForEver, terms.most_wal_bytes, Sql("\n        COMMIT;")});
}

Sql ending_keepers_statement() {
  return Sql(R"(
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name IN ($1, $2) AND datname = current_database() AND usename = current_user
      AND pid <> ALL ($3::int[]))");
}

SnapshotKeeper keep_snapshot(Server& source, const Streams& streams, const std::string& snapshot, Lsn unread,
                             const KeepingTerms& terms, std::optional<Connection> guard, Deadline deadline) {
  Connection session = open_under_snapshot(source, kKeeper, snapshot, "SQL_ASCII", deadline);
  const auto name = session.query(Sql("SELECT pg_export_snapshot()"), deadline).one_row(1).text(0);
  leave_at_work(source, session, keeping_statement(source.deployment(), streams, unread.text(), terms), deadline);
  return {name, std::move(session), std::move(guard)};
}

std::optional<Connection> guard_slot(Server& source, const Streams& streams, Lsn unread, const KeepingTerms& terms,
                                     Deadline deadline) {
  if (terms.most_wal_bytes == 0) return std::nullopt;
  Connection session = source.open(kWatcher, deadline);
  leave_at_work(source, session, guarding_statement(source.deployment(), streams, unread.text(), terms), deadline);
  return session;
}

void end_keeper(Connection& on, const std::string& deployment, Deadline deadline) {
  const auto keeper = application_of(deployment, kKeeper);
  on.query(ending_keepers_statement(), {keeper, keeper, "{}"}, deadline);
}

void end_snapshot_keepers(Connection& on, const std::string& deployment, const SnapshotKeeper* but, Deadline deadline) {
  std::vector<std::string> pids;
  if (but != nullptr) pids.push_back(std::to_string(but->session.backend_pid()));
  if (but != nullptr && but->guard) pids.push_back(std::to_string(but->guard->backend_pid()));
  on.query(ending_keepers_statement(),
           {application_of(deployment, kKeeper), application_of(deployment, kWatcher), text_array(pids)}, deadline);
}

bool is_snapshot_kept(Connection& on, const std::string& deployment, Deadline deadline) {
  const Result answer = on.query(Sql(R"(
    SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = $1 AND datname = current_database()))"),
                                 {application_of(deployment, kKeeper)}, deadline);
  return answer.one_row(1).boolean(0);
}

}  // namespace verdigris
