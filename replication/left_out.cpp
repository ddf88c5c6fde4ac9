#include "replication/left_out.hpp"

#include "replication/control_schema.hpp"

namespace verdigris {
namespace {

std::string key_of(const Stream& stream) { return "left-out:" + stream.name; }

}  // namespace

void record_left_out(Connection& sender, const std::string& deployment, const Stream& stream,
                     const std::vector<std::string>& columns, Deadline deadline) {
  sender.query(recording_statement(), {deployment, key_of(stream), text_array(columns)}, deadline);
}

Sql recording_statement() {
  return Sql(R"(
    INSERT INTO verdigris.saved (deployment, key, value) VALUES ($1, $2, to_jsonb($3::text[]))
    ON CONFLICT (deployment, key) DO UPDATE SET value = excluded.value)");
}

std::optional<std::vector<std::string>> left_out(Connection& sender, const std::string& deployment,
                                                 const Stream& stream, Deadline deadline) {
  const Result answer = sender.query(Sql(R"(
    SELECT c.name FROM verdigris.saved s LEFT JOIN jsonb_array_elements_text(s.value) WITH ORDINALITY AS c(name, n) ON true
    WHERE s.deployment = $1 AND s.key = $2 ORDER BY c.n)"),
                                     {deployment, key_of(stream)}, deadline);
  const auto rows = answer.rows(1);
  if (rows.empty()) return std::nullopt;
  std::vector<std::string> columns;
  for (const Row& row : rows)
    if (!row.is_null(0)) columns.push_back(row.text(0));
  return columns;
}

void forget_left_out(Connection& sender, const std::string& deployment, const Stream& stream, Deadline deadline) {
  forget_value(sender, deployment, key_of(stream), deadline);
}

}  // namespace verdigris
