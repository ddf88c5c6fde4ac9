#include "healthcheck/questions.hpp"

#include <algorithm>
#include <map>

#include "replication/sequences.hpp"

namespace verdigris::questions {
namespace {

// The largest value that the column a sequence belongs to can hold; a bigint sequence may well feed an int column.
std::map<QualifiedName, std::int64_t> column_bounds(Connection& on, Deadline deadline) {
  const Result answer = on.query(Sql(R"(
    SELECT n.nspname, c.relname, CASE a.atttypid WHEN 'int2'::regtype THEN 32767 ELSE 2147483647 END
    FROM pg_depend d JOIN pg_class c ON c.oid = d.objid AND c.relkind = 'S'
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
    WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
      AND a.atttypid IN ('int2'::regtype, 'int4'::regtype))"),
                                 deadline);
  std::map<QualifiedName, std::int64_t> out;
  for (const Row& row : answer.rows(3)) out.emplace(QualifiedName(row.text(0), row.text(1)), row.integer(2));
  return out;
}

// How much of its way a sequence has gone, 0 to 1. In floating point: the range of a bigint does not fit into one.
double used_share(const Sequence& sequence, const SequencePosition& position,
                  std::optional<std::int64_t> column_bound) {
  const auto last = static_cast<double>(position.last_value);
  if (sequence.increment < 0)
    return (static_cast<double>(sequence.max) - last) /
           (static_cast<double>(sequence.max) - static_cast<double>(sequence.min));
  const double end = static_cast<double>(std::min(sequence.max, column_bound.value_or(sequence.max)));
  const double start = static_cast<double>(sequence.min);
  return end <= start ? 1.0 : (last - start) / (end - start);
}

}  // namespace

// Green is raised by a margin: at the end of its range there is no room for one, and soon none for the application.
Findings sequence_headroom(const CheckContext& context) {
  constexpr double kNearEnd = 0.9;
  constexpr double kAtEnd = 0.9999;
  Connection& on = context.source.control();
  const auto bounds = column_bounds(on, context.deadline);
  std::map<QualifiedName, SequencePosition> positions;
  for (const auto& position : sequence_positions(on, context.deadline)) positions.emplace(position.name, position);
  std::vector<std::string> near;
  std::vector<std::string> at_end;
  for (const auto& sequence : user_sequences(on, context.deadline)) {
    const auto position = positions.find(sequence.name);
    if (sequence.cycle || position == positions.end()) continue;
    const auto bound = bounds.find(sequence.name);
    const double share =
        used_share(sequence, position->second, bound == bounds.end() ? std::nullopt : std::optional(bound->second));
    const std::string text = sequence.name.display() + " (" + std::to_string(static_cast<int>(share * 100)) + " %)";
    if (share >= kAtEnd)
      at_end.push_back(text);
    else if (share >= kNearEnd)
      near.push_back(text);
  }
  const std::string hint = "Widen the column and its sequence to bigint, or waive data.sequence-headroom by name.";
  Findings findings;
  if (!at_end.empty())
    findings.push_back(fail("data.sequence-headroom", context.source.color() + ": sequences at their end: " + some_of(at_end), hint));
  if (!near.empty())
    findings.push_back(warn("data.sequence-headroom", context.source.color() + ": sequences near their end: " + some_of(near), hint));
  if (findings.empty()) findings.push_back(pass("data.sequence-headroom", "no sequence beyond 90 % of its range"));
  return findings;
}

}  // namespace verdigris::questions
