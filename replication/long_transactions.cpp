#include "replication/long_transactions.hpp"

#include "replication/access.hpp"

namespace verdigris {
namespace {

constexpr int kLongColumns = 10;

// What is asked for, and of whom; ends with a condition, so that another can follow.
Sql long_ones() {
  return Sql(R"(
    SELECT pid, pg_get_userbyid(usesysid), coalesce(application_name, ''), coalesce(host(client_addr), 'local'),
           coalesce(state, 'unknown'), extract(epoch FROM clock_timestamp() - xact_start)::float8,
           to_char(xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"'),
           coalesce(to_char(query_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"'), ''),
           left(regexp_replace(coalesce(query, ''), '\s+', ' ', 'g'), 80),
           coalesce((SELECT rolsuper FROM pg_roles WHERE oid = usesysid), true) {}
      AND clock_timestamp() - xact_start > $2::float8 * interval '1 second')",
             from_foreign_sessions(Sql("$1")));
}

std::vector<LongTransaction> long_ones_in(const Result& result, int columns) {
  std::vector<LongTransaction> out;
  for (const auto& row : result.rows(columns))
    out.push_back({static_cast<int>(row.integer(0)), row.text(1), row.text(2), row.text(3), row.text(4), row.real(5),
                   row.text(6), row.text(7), row.text(8), row.boolean(9)});
  return out;
}

std::string seconds_text(std::chrono::milliseconds span) {
  return std::to_string(static_cast<double>(span.count()) / 1000);
}

}  // namespace

std::string LongTransaction::describe() const {
  return "pid " + std::to_string(pid) + " (" + user + ", application \"" + application + "\", " + address + ", " +
         state + ", began " + began + ", " + std::to_string(static_cast<long>(seconds)) + " s ago" +
         (query_began.empty() ? "" : ", query began " + query_began) + (query.empty() ? "" : ": \"" + query + "\"") +
         ")";
}

std::vector<LongTransaction> long_transactions(Connection& on, const std::string& deployment,
                                               std::chrono::milliseconds older_than, Deadline deadline) {
  const auto result =
      on.query_prepared(Sql("{} ORDER BY xact_start", long_ones()), {deployment, seconds_text(older_than)}, deadline);
  return long_ones_in(result, kLongColumns);
}

// In one statement with the look: a session that has begun another transaction since is not ended for the one before.
Sql ending_long_transactions() {
  return Sql(
      "SELECT long_one.*, pg_terminate_backend(long_one.pid) FROM ({} OFFSET 0) AS long_one(pid, usename, application, "
      "address, "
      "state, seconds, began, query_began, query, is_superusers) WHERE NOT is_superusers ORDER BY began",
      long_ones());
}

std::vector<LongTransaction> end_long_transactions(Connection& on, const std::string& deployment,
                                                   std::chrono::milliseconds older_than, Deadline deadline) {
  const auto result = on.query(ending_long_transactions(), {deployment, seconds_text(older_than)}, deadline);
  return long_ones_in(result, kLongColumns + 1);
}

}  // namespace verdigris
