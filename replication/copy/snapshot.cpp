#include "replication/copy/snapshot.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <thread>

#include "replication/lock_retry.hpp"
#include "replication/slot.hpp"

namespace verdigris {
namespace {

constexpr std::chrono::milliseconds kLongestPause{5'000};  // between two tries for a lock

std::optional<SlotSnapshot> try_create(Server& source, const Stream& stream, Deadline deadline) {
  Connection session = source.open_replication(deadline);
  try {
    const Result answer = session.query(snapshot_slot_statement(stream), deadline);
    const Row row = answer.one_row(4);
    return SlotSnapshot{row.lsn(1), row.text(2), std::move(session)};
  } catch (const ServerError& error) {
    if (!is_lock_failure(error)) throw;
    return std::nullopt;
  } catch (const DeadlinePassed&) {
    return std::nullopt;  // the session is gone, and its half-made slot with it
  }
}

}  // namespace

Sql snapshot_slot_statement(const Stream& stream) {
  return Sql("CREATE_REPLICATION_SLOT {} LOGICAL pgoutput EXPORT_SNAPSHOT", stream.identifier());
}

Sql locking_statement(const std::vector<QualifiedName>& tables) {
  std::vector<Sql> names;
  for (const auto& table : tables) names.push_back(Sql("ONLY {}", table));
  return Sql("LOCK TABLE {} IN ACCESS SHARE MODE", Sql::joined(names, ", "));
}

SlotSnapshot create_slot_with_snapshot(Server& source, const Stream& stream, Deadline deadline,
                                       const std::function<void(const std::string&)>& say) {
  for (std::chrono::milliseconds pause{100};; pause = std::min(pause * 2, kLongestPause)) {
    if (auto created = try_create(source, stream, deadline)) return std::move(*created);
    const std::string open = transactions_with_id(source.control(), Deadline::after(std::chrono::seconds(5)));
    if (deadline.remaining() <= pause)
      throw Error("slot.blockers",
                  source.color() + ": replication slot " + stream.name +
                      " cannot be created while these transactions are open: " + open,
                  "Wait for them or end them, then repeat the command.");
    // Not those that began and ended meanwhile.
    if (say && !open.empty()) say(source.color() + ": the copy begins when these transactions have ended: " + open);
    std::this_thread::sleep_for(pause);
  }
}

Error snapshot_lost(const std::string& why) {
  return {"copy.snapshot-lost", why + ": the session that kept the snapshot and the locks of the copy has ended",
          "Repeat verdigris prepare: it goes on with what is missing if blue still keeps the snapshot, else the copy begins anew."};
}

Error table_changed(const Server& source, const std::string& gave_way_to) {
  return {"copy.changed",
          source.color() + ": a table was truncated, altered or dropped during the copy" +
              (gave_way_to.empty() ? "" : ", which had given way to " + gave_way_to),
          "Repeat verdigris prepare when no such work is under way: the copy begins anew."};
}

Connection open_under_snapshot(const Server& source, const std::string& role, const std::string& snapshot,
                               const std::string& encoding, Deadline deadline) {
  Connection session = source.open(role, deadline, true,
                                   {{"synchronize_seqscans", "off"},
                                    {"max_parallel_workers_per_gather", "0"},
                                    {"xmloption", "content"},
                                    {"lc_monetary", "C"},
                                    {"lock_timeout", "3s"}});
  session.execute(Sql("SET client_encoding = {}", Literal(encoding)), deadline);
  session.execute(Sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"), deadline);
  try {
    session.execute(Sql("SET TRANSACTION SNAPSHOT {}", Literal(snapshot)), deadline);
  } catch (const ServerError& error) {
    throw snapshot_lost(error.what());
  }
  return session;
}

void lock_tables(Connection& under_snapshot, const std::vector<QualifiedName>& tables, Deadline deadline) {
  if (tables.empty()) return;
  // A savepoint, so that a lock not obtained costs neither the transaction nor the snapshot.
  for (std::chrono::milliseconds pause{100};; pause = std::min(pause * 2, kLongestPause)) {
    under_snapshot.execute(Sql("SAVEPOINT locks"), deadline);
    try {
      under_snapshot.execute(locking_statement(tables), deadline);
      return;
    } catch (const ServerError& error) {
      if (!is_lock_failure(error) || deadline.remaining() <= pause) throw;
      under_snapshot.execute(Sql("ROLLBACK TO SAVEPOINT locks"), deadline);
    }
    std::this_thread::sleep_for(pause);
  }
}

std::string storage_digest(Connection& on, const std::vector<QualifiedName>& tables, Deadline deadline) {
  std::vector<std::string> schemas;
  std::vector<std::string> names;
  for (const auto& table : tables) {
    schemas.push_back(table.schema().raw());
    names.push_back(table.name().raw());
  }
  const Result answer = on.query(Sql(R"(
    SELECT md5(coalesce(string_agg(concat_ws(':', n.nspname, c.relname, c.oid, pg_relation_filenode(c.oid), (
             SELECT md5(string_agg(concat_ws(':', a.attnum, a.attname, a.atttypid, a.atttypmod), ',' ORDER BY a.attnum))
             FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)), ',' ORDER BY c.oid), ''))
    FROM unnest($1::text[], $2::text[]) AS wanted(schemaname, tablename)
    JOIN pg_namespace n ON n.nspname = wanted.schemaname
    JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.tablename)"),
                                 {text_array(schemas), text_array(names)}, deadline);
  return answer.one_row(1).text(0);
}

}  // namespace verdigris
