#include "replication/slot.hpp"

#include <algorithm>
#include <exception>
#include <thread>

#include "replication/lock_retry.hpp"
#include "replication/origin.hpp"
#include "replication/poll.hpp"

namespace verdigris {
namespace {

constexpr std::chrono::milliseconds kTimeToGiveUp{500};  // an attempt that short would run into the deadline

bool create_once(Connection& on, const Stream& stream, Deadline deadline) {
  // statement_timeout does not bound the wait, lock_timeout does, and leaves no slot behind (copy.md section 5). It
  // must end before our own deadline does, which would cost the session.
  const auto longest = std::min(kLockTimeout, deadline.remaining() / 3);
  on.execute(Sql("SET lock_timeout = {}", Number(longest.count() + 1)), deadline);
  bool is_created = true;
  try {
    on.query(create_slot_statement(), {stream.name}, deadline);
  } catch (const ServerError& error) {
    if (!is_lock_failure(error)) throw;
    is_created = false;
  }
  on.execute(Sql("SET lock_timeout = 0"), Deadline::after(std::chrono::seconds(5)));
  return is_created;
}

}  // namespace

void send_slot_states(Connection& on, const Streams& streams, Deadline deadline) {
  on.send_prepared(Sql(R"(
    SELECT slot_name, active, coalesce(active_pid, 0), restart_lsn, confirmed_flush_lsn, coalesce(wal_status, 'lost')
    FROM pg_replication_slots WHERE slot_name = ANY ($1::text[]))"),
                   {text_array(streams.name_list())}, deadline);
}

std::vector<SlotState> receive_slot_states(Connection& on, const Streams& streams, Deadline deadline) {
  const Result answer = on.receive(deadline);
  std::vector<SlotState> states(streams.size());
  for (const Row& row : answer.rows(6))
    for (std::size_t i = 0; i < streams.size(); ++i)
      if (row.text(0) == streams[i].name)
        states[i] = {.exists = true,
                     .is_active = row.boolean(1),
                     .active_pid = static_cast<int>(row.integer(2)),
                     .restart = row.lsn_or_null(3).value_or(Lsn{}),
                     .confirmed_flush = row.lsn_or_null(4).value_or(Lsn{}),
                     .wal_status = row.text(5)};
  return states;
}

std::vector<SlotState> slot_states(Connection& on, const Streams& streams, Deadline deadline) {
  send_slot_states(on, streams, deadline);
  return receive_slot_states(on, streams, deadline);
}

SlotState slot_state(Connection& on, const Stream& stream, Deadline deadline) {
  return slot_states(on, stream, deadline).front();
}

Bytes unread_by(Connection& on, const Streams& streams, Deadline deadline) {
  std::optional<Lsn> least;
  for (const auto& slot : slot_states(on, streams, deadline))
    if (!least || slot.confirmed_flush < *least) least = slot.confirmed_flush;
  return wal_insert_position(on, deadline) - *least;
}

void require_own_slot(Connection& on, const Stream& stream, Deadline deadline) {
  const Result answer = on.query(Sql(R"(
    SELECT CASE WHEN s.slot_type <> 'logical' THEN 'is a physical slot'
                WHEN s.plugin <> 'pgoutput' THEN 'uses the plugin ' || s.plugin
                WHEN s.database <> current_database() THEN 'belongs to database ' || s.database
                WHEN a.application_name IS DISTINCT FROM s.slot_name AND s.active_pid IS NOT NULL
                  THEN format('is read by pid %s (%s@%s, %s)', s.active_pid, a.usename,
                              coalesce(host(a.client_addr), 'local'), a.application_name) END
    FROM pg_replication_slots s LEFT JOIN pg_stat_activity a ON a.pid = s.active_pid
    WHERE s.slot_name = $1)"),
                                 {stream.name}, deadline);
  const auto row = answer.at_most_one_row(1);
  if (!row || row->is_null(0)) return;
  throw Refused("slot.foreign", on.server() + ": replication slot " + stream.name + " is not ours: it " + row->text(0),
                "Find out who made it; drop it with pg_drop_replication_slot if nobody needs it.");
}

void ensure_slot(Connection& on, const Stream& stream, Deadline deadline) {
  require_own_slot(on, stream, deadline);
  if (const SlotState found = slot_state(on, stream, deadline); found.exists) {
    if (found.is_usable()) return;
    throw Refused("slot.lost", on.server() + ": replication slot " + stream.name + " was invalidated by the server",
                  "Run abandon, then prepare again; raise max_slot_wal_keep_size before.");
  }
  for (std::chrono::milliseconds pause{100}; !create_once(on, stream, deadline); pause *= 2) {
    if (deadline.remaining() <= pause + kTimeToGiveUp)
      throw Error("slot.blockers",
                  on.server() + ": replication slot " + stream.name +
                      " cannot be created while these transactions are open: " +
                      transactions_with_id(on, Deadline::after(std::chrono::seconds(5))),
                  "Wait for them or end them, then repeat the command.");
    std::this_thread::sleep_for(pause);
  }
}

void copy_slot(Connection& on, const Stream& first, const Stream& other, Deadline deadline) {
  on.query(copy_slot_statement(), {first.name, other.name}, deadline);
  const auto states = slot_states(on, first, deadline);
  const auto copied = slot_state(on, other, deadline);
  if (copied.is_usable() && copied.confirmed_flush == states.front().confirmed_flush) return;
  throw Error("slot.copied-elsewhere",
              on.server() + ": replication slot " + other.name + " begins at " + copied.confirmed_flush.text() + ", and " +
                  first.name + " at " + states.front().confirmed_flush.text(),
              "Look who reads from them; then repeat the command: the copy begins anew.");
}

void drop_slots(Connection& on, const Streams& streams, Deadline deadline, SlotReader reader) {
  std::exception_ptr first;
  for (const auto& stream : streams) {
    try {
      drop_slot(on, stream, deadline, reader);
    } catch (const Error&) {
      if (!first) first = std::current_exception();
    }
  }
  if (first) std::rethrow_exception(first);
}

void drop_slot(Connection& on, const Stream& stream, Deadline deadline, SlotReader reader) {
  require_own_slot(on, stream, deadline);
  SlotState state;
  const bool is_gone = wait_until(deadline, [&] {
    state = slot_state(on, stream, deadline);
    if (!state.exists) return true;
    if (state.is_active) {
      if (reader == SlotReader::is_ended) on.query(end_reader_statement(), {stream.name}, deadline);
      return false;
    }
    try {
      on.query(drop_slot_statement(), {stream.name}, deadline);
      return true;
    } catch (const ServerError& error) {
      // Taken or dropped since we looked: look again.
      if (error.sqlstate() == "55006" || error.sqlstate() == "42704") return false;
      throw;
    }
  });
  if (!is_gone)
    throw Error(
        "slot.active",
        on.server() + ": replication slot " + stream.name + " is still read by pid " + std::to_string(state.active_pid),
        "Disable the subscription that reads it, then repeat the command.");
}

Sql create_slot_statement() { return Sql("SELECT pg_create_logical_replication_slot($1, 'pgoutput')"); }
Sql copy_slot_statement() { return Sql("SELECT pg_copy_logical_replication_slot($1, $2)"); }
Sql advance_slot_statement() { return Sql("SELECT pg_replication_slot_advance($1, $2)"); }
Sql end_reader_statement() {
  return Sql("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = $1 AND active_pid IS NOT NULL");
}
Sql drop_slot_statement() { return Sql("SELECT pg_drop_replication_slot($1)"); }

void advance_slot(Connection& on, const Stream& stream, Lsn to, Deadline deadline) {
  if (slot_state(on, stream, deadline).confirmed_flush >= to) return;
  on.query(advance_slot_statement(), {stream.name, to.text()}, deadline);
}

std::string transactions_with_id(Connection& on, Deadline deadline) {
  const Result answer = on.query(Sql(R"(
    SELECT coalesce(string_agg(who, '; ' ORDER BY since), '') FROM (
      SELECT xact_start AS since,
             format('pid %s (%s@%s, %s), open for %s s', pid, usename, coalesce(host(client_addr), 'local'),
                    application_name, round(extract(epoch FROM clock_timestamp() - xact_start))) AS who
      FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid()
      UNION ALL
      SELECT prepared, format('prepared transaction %s of %s', gid, owner) FROM pg_prepared_xacts) AS holders)"),
                                 deadline);
  return answer.one_row(1).text(0);
}

}  // namespace verdigris
