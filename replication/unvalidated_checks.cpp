#include "replication/unvalidated_checks.hpp"

#include "replication/control_schema.hpp"

namespace verdigris {
namespace {

constexpr const char* kPrefix = "unvalidated:";

}  // namespace

std::vector<UnvalidatedCheck> unvalidated_checks(Connection& on, Deadline deadline) {
  const auto found = on.query(Sql(R"(
    SELECT n.nspname, c.relname, k.conname, pg_get_constraintdef(k.oid),
           json_build_object('schema', n.nspname, 'table', c.relname, 'name', k.conname,
                             'definition', pg_get_constraintdef(k.oid))::text
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE k.contype = 'c' AND NOT k.convalidated AND k.coninhcount = 0
      AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'verdigris')
    ORDER BY n.nspname, c.relname, k.conname)"),
                              deadline);
  std::vector<UnvalidatedCheck> all;
  for (const auto& row : found.rows(5))
    all.push_back({{row.text(0), row.text(1)}, Identifier(row.text(2)), row.text(3), row.text(4)});
  return all;
}

std::string UnvalidatedCheck::key() const { return kPrefix + table.display() + "." + name.raw(); }

Sql UnvalidatedCheck::dropping() const { return Sql("ALTER TABLE {} DROP CONSTRAINT {}", table, name); }

// The definition is what pg_get_constraintdef() printed, "CHECK (...) NOT VALID": text of the server itself.
Sql UnvalidatedCheck::adding() const {
  return Sql("ALTER TABLE {} ADD CONSTRAINT {} {}", table, name, Sql::written_by_operator(definition));
}

int set_aside_unvalidated_checks(Connection& on, const std::string& deployment, Deadline deadline) {
  const auto all = unvalidated_checks(on, deadline);
  for (const auto& check : all) {
    Transaction transaction(on, deadline);
    save_value(on, deployment, check.key(), check.saved, deadline);
    transaction.execute(check.dropping());
    transaction.commit();
  }
  return static_cast<int>(all.size());
}

void put_back_unvalidated_checks(Connection& on, const std::string& deployment, Deadline deadline) {
  for (const auto& [key, value] : saved_values(on, deployment, kPrefix, deadline)) {
    Transaction transaction(on, deadline);
    const auto parts = transaction.query(Sql(R"(
      SELECT v ->> 'schema', v ->> 'table', v ->> 'name', v ->> 'definition' FROM (SELECT $1::json AS v) AS saved)"),
                                         {value});
    const auto row = parts.one_row(4);
    const UnvalidatedCheck check{{row.text(0), row.text(1)}, Identifier(row.text(2)), row.text(3), value};
    transaction.execute(check.adding());
    forget_value(on, deployment, key, deadline);
    transaction.commit();
  }
}

}  // namespace verdigris
