#include "replication/unvalidated_checks.hpp"

#include "replication/control_schema.hpp"

namespace verdigris {
namespace {

constexpr const char* kPrefix = "unvalidated:";

}  // namespace

int set_aside_unvalidated_checks(Connection& on, const std::string& deployment, Deadline deadline) {
  const auto found = on.query(Sql(R"(
    SELECT n.nspname, c.relname, k.conname,
           json_build_object('schema', n.nspname, 'table', c.relname, 'name', k.conname,
                             'definition', pg_get_constraintdef(k.oid))::text
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE k.contype = 'c' AND NOT k.convalidated AND k.coninhcount = 0
      AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'verdigris')
    ORDER BY n.nspname, c.relname, k.conname)"),
                              deadline);
  const auto rows = found.rows(4);
  for (const auto& row : rows) {
    Transaction transaction(on, deadline);
    save_value(on, deployment, kPrefix + row.text(0) + "." + row.text(1) + "." + row.text(2), row.text(3), deadline);
    transaction.execute(Sql("ALTER TABLE {} DROP CONSTRAINT {}", QualifiedName(row.text(0), row.text(1)),
                            Identifier(row.text(2))));
    transaction.commit();
  }
  return static_cast<int>(rows.size());
}

void put_back_unvalidated_checks(Connection& on, const std::string& deployment, Deadline deadline) {
  for (const auto& [key, value] : saved_values(on, deployment, kPrefix, deadline)) {
    Transaction transaction(on, deadline);
    const auto parts = transaction.query(Sql(R"(
      SELECT v ->> 'schema', v ->> 'table', v ->> 'name', v ->> 'definition' FROM (SELECT $1::json AS v) AS saved)"),
                                         {value});
    const auto row = parts.one_row(4);
    // The definition is what pg_get_constraintdef() printed, "CHECK (...) NOT VALID": text of the server itself.
    transaction.execute(Sql("ALTER TABLE {} ADD CONSTRAINT {} {}", QualifiedName(row.text(0), row.text(1)),
                            Identifier(row.text(2)), Sql::written_by_operator(row.text(3))));
    forget_value(on, deployment, key, deadline);
    transaction.commit();
  }
}

}  // namespace verdigris
