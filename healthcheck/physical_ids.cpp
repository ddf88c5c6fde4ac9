#include "healthcheck/questions.hpp"

namespace verdigris::questions {

// An oid, a transaction id or a WAL position means another thing, or nothing, on another server.
Findings physical_ids(const CheckContext& context) {
  const Result answer = context.source.control().query(Sql(R"(
    SELECT n.nspname || '.' || c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, NULL)
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped
      AND n.nspname !~ '^(pg_|information_schema$|verdigris$)'
      AND format_type(a.atttypid, NULL) ~ '^(oid|reg[a-z]+|xid8?|tid|pg_lsn|pg_snapshot|txid_snapshot)(\[\])?$'
    ORDER BY 1)"),
                                                     context.deadline);
  std::vector<std::string> names;
  for (const Row& row : answer.rows(1)) names.push_back(row.text(0));
  if (names.empty()) return {pass("data.physical-ids", "no column names internals of its server")};
  return {warn("data.physical-ids", context.source.color() + ": columns hold internals of this server: " + some_of(names),
               "Check what the application does with them after the switch.")};
}

}  // namespace verdigris::questions
