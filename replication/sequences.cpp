#include "replication/sequences.hpp"

#include <atomic>
#include <map>

#include "replication/pending_answer.hpp"
#include "replication/test_switches.hpp"

namespace verdigris {
namespace {

constexpr auto kUserSequences = BasicSqlText<>(R"(
  FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'verdigris'))");

// What is known of one before its position is read.
struct SequenceDefinition {
  std::int64_t oid;
  SequencePosition position;  // last_value is not read yet
};

std::vector<SequenceDefinition> definitions(Connection& on, Deadline deadline) {
  const auto result = on.query(Sql(R"(
    SELECT c.oid::int8, n.nspname, c.relname, s.seqincrement, s.seqcycle, pg_sequence_last_value(c.oid) IS NOT NULL
    {} ORDER BY n.nspname, c.relname)",
                                   Sql(kUserSequences)),
                               deadline);
  std::vector<SequenceDefinition> out;
  for (const auto& row : result.rows(6))
    out.push_back({row.integer(0),
                   {QualifiedName(row.text(1), row.text(2)), 0, row.boolean(5), row.integer(3), row.boolean(4)}});
  return out;
}

Sql exact_reading(const SequenceDefinition& of) {
  return Sql("SELECT {}, last_value, is_called FROM {}", Number(of.oid), of.position.name);
}

// Row 0: the sum of the oids of all there are. Then those that have handed out anything, by one function call each, a
// third of the cost of reading the relation; that function knows no other position, so the rest is read exactly. In
// groups that the planner keeps apart: 5,000 branches of one UNION ALL took it 76 s, so they take 0.6.
Sql reading_of(const std::vector<SequenceDefinition>& wanted) {
  constexpr std::size_t kGroup = 100;
  std::vector<Sql> groups, group;
  const auto close_group = [&] {
    if (group.empty()) return;
    groups.push_back(Sql("(SELECT * FROM ({}) AS g OFFSET 0)", Sql::joined(group, " UNION ALL ")));
    group.clear();
  };
  groups.push_back(Sql("SELECT 0::int8 AS n, coalesce(sum(oid), 0)::int8 AS last_value, true AS is_called FROM called"));
  groups.push_back(Sql("SELECT oid, value, true FROM called WHERE value IS NOT NULL"));
  for (const auto& one : wanted) {
    if (one.position.is_called) continue;
    group.push_back(exact_reading(one));
    if (group.size() == kGroup) close_group();
  }
  close_group();
  return Sql(R"(
    WITH called AS MATERIALIZED (SELECT c.oid::int8 AS oid, pg_sequence_last_value(c.oid) AS value {})
    {})",
             Sql(kUserSequences), Sql::joined(groups, " UNION ALL "));
}

// Is the next value of `source` beyond that of `target`, so that the target would repeat a value?
bool is_ahead(const SequencePosition& source, const SequencePosition& target) {
  if (source.cycles) return source.last_value != target.last_value || source.is_called != target.is_called;
  if (source.last_value == target.last_value) return source.is_called && !target.is_called;
  return source.increment > 0 ? source.last_value > target.last_value : source.last_value < target.last_value;
}

}  // namespace

SequenceReader::SequenceReader(Server& server) : SequenceReader([&server]() -> Connection& { return server.control(); }) {}

SequenceReader::SequenceReader(std::function<Connection&()> session)
    : session_(std::move(session)), statement_([] {
        static std::atomic<int> number{0};
        return "verdigris_sequences_" + std::to_string(++number);
      }()) {}

std::vector<SequencePosition> sequence_positions(Connection& on, Deadline deadline) {
  return SequenceReader([&on]() -> Connection& { return on; }).read(deadline);
}

void SequenceReader::prepare(Deadline deadline) {
  Connection& on = session_();
  if (backend_pid_ == on.backend_pid()) on.execute(Sql("DEALLOCATE {}", statement_), deadline);
  backend_pid_ = 0;
  const auto found = definitions(on, deadline);
  known_.clear();
  places_.clear();
  for (const auto& one : found) {
    places_[one.oid] = known_.size();
    known_.push_back(one.position);
  }
  on.execute(Sql("PREPARE {} AS {}", statement_, reading_of(found)), deadline);
  backend_pid_ = on.backend_pid();
  const auto sum = fill(on.query(Sql("EXECUTE {}", statement_), deadline), deadline);
  if (!sum) return prepare(deadline);
  catalog_sum_ = *sum;
}

// The sum of the oids of all there are; nothing if one is there that was not known.
std::optional<std::int64_t> SequenceReader::fill(const Result& result, Deadline deadline) {
  std::int64_t sum = 0;
  std::vector<bool> is_read(known_.size(), false);
  for (const auto& row : result.rows(3)) {
    if (row.integer(0) == 0) {
      sum = row.integer(1);
      continue;
    }
    const auto place = places_.find(row.integer(0));
    if (place == places_.end()) return std::nullopt;
    known_[place->second].last_value = row.integer(1);
    known_[place->second].is_called = row.boolean(2);
    is_read[place->second] = true;
  }
  // Handed something out before, and not since somebody set it anew.
  for (std::size_t i = 0; i < known_.size(); ++i) {
    if (is_read[i]) continue;
    const auto exact = session_().query(Sql("SELECT last_value, is_called FROM {}", known_[i].name), deadline);
    known_[i].last_value = exact.one_row(2).integer(0);
    known_[i].is_called = exact.one_row(2).boolean(1);
  }
  return sum;
}

void SequenceReader::send(Deadline deadline) {
  Connection& on = session_();
  if (backend_pid_ != on.backend_pid()) prepare(deadline);
  on.send(Sql("EXECUTE {}", statement_), deadline);
}

std::vector<SequencePosition> SequenceReader::receive(Deadline deadline) {
  try {
    if (fill(session_().receive(deadline), deadline) == catalog_sum_) return known_;
  } catch (const ServerError& error) {
    if (error.sqlstate() != "42P01" && error.sqlstate() != "XX000") throw;  // one was dropped
  }
  prepare(deadline);
  return known_;
}

// A sequence gets a new file whenever it is set back, also where that is applied; nextval and setval leave it its own.
void SequenceReader::send_storage(Deadline deadline) {
  session_().send_prepared(Sql("SELECT coalesce(sum(hashint8(c.oid::int8) # hashint8(c.relfilenode::int8 << 8)), 0)::int8 {}",
                               Sql(kUserSequences)),
                           {}, deadline);
}

void SequenceReader::note_storage(Deadline deadline) {
  send_storage(deadline);
  storage_ = session_().receive(deadline).one_row(1).integer(0);
}

void SequenceReader::assume(const std::vector<SequencePosition>& set) {
  std::map<QualifiedName, const SequencePosition*> changed;
  for (const auto& position : set) changed[position.name] = &position;
  for (auto& position : known_)
    if (const auto found = changed.find(position.name); found != changed.end()) {
      position.last_value = found->second->last_value;
      position.is_called = found->second->is_called;
    }
}

std::vector<SequencePosition> SequenceReader::receive_unless_replaced(Deadline deadline) {
  const auto now = session_().receive(deadline).one_row(1).integer(0);
  return storage_ == now ? known_ : read(deadline);
}

std::vector<SequencePosition> outgrown(const std::vector<SequencePosition>& source,
                                       const std::vector<SequencePosition>& target) {
  std::map<QualifiedName, const SequencePosition*> known;
  for (const auto& position : target) known[position.name] = &position;
  std::vector<SequencePosition> out;
  for (const auto& position : source) {
    const auto found = known.find(position.name);
    if (found == known.end()) continue;
    if (is_ahead(position, *found->second) || is_mutant("sequences_set_backwards")) out.push_back(position);
  }
  return out;
}

void SequencePair::prepare(Deadline deadline) {
  source.prepare(deadline);
  target.prepare(deadline);
}

std::vector<SequencePosition> SequencePair::outgrown_ones(Deadline deadline, std::size_t* all) {
  source.send(deadline);
  PendingAnswer answer(source.session());
  target.send(deadline);
  answer.take();
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
  if (is_mutant("sequences_from_max_of_column"))
    return on.execute(Sql(R"(DO $$ DECLARE s record; BEGIN
      FOR s IN SELECT d.objid::regclass AS name, d.refobjid::regclass AS of, a.attname AS of_column
               FROM pg_depend d JOIN pg_sequence q ON q.seqrelid = d.objid
               JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
               WHERE d.deptype IN ('a', 'i') LOOP
        EXECUTE format('SELECT setval(%L, coalesce(max(%I), 1)) FROM %s', s.name, s.of_column, s.of);
      END LOOP; END $$)"), deadline);
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
