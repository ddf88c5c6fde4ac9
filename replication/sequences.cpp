#include "replication/sequences.hpp"

#include <atomic>
#include <map>

namespace verdigris {
namespace {

constexpr auto kUserSequences = BasicSqlText<>(R"(
  FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'verdigris'))");

std::vector<SequencePosition> definitions(Connection& on, Deadline deadline) {
  const auto result = on.query(Sql("SELECT n.nspname, c.relname, s.seqincrement, s.seqcycle {} ORDER BY n.nspname, c.relname",
                                   Sql(kUserSequences)),
                               deadline);
  std::vector<SequencePosition> out;
  for (const auto& row : result.rows(4))
    out.push_back({QualifiedName(row.text(0), row.text(1)), 0, false, row.integer(2), row.boolean(3)});
  return out;
}

// Row -1: the sum of the oids of all there are. Then a row for each of `wanted`, in its order.
Sql reading_of(const std::vector<SequencePosition>& wanted) {
  std::vector<Sql> reads{Sql("SELECT -1 AS n, coalesce(sum(c.oid::int8), 0)::int8 AS last_value, true AS is_called {}",
                             Sql(kUserSequences))};
  for (std::size_t i = 0; i < wanted.size(); ++i)
    reads.push_back(Sql("SELECT {}, last_value, is_called FROM {}", Number(static_cast<std::int64_t>(i)), wanted[i].name));
  return Sql("SELECT * FROM ({}) AS p ORDER BY n", Sql::joined(reads, " UNION ALL "));
}

std::int64_t fill(std::vector<SequencePosition>& positions, const Result& result) {
  std::int64_t sum = 0;
  for (const auto& row : result.rows(3)) {
    if (row.integer(0) < 0) {
      sum = row.integer(1);
      continue;
    }
    auto& position = positions.at(static_cast<std::size_t>(row.integer(0)));
    position.last_value = row.integer(1);
    position.is_called = row.boolean(2);
  }
  return sum;
}

// Is the next value of `source` beyond that of `target`, so that the target would repeat a value?
bool is_ahead(const SequencePosition& source, const SequencePosition& target) {
  if (source.cycles) return source.last_value != target.last_value || source.is_called != target.is_called;
  if (source.last_value == target.last_value) return source.is_called && !target.is_called;
  return source.increment > 0 ? source.last_value > target.last_value : source.last_value < target.last_value;
}

}  // namespace

std::vector<SequencePosition> sequence_positions(Connection& on, Deadline deadline) {
  auto positions = definitions(on, deadline);
  fill(positions, on.query(reading_of(positions), deadline));
  return positions;
}

SequenceReader::SequenceReader(Server& server) : server_(server), statement_([] {
  static std::atomic<int> number{0};
  return "verdigris_sequences_" + std::to_string(++number);
}()) {}

void SequenceReader::prepare(Deadline deadline) {
  Connection& on = server_.control();
  if (backend_pid_ == on.backend_pid()) on.execute(Sql("DEALLOCATE {}", statement_), deadline);
  backend_pid_ = 0;
  known_ = definitions(on, deadline);
  on.execute(Sql("PREPARE {} AS {}", statement_, reading_of(known_)), deadline);
  backend_pid_ = on.backend_pid();
  catalog_sum_ = fill(known_, on.query(Sql("EXECUTE {}", statement_), deadline));
}

void SequenceReader::send(Deadline deadline) {
  if (backend_pid_ != server_.control().backend_pid()) prepare(deadline);
  server_.control().send(Sql("EXECUTE {}", statement_), deadline);
}

std::vector<SequencePosition> SequenceReader::receive(Deadline deadline) {
  try {
    if (fill(known_, server_.control().receive(deadline)) == catalog_sum_) return known_;
  } catch (const ServerError& error) {
    if (error.sqlstate() != "42P01") throw;  // one was dropped
  }
  prepare(deadline);
  return known_;
}

std::vector<SequencePosition> outgrown(const std::vector<SequencePosition>& source,
                                       const std::vector<SequencePosition>& target) {
  std::map<QualifiedName, const SequencePosition*> known;
  for (const auto& position : target) known[position.name] = &position;
  std::vector<SequencePosition> out;
  for (const auto& position : source) {
    const auto found = known.find(position.name);
    if (found != known.end() && is_ahead(position, *found->second)) out.push_back(position);
  }
  return out;
}

void SequencePair::prepare(Deadline deadline) {
  source.prepare(deadline);
  target.prepare(deadline);
}

std::vector<SequencePosition> SequencePair::outgrown_ones(Deadline deadline, std::size_t* all) {
  source.send(deadline);
  try {
    target.send(deadline);
  } catch (...) {
    source.receive(deadline);  // undoing runs on this session: no answer may be left under way
    throw;
  }
  const auto there = source.receive(deadline);
  if (all != nullptr) *all = there.size();
  return outgrown(there, target.receive(deadline));
}

Sql setval_call(const Sql& name, const Sql& last_value, const Sql& is_called) {
  return Sql("setval({}::regclass, {}, {})", name, last_value, is_called);
}

Sql setting_statement(const std::vector<Sql>& calls) {
  return Sql("SET LOCAL synchronous_commit = off; SELECT {}", Sql::joined(calls, ", "));
}

void set_sequences(Connection& on, const std::vector<SequencePosition>& positions, Deadline deadline) {
  if (positions.empty()) return;
  std::vector<Sql> calls;
  for (const auto& position : positions)
    calls.push_back(setval_call(Sql("{}", Literal(position.name.sql())), Sql("{}", Number(position.last_value)),
                                position.is_called ? Sql("true") : Sql("false")));
  // A target list holds at most 1664 entries; several rows of one statement stay one round trip.
  constexpr std::size_t kPerStatement = 500;
  for (std::size_t begin = 0; begin < calls.size(); begin += kPerStatement) {
    const auto end = std::min(calls.size(), begin + kPerStatement);
    const std::vector<Sql> part(calls.begin() + static_cast<std::ptrdiff_t>(begin),
                                calls.begin() + static_cast<std::ptrdiff_t>(end));
    on.execute(setting_statement(part), deadline);
  }
}

Sql sequences_as_json() {
  return Sql(R"((
    SELECT coalesce(jsonb_object_agg(format('%I.%I', n.nspname, c.relname), pg_sequence_last_value(s.seqrelid))
                      FILTER (WHERE pg_sequence_last_value(s.seqrelid) IS NOT NULL), jsonb_build_object()) {}))",
             Sql(kUserSequences));
}

int raise_sequences(Connection& on, const std::string& side, const std::string& seen, std::int64_t margin, Deadline deadline) {
  // numeric: a sum may leave bigint before it is bounded.
  const Result answer = on.query(Sql(R"(
    WITH own AS (
      SELECT s.seqrelid, s.seqincrement::numeric AS step, s.seqmin, s.seqmax, s.seqcycle,
             coalesce(pg_sequence_last_value(s.seqrelid), s.seqstart) AS here,
             coalesce(($2::jsonb ->> format('%I.%I', n.nspname, c.relname))::int8,
                      (SELECT v.last_value FROM verdigris.sequence_seen v
                       WHERE v.side = $1 AND v.name = format('%I.%I', n.nspname, c.relname))) AS there {}),
    base AS (
      SELECT own.*, (CASE WHEN there IS NULL THEN here WHEN seqcycle THEN there
                          WHEN step > 0 THEN greatest(here, there) ELSE least(here, there) END)::numeric AS at FROM own),
    goal AS (
      SELECT seqrelid, seqmin, seqmax,
             at + step * least($3::numeric, trunc((CASE WHEN step > 0 THEN seqmax - at ELSE at - seqmin END) / abs(step) / 10)) AS value
      FROM base)
    SELECT count(setval(seqrelid::regclass, least(greatest(value, seqmin), seqmax)::int8, true)) FROM goal)",
                                     Sql(kUserSequences)),
                                 {side, seen, std::to_string(margin)}, deadline);
  return static_cast<int>(answer.one_row(1).integer(0));
}

}  // namespace verdigris
