#include "replication/copy/copy_record.hpp"

#include <map>

#include "replication/poll.hpp"

namespace verdigris {
namespace {

constexpr std::chrono::milliseconds kTimeToEnd{10'000};

std::string key_of(const CopyItem& item) {
  const std::string table = "copied:" + item.table.sql();
  return item.part ? table + "@" + std::to_string(item.part->from) : table;
}

std::string application_of_copiers(const std::string& deployment) { return "verdigris/" + deployment + "/copy"; }
std::string application_of_locks(const std::string& deployment) { return "verdigris/" + deployment + "/keeper"; }

// One that hangs in a dead network would hold its locks for hours.
void end_copiers(Connection& target, const std::string& deployment, Deadline deadline) {
  const auto soon = Deadline::after(kTimeToEnd).or_earlier(deadline);
  wait_until(soon, [&] {
    return target.query(ending_copiers_statement(), {application_of_copiers(deployment)}, soon).rows(1).empty();
  });
}

}  // namespace

Sql ending_copiers_statement() {
  return Sql(R"(
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name = $1 AND datname = current_database() AND usename = current_user)");
}

Sql claiming_statement() {
  return Sql(R"(
    INSERT INTO verdigris.saved (deployment, key, value) VALUES ($1, 'copy:run', to_jsonb(gen_random_uuid()::text))
    ON CONFLICT (deployment, key) DO UPDATE SET value = excluded.value RETURNING value #>> ARRAY[]::text[])");
}

Sql saving_copy_statement() {
  return Sql(R"(
    INSERT INTO verdigris.saved (deployment, key, value)
    SELECT $1, 'copy:begun',
           jsonb_build_object('point', $2::text, 'snapshot', $3::text, 'source', $4::text, 'target', $5::text,
                              'source_started_at', $6::text, 'storage', $7::text, 'parts',
                              coalesce((SELECT jsonb_agg(jsonb_build_array(p.schema, p.name, p.block))
                                        FROM unnest($8::text[], $9::text[], $10::int8[]) AS p(schema, name, block)), '[]'))
    ON CONFLICT (deployment, key) DO UPDATE SET value = excluded.value)");
}

// FOR SHARE: whoever claims the copy waits for this transaction, and this one sees a claim that was made before.
Sql noting_copied_statement() {
  return Sql(R"(
    WITH run AS (
      SELECT FROM verdigris.saved WHERE deployment = $1 AND key = 'copy:run' AND value #>> ARRAY[]::text[] = $2::text FOR SHARE)
    INSERT INTO verdigris.saved (deployment, key, value)
    SELECT $1, d.key, jsonb_build_object('rows', d.rows, 'bytes', d.bytes)
    FROM run, unnest($3::text[], $4::int8[], $5::int8[]) AS d(key, rows, bytes))");
}

Sql forgetting_copy_statement() {
  return Sql("DELETE FROM verdigris.saved WHERE deployment = $1 AND (key IN ('copy:begun', 'copy:run') OR starts_with(key, 'copied:'))");
}

std::string claim_copy(Connection& target, const std::string& deployment, Deadline deadline) {
  end_copiers(target, deployment, deadline);
  return target.query(claiming_statement(), {deployment}, deadline).one_row(1).text(0);
}

void end_readers(Connection& source, const std::string& deployment, Deadline deadline) {
  const auto soon = Deadline::after(kTimeToEnd).or_earlier(deadline);
  for (const auto& application : {application_of_copiers(deployment), application_of_locks(deployment)})
    wait_until(soon, [&] { return source.query(ending_copiers_statement(), {application}, soon).rows(1).empty(); });
}

void save_copy(Connection& target, const std::string& deployment, const CopyRecord& record, Deadline deadline) {
  std::vector<std::string> schemas, names, blocks;
  for (const auto& [table, firsts] : record.parts)
    for (const auto block : firsts) {
      schemas.push_back(table.schema().raw());
      names.push_back(table.name().raw());
      blocks.push_back(std::to_string(block));
    }
  target.query(saving_copy_statement(),
               {deployment, record.consistent_point.text(), record.snapshot, record.source, record.target,
                record.source_started_at, record.storage, text_array(schemas), text_array(names), text_array(blocks)},
               deadline);
}

std::optional<CopyRecord> saved_copy(Connection& target, const std::string& deployment, Deadline deadline) {
  const Result answer = target.query(Sql(R"(
    SELECT (value ->> 'point')::pg_lsn, value ->> 'snapshot', value ->> 'source', value ->> 'target',
           value ->> 'source_started_at', value ->> 'storage'
    FROM verdigris.saved WHERE deployment = $1 AND key = 'copy:begun')"),
                                     {deployment}, deadline);
  const auto row = answer.at_most_one_row(6);
  if (!row) return std::nullopt;
  CopyRecord record{row->lsn(0), row->text(1), row->text(2), row->text(3), row->text(4), row->text(5)};
  const Result parts = target.query(Sql(R"(
    SELECT p ->> 0, p ->> 1, (p ->> 2)::int8 FROM verdigris.saved, jsonb_array_elements(value -> 'parts') AS p
    WHERE deployment = $1 AND key = 'copy:begun' ORDER BY 1, 2, 3)"),
                                    {deployment}, deadline);
  for (const Row& part : parts.rows(3)) record.parts[QualifiedName(part.text(0), part.text(1))].push_back(part.integer(2));
  return record;
}

void note_copied(Connection& in_transaction, const std::string& deployment, const std::string& run,
                 const std::vector<CopiedItem>& items, Deadline deadline) {
  std::vector<std::string> keys, rows, bytes;
  for (const auto& [item, amount] : items) {
    keys.push_back(key_of(*item));
    rows.push_back(std::to_string(amount.rows));
    bytes.push_back(std::to_string(amount.bytes));
  }
  const Result noted = in_transaction.query(noting_copied_statement(),
                                            {deployment, run, text_array(keys), text_array(rows), text_array(bytes)}, deadline);
  if (noted.affected_rows() != static_cast<std::int64_t>(items.size()))
    throw Error("copy.other-run", in_transaction.server() + ": another run has taken over this copy",
                "Let that one end; verdigris status tells how far it is.", Failure::busy);
}

void mark_copied(std::vector<CopyItem>& items, Connection& target, const std::string& deployment, Deadline deadline) {
  const Result answer = target.query(Sql(R"(
    SELECT key, (value ->> 'rows')::int8, (value ->> 'bytes')::int8
    FROM verdigris.saved WHERE deployment = $1 AND starts_with(key, 'copied:'))"),
                                     {deployment}, deadline);
  std::map<std::string, Copied> done;
  for (const Row& row : answer.rows(3)) done[row.text(0)] = {row.integer(1), row.integer(2)};
  for (auto& item : items)
    if (const auto found = done.find(key_of(item)); found != done.end()) item.copied = found->second;
}

std::optional<std::int64_t> copied_items(Connection& target, const std::string& deployment, Deadline deadline) {
  const Result answer = target.query(Sql(R"(
    SELECT count(*) FILTER (WHERE key = 'copy:begun'), count(*) FILTER (WHERE starts_with(key, 'copied:'))
    FROM verdigris.saved WHERE deployment = $1)"),
                                     {deployment}, deadline);
  const Row row = answer.one_row(2);
  if (row.integer(0) == 0) return std::nullopt;
  return row.integer(1);
}

void forget_copy(Connection& target, const std::string& deployment, Deadline deadline) {
  target.query(forgetting_copy_statement(), {deployment}, deadline);
}

}  // namespace verdigris
