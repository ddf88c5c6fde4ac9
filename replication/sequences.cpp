#include "replication/sequences.hpp"

#include <map>

namespace verdigris {
namespace {

struct Definition {
  QualifiedName name;
  std::int64_t increment;
  bool cycles;
};

std::vector<Definition> definitions(Connection& on, Deadline deadline) {
  const auto result = on.query(Sql(R"(
    SELECT n.nspname, c.relname, s.seqincrement, s.seqcycle
    FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'verdigris')
    ORDER BY n.nspname, c.relname)"),
                               deadline);
  std::vector<Definition> out;
  for (const auto& row : result.rows(4))
    out.push_back({QualifiedName(row.text(0), row.text(1)), row.integer(2), row.boolean(3)});
  return out;
}

// Is the next value of `source` beyond that of `target`, so that the target would repeat a value?
bool is_ahead(const SequencePosition& source, const SequencePosition& target) {
  if (source.cycles) return source.last_value != target.last_value || source.is_called != target.is_called;
  if (source.last_value == target.last_value) return source.is_called && !target.is_called;
  return source.increment > 0 ? source.last_value > target.last_value : source.last_value < target.last_value;
}

}  // namespace

std::vector<SequencePosition> sequence_positions(Connection& on, Deadline deadline) {
  const auto wanted = definitions(on, deadline);
  std::vector<SequencePosition> out;
  if (wanted.empty()) return out;
  std::vector<Sql> reads;
  for (std::size_t i = 0; i < wanted.size(); ++i)
    reads.push_back(Sql("SELECT {}::int AS n, last_value, is_called FROM {}", Number(static_cast<std::int64_t>(i)),
                        wanted[i].name));
  const auto result = on.query(Sql("SELECT * FROM ({}) AS p ORDER BY n", Sql::joined(reads, " UNION ALL ")), deadline);
  for (const auto& row : result.rows(3)) {
    const auto& definition = wanted.at(static_cast<std::size_t>(row.integer(0)));
    out.push_back({definition.name, row.integer(1), row.boolean(2), definition.increment, definition.cycles});
  }
  return out;
}

std::vector<SequencePosition> outgrown(const std::vector<SequencePosition>& source,
                                       const std::vector<SequencePosition>& target) {
  std::map<QualifiedName, const SequencePosition*> known;
  for (const auto& position : target) known[position.name] = &position;
  std::vector<SequencePosition> out;
  for (const auto& position : source) {
    const auto found = known.find(position.name);
    if (found == known.end() || is_ahead(position, *found->second)) out.push_back(position);
  }
  return out;
}

void set_sequences(Connection& on, const std::vector<SequencePosition>& positions, Deadline deadline) {
  if (positions.empty()) return;
  std::vector<Sql> calls;
  for (const auto& position : positions)
    calls.push_back(Sql("setval({}::regclass, {}, {})", Literal(position.name.sql()), Number(position.last_value),
                        position.is_called ? Sql("true") : Sql("false")));
  // A target list holds at most 1664 entries; several rows of one statement stay one round trip.
  constexpr std::size_t kPerStatement = 500;
  for (std::size_t begin = 0; begin < calls.size(); begin += kPerStatement) {
    const auto end = std::min(calls.size(), begin + kPerStatement);
    const std::vector<Sql> part(calls.begin() + static_cast<std::ptrdiff_t>(begin),
                                calls.begin() + static_cast<std::ptrdiff_t>(end));
    on.execute(Sql("SELECT {}", Sql::joined(part, ", ")), deadline);
  }
}

}  // namespace verdigris
