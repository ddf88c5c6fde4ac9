#include "replication/origin.hpp"

namespace verdigris {

std::string origin_name(unsigned subscription_oid) { return "pg_" + std::to_string(subscription_oid); }

std::optional<Lsn> origin_progress(Connection& receiver, unsigned subscription_oid, Deadline deadline) {
  return receiver
      .query(Sql("SELECT pg_replication_origin_progress($1, true)"), {origin_name(subscription_oid)}, deadline)
      .one_row(1)
      .lsn_or_null(0);
}

void advance_origin(Connection& receiver, unsigned subscription_oid, Lsn to, Deadline deadline) {
  receiver.query(advance_origin_statement(), {origin_name(subscription_oid), to.text()}, deadline);
}

Sql advance_origin_statement() { return Sql("SELECT pg_replication_origin_advance($1, $2::pg_lsn)"); }

Lsn wal_insert_position(Connection& on, Deadline deadline) {
  return on.query(Sql("SELECT pg_current_wal_insert_lsn()"), deadline).one_row(1).lsn(0);
}

Lsn durable_wal_position(Connection& on, Deadline deadline) {
  return on.commit_alone(durable_position_statement(), deadline).one_row(2).lsn(0);
}

// The target list is evaluated from left to right: the position first.
Sql durable_position_statement() {
  return Sql("SELECT pg_current_wal_insert_lsn(), pg_logical_emit_message(true, 'verdigris', 'line')");
}

}  // namespace verdigris
