#include "replication/copy/snapshot_keeper.hpp"

#include "replication/copy/snapshot.hpp"
#include "replication/poll.hpp"

namespace verdigris {
namespace {

constexpr const char* kRole = "snapshot";
constexpr std::chrono::milliseconds kTimeToBegin{30'000};

std::string application_of(const std::string& deployment) { return "verdigris/" + deployment + "/" + kRole; }

// A controller that works looks at the WAL itself, every two seconds, and has something to say: it comes first. The key
// of its lease is that of controller/lease.cpp. pg_locks and pg_replication_slots show what is now, also under an old
// snapshot. The session is ended rather than the statement: a client that is gone would not end it.
Sql keeping_body(const std::string& deployment, const Stream& stream, const std::string& unread, const KeepingTerms& terms) {
  const Literal name(stream.name);
  const Number most(terms.most_wal_bytes);
  return Sql(R"(
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
          PERFORM pg_drop_replication_slot({});
          EXIT;
        END IF;
        PERFORM pg_sleep(1);
      END LOOP;
      PERFORM pg_terminate_backend(pg_backend_pid());
    END)",
             Literal(unread), name, Literal(deployment), Number(terms.alone.count()), most, most, name);
}

// It has looked once, and nothing was wrong. Throws what the server said instead.
void wait_until_it_rests(Connection& control, Connection& session, Deadline deadline) {
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

Sql keeping_statement(const std::string& deployment, const Stream& stream, const std::string& unread,
                      const KeepingTerms& terms) {
  return Sql("DO {}", Literal(keeping_body(deployment, stream, unread, terms).text()));
}

Sql ending_keepers_statement() {
  return Sql(R"(
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name = $1 AND datname = current_database() AND usename = current_user AND pid <> $2::int)");
}

SnapshotKeeper keep_snapshot(Server& source, const Stream& stream, const std::string& snapshot, Lsn unread,
                             const KeepingTerms& terms, Deadline deadline) {
  Connection session = open_under_snapshot(source, kRole, snapshot, deadline);
  // It must not look whether its client is still there.
  if (session.major() >= 14) session.execute(Sql("SET client_connection_check_interval = 0"), deadline);
  const auto name = session.query(Sql("SELECT pg_export_snapshot()"), deadline).one_row(1).text(0);
  session.send(keeping_statement(source.deployment(), stream, unread.text(), terms), deadline);
  wait_until_it_rests(source.control(), session, deadline);
  return {name, std::move(session)};
}

void end_snapshot_keepers(Connection& on, const std::string& deployment, std::optional<int> but, Deadline deadline) {
  on.query(ending_keepers_statement(), {application_of(deployment), std::to_string(but.value_or(0))}, deadline);
}

bool is_snapshot_kept(Connection& on, const std::string& deployment, Deadline deadline) {
  const Result answer = on.query(Sql(R"(
    SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = $1 AND datname = current_database()))"),
                                 {application_of(deployment)}, deadline);
  return answer.one_row(1).boolean(0);
}

}  // namespace verdigris
