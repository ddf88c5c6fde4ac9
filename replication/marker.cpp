#include "replication/marker.hpp"

#include <chrono>
#include <map>
#include <random>
#include <thread>

#include "replication/access.hpp"
#include "replication/fence.hpp"
#include "replication/origin.hpp"
#include "replication/sequences.hpp"
#include "replication/test_switches.hpp"

namespace verdigris {

std::int64_t new_marker_id(const std::string& side) {
  if (is_mutant("marker_ids_per_side")) {
    static std::map<std::string, std::int64_t> counted;
    return ++counted[side];
  }
  // 51 bits of microseconds, 11 random bits, one bit for the side: fits into a positive bigint until the year 2041.
  thread_local std::mt19937_64 random{std::random_device{}()};
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(now).count();
  return static_cast<std::int64_t>(micros) * 4096 + static_cast<std::int64_t>(random() % 2048) * 2 +
         (side == "green" ? 1 : 0);
}

std::int64_t write_marker(Connection& on, const std::string& side, const std::string& kind, Deadline deadline) {
  const auto id = new_marker_id(side);
  on.query(marker_statement(), {std::to_string(id), kind, side}, deadline);
  return id;
}

Sql marker_statement() { return Sql("INSERT INTO verdigris.marker (id, kind, side) VALUES ($1, $2, $3)"); }

std::int64_t write_marker_with_sequences(Connection& on, const std::string& side, const std::string& kind, Deadline deadline) {
  const auto id = new_marker_id(side);
  on.query(marker_with_sequences_statement(), {std::to_string(id), kind, side}, deadline);
  return id;
}

Sql marker_with_sequences_statement() {
  return Sql(R"(
    INSERT INTO verdigris.marker (id, kind, side, sequences) VALUES ($1, $2, $3, {}))",
             sequences_as_json());
}

Sql sequence_seen_statement(int groups) {
  std::vector<Sql> tables;
  for (const auto& stream : Streams({""}, groups)) tables.push_back(Sql("SELECT id, side, at, sequences FROM {}", stream.marker()));
  const Sql all = groups == 1 ? Sql("verdigris.marker") : Sql("({})", Sql::joined(tables, " UNION ALL "));
  return Sql(R"(CREATE OR REPLACE VIEW verdigris.sequence_seen AS
      SELECT DISTINCT ON (m.side, s.key) m.side, s.key AS name, s.value::int8 AS last_value, m.at
      FROM {} m CROSS JOIN LATERAL pg_catalog.jsonb_each_text(m.sequences) AS s
      ORDER BY m.side, s.key, m.id DESC)",
             all);
}

namespace {

// $1 is the marker's id.
Sql row_is_there(const QualifiedName& marker) { return Sql("EXISTS (SELECT FROM {} WHERE id = $1)", marker); }

}  // namespace

bool marker_arrived(Connection& on, const Streams& streams, std::int64_t id, Deadline deadline) {
  std::vector<Sql> rows;
  for (const auto& stream : streams) rows.push_back(row_is_there(stream.marker()));
  return on.query(Sql("SELECT {}", Sql::joined(rows, " AND ")), {std::to_string(id)}, deadline).one_row(1).boolean(0);
}

void wait_for_marker(Connection& on, const Streams& streams, std::int64_t id, Deadline deadline) {
  while (!marker_arrived(on, streams, id, deadline)) {
    if (deadline.has_passed())
      throw DeadlinePassed(on.server() + ": marker " + std::to_string(id) + " did not arrive in time",
                           "Look for errors of the apply worker in that server's log.");
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

// The position is read inside the transaction: the marker's commit lies behind it, so applying that commit reaches it.
Sql final_marker_statement(const Sql& id, const std::string& side, const std::string& deployment) {
  const bool is_locked = !is_mutant("marker_without_lock");
  const Sql lock = is_locked ? Sql("LOCK TABLE verdigris.marker IN SHARE ROW EXCLUSIVE MODE") : Sql("");
  const Sql closing = is_mutant("marker_left_open") ? Sql("") : marker_fence_statement(FenceState::closed);
  return Sql(R"(
    {};
    INSERT INTO verdigris.marker (id, kind, side) VALUES ({}, 'final', {});
    {};
    SELECT pg_current_wal_insert_lsn(), NOT EXISTS (SELECT {}))",
             lock, id, Literal(side), closing, from_foreign_sessions(Sql("{}", Literal(deployment))));
}

FinalMarker write_final_marker(Connection& on, const std::string& side, const std::string& deployment, Deadline deadline) {
  const auto id = new_marker_id(side);
  const Result result = on.commit_alone(final_marker_statement(Sql("{}", Number(id)), side, deployment), deadline);
  const auto row = result.one_row(2);
  if (is_mutant("position_after_marker")) {  // a moment is made longer, so that somebody does write in it
    const auto late = on.query(Sql("SELECT pg_current_wal_insert_lsn() FROM pg_sleep(0.02)"), deadline);
    return {id, late.one_row(1).lsn(0), row.boolean(1)};
  }
  return {id, row.lsn(0), row.boolean(1)};
}

std::optional<Lsn> progress_past_marker(Connection& on, std::int64_t id, const std::vector<AppliedStream>& streams,
                                        Deadline deadline) {
  std::vector<Sql> rows, positions;
  Params params{std::to_string(id)};
  for (const auto& one : streams) {
    rows.push_back(row_is_there(one.stream.marker()));
    params.push_back(origin_name(one.subscription));
    positions.push_back(Sql("pg_replication_origin_progress(${}, true)", Number(static_cast<std::int64_t>(params.size()))));
  }
  // Not asked before the rows are there: asking flushes. No least(): it passes over one that has no progress.
  const Result answer = on.query_prepared(Sql("SELECT unnest(CASE WHEN {} THEN ARRAY[{}] END)",
                                              Sql::joined(rows, " AND "), Sql::joined(positions, ", ")),
                                          params, deadline);
  std::optional<Lsn> last;
  for (const Row& row : answer.rows(1)) {
    const auto position = row.lsn_or_null(0);
    if (!position) return std::nullopt;
    if (!last || *position < *last) last = position;
  }
  return last;
}

}  // namespace verdigris
