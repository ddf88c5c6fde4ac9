#include "replication/matviews.hpp"

#include <algorithm>
#include <optional>
#include <set>

namespace verdigris {
namespace {

constexpr const char* kNotPopulated = "55000";  // one that it reads is not filled

std::set<QualifiedName> filled_or_not(Connection& on, bool is_filled, Deadline deadline) {
  const Result answer = on.query(Sql(R"(
    SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'm' AND c.relispopulated = $1::bool)"),
                                 {is_filled ? "true" : "false"}, deadline);
  std::set<QualifiedName> names;
  for (const Row& row : answer.rows(2)) names.emplace(row.text(0), row.text(1));
  return names;
}

Error cannot_fill(const QualifiedName& matview, const Error& why) {
  return {"matview.refresh", "materialized view " + matview.display() + ": " + why.what(),
          "Correct the cause, or empty that view on the source by REFRESH MATERIALIZED VIEW ... WITH NO DATA, then repeat the "
          "command.",
          why.failure()};
}

// Nothing if it reads one that is not filled yet.
bool try_fill(Connection& on, const QualifiedName& matview, std::optional<Error>& why, Deadline deadline) {
  try {
    on.execute(filling_statement(matview), deadline);
    return true;
  } catch (const ServerError& error) {
    if (error.sqlstate() != kNotPopulated) throw cannot_fill(matview, error);
    why = cannot_fill(matview, error);
    return false;
  }
}

}  // namespace

std::vector<MatviewToFill> matviews_to_fill(Connection& source, Deadline deadline) {
  // Who reads many of them, by whatever way, comes behind who reads few: so each behind all that it reads.
  const Result answer = source.query(Sql(R"(
    WITH RECURSIVE reads(reader, relation) AS (
      SELECT c.oid, c.oid FROM pg_class c WHERE c.relkind = 'm'
      UNION
      SELECT r.reader, read.oid
      FROM reads r JOIN pg_rewrite w ON w.ev_class = r.relation
      JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid = 'pg_class'::regclass
      JOIN pg_class read ON read.oid = d.refobjid AND read.relkind IN ('v', 'm')),
    wanted AS (
      SELECT DISTINCT c.oid, c.relname, c.relnamespace, c.relispopulated
      FROM reads r JOIN pg_class reader ON reader.oid = r.reader AND reader.relispopulated
      JOIN pg_class c ON c.oid = r.relation AND c.relkind = 'm')
    SELECT n.nspname, w.relname, w.relispopulated FROM wanted w JOIN pg_namespace n ON n.oid = w.relnamespace
    ORDER BY (SELECT count(*) FROM reads r JOIN pg_class c ON c.oid = r.relation AND c.relkind = 'm'
              WHERE r.reader = w.oid), w.oid)"),
                                     deadline);
  std::vector<MatviewToFill> list;
  for (const Row& row : answer.rows(3)) list.push_back({{row.text(0), row.text(1)}, row.boolean(2)});
  return list;
}

Sql filling_statement(const QualifiedName& matview) { return Sql("REFRESH MATERIALIZED VIEW {}", matview); }
Sql emptying_statement(const QualifiedName& matview) {
  return Sql("REFRESH MATERIALIZED VIEW {} WITH NO DATA", matview);
}

int refresh_matviews(Connection& source, const Server& target, Deadline deadline) {
  const auto wanted = matviews_to_fill(source, deadline);
  if (wanted.empty()) return 0;
  // With row security: our sessions refuse to read what a policy hides, and the owner of a view may be subject to one.
  Connection session = target.open("matviews", deadline, false, {{"row_security", "on"}});
  auto left = wanted;
  const auto to_be_filled = filled_or_not(session, false, deadline);
  std::erase_if(left, [&](const auto& one) { return !to_be_filled.contains(one.name); });
  const auto emptied = std::ranges::count_if(left, [](const auto& one) { return !one.stays_filled; });
  const auto refreshed = static_cast<int>(left.size()) - static_cast<int>(emptied);
  // Functions hide what they read: what was too early is tried again as long as others are filled meanwhile.
  std::optional<Error> why;
  for (std::size_t before = left.size() + 1; !left.empty() && left.size() < before;) {
    before = left.size();
    std::erase_if(left, [&](const auto& one) { return try_fill(session, one.name, why, deadline); });
  }
  if (!left.empty()) throw *why;
  const auto there = filled_or_not(session, true, deadline);
  for (const auto& one : wanted)
    if (!one.stays_filled && there.contains(one.name)) session.execute(emptying_statement(one.name), deadline);
  return refreshed;
}

}  // namespace verdigris
