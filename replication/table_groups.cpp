#include "replication/table_groups.hpp"

#include <algorithm>
#include <map>
#include <numeric>

namespace verdigris {
namespace {

// What a server bears as it comes: with more, 4 workers of max_logical_replication_workers do not suffice both ways.
constexpr int kMostByWeight = 2;
constexpr std::int64_t kManyWrites = 1'000'000;              // fewer rows ask for no second worker
constexpr std::int64_t kManyBytes = std::int64_t{16} << 30;  // where nothing is known of writes
constexpr int kLeastPercent = 5;                             // of all writes: a group with less is not worth a slot

// Tables that are tied together, directly or by way of others, have one number.
class Kin {
 public:
  Kin(const std::vector<QualifiedName>& tables, const std::vector<TableTie>& ties) : parent_(tables.size()) {
    std::iota(parent_.begin(), parent_.end(), std::size_t{0});
    for (std::size_t i = 0; i < tables.size(); ++i) index_.emplace(tables[i], i);
    for (const auto& tie : ties) {
      const auto one = index_.find(tie.one), other = index_.find(tie.other);
      if (one != index_.end() && other != index_.end()) parent_[of(one->second)] = of(other->second);
    }
  }
  std::size_t of(std::size_t table) const {
    while (parent_[table] != table) table = parent_[table];
    return table;
  }

 private:
  std::map<QualifiedName, std::size_t> index_;
  std::vector<std::size_t> parent_;
};

struct Clan {
  std::vector<QualifiedName> tables;
  std::int64_t weight = 0;
};

std::vector<Clan> clans_of(const std::vector<TableWeight>& tables, const std::vector<TableTie>& ties, bool by_writes) {
  std::vector<QualifiedName> names;
  for (const auto& table : tables) names.push_back(table.name);
  const Kin kin(names, ties);
  std::map<std::size_t, Clan> clans;
  for (std::size_t i = 0; i < tables.size(); ++i) {
    auto& clan = clans[kin.of(i)];
    clan.tables.push_back(tables[i].name);
    clan.weight += by_writes ? tables[i].writes : tables[i].bytes;
  }
  std::vector<Clan> list;
  for (auto& [number, clan] : clans) {
    std::ranges::sort(clan.tables);
    list.push_back(std::move(clan));
  }
  std::ranges::sort(list, [](const Clan& a, const Clan& b) {
    return a.weight != b.weight ? a.weight > b.weight : a.tables < b.tables;
  });
  return list;
}

// The heaviest first, each to the lightest group.
std::vector<Clan> dealt(const std::vector<Clan>& clans, int groups) {
  std::vector<Clan> out(static_cast<std::size_t>(groups));
  for (const auto& clan : clans) {
    auto& lightest = *std::ranges::min_element(out, {}, &Clan::weight);
    lightest.tables.insert(lightest.tables.end(), clan.tables.begin(), clan.tables.end());
    lightest.weight += clan.weight;
  }
  return out;
}

// Sizes only where no writes are known: each waits for whoever holds the table.
std::vector<TableWeight> weights_of(Connection& on, const std::vector<PublishedTable>& tables, Deadline deadline) {
  const Result writes = on.query(Sql("SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::int8 FROM pg_stat_user_tables"), deadline);
  const bool has_writes = writes.one_row(1).integer(0) > 0;
  const Result answer = on.query(Sql(R"(
    SELECT n.nspname, c.relname, sum(s.n_tup_ins + s.n_tup_upd + s.n_tup_del)::int8, {}
    FROM pg_stat_user_tables s
    JOIN pg_class c ON c.oid = coalesce(pg_partition_root(s.relid), s.relid)
    JOIN pg_namespace n ON n.oid = c.relnamespace
    GROUP BY n.nspname, c.relname)",
                                     has_writes ? Sql("0::int8") : Sql("sum(pg_table_size(s.relid))::int8")),
                                 deadline);
  std::map<QualifiedName, TableWeight> known;
  for (const Row& row : answer.rows(4)) {
    const QualifiedName name(row.text(0), row.text(1));
    // One that was dropped meanwhile has no size.
    known.emplace(name, TableWeight{name, row.integer(2), row.is_null(3) ? 0 : row.integer(3)});
  }
  std::vector<TableWeight> weights;
  for (const auto& table : tables) {
    const auto found = known.find(table.name);
    weights.push_back(found == known.end() ? TableWeight{table.name} : found->second);
  }
  return weights;
}

}  // namespace

int groups_for_cores(int cores) { return std::clamp(cores / 2, 1, kMostByWeight); }

TableGroups groups_by_weight(const std::vector<TableWeight>& tables, const std::vector<TableTie>& ties, int most) {
  const auto sum = [&](auto member) {
    return std::accumulate(tables.begin(), tables.end(), std::int64_t{0},
                           [&](std::int64_t all, const TableWeight& one) { return all + one.*member; });
  };
  const auto writes = sum(&TableWeight::writes), bytes = sum(&TableWeight::bytes);
  const bool is_much = writes > 0 ? writes >= kManyWrites : bytes >= kManyBytes;
  const auto clans = clans_of(tables, ties, writes > 0);
  int groups = is_much ? std::max(1, std::min(most, static_cast<int>(clans.size()))) : 1;
  auto out = dealt(clans, groups);
  const auto least = (writes > 0 ? writes : bytes) / 100 * kLeastPercent;
  while (groups > 1 && std::ranges::min(out, {}, &Clan::weight).weight < least) out = dealt(clans, --groups);
  TableGroups result;
  for (auto& group : out) {
    std::ranges::sort(group.tables);
    result.push_back(std::move(group.tables));
  }
  return result;
}

std::optional<std::string> parted_tie(const TableGroups& groups, const std::vector<TableTie>& ties) {
  std::map<QualifiedName, std::size_t> group_of;
  for (std::size_t i = 0; i < groups.size(); ++i)
    for (const auto& name : groups[i]) group_of.emplace(name, i);
  for (const auto& tie : ties) {
    const auto one = group_of.find(tie.one), other = group_of.find(tie.other);
    if (one == group_of.end() || other == group_of.end() || one->second == other->second) continue;
    return tie.one.display() + " and " + tie.other.display() + ", which " + tie.by + " ties together";
  }
  return std::nullopt;
}

TableGroups groups_by_lists(const std::vector<QualifiedName>& tables, const std::vector<TableTie>& ties,
                            const std::vector<std::vector<std::string>>& lists) {
  std::map<QualifiedName, std::size_t> group_of;
  for (const auto& table : tables) group_of.emplace(table, 0);
  for (std::size_t i = 0; i < lists.size(); ++i)
    for (const auto& name : lists[i]) {
      const auto found = std::ranges::find(tables, name, &QualifiedName::display);
      if (found == tables.end())
        throw Refused("repl.groups", "replication.groups names " + name + ", which is no table that is published",
                      "Write the root of a partition tree, and no table that replication.tables leaves out.");
      group_of[*found] = i + 1;
    }
  TableGroups groups(lists.size() + 1);
  for (const auto& [table, group] : group_of) groups[group].push_back(table);
  if (const auto tie = parted_tie(groups, ties))
    throw Refused("repl.fk-groups", "replication.groups parts " + *tie, "Write them into one group.");
  if (groups.front().empty() && groups.size() > 1) groups.erase(groups.begin());
  return groups;
}

std::vector<TableTie> table_ties(Connection& on, Deadline deadline) {
  const Result answer = on.query(Sql(R"(
    SELECT an.nspname, a.relname, bn.nspname, b.relname, min(t.by) FROM (
      SELECT coalesce(pg_partition_root(conrelid)::oid, conrelid), coalesce(pg_partition_root(confrelid)::oid, confrelid),
             'foreign key ' || conname
      FROM pg_constraint WHERE contype = 'f'
      UNION ALL
      SELECT coalesce(pg_partition_root(inhrelid)::oid, inhrelid), coalesce(pg_partition_root(inhparent)::oid, inhparent),
             'inheritance'
      FROM pg_inherits) AS t(one, other, by)
    JOIN pg_class a ON a.oid = t.one JOIN pg_namespace an ON an.oid = a.relnamespace
    JOIN pg_class b ON b.oid = t.other JOIN pg_namespace bn ON bn.oid = b.relnamespace
    WHERE t.one <> t.other AND a.relkind IN ('r', 'p') AND b.relkind IN ('r', 'p')
    GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4)"),
                                 deadline);
  std::vector<TableTie> ties;
  for (const Row& row : answer.rows(5))
    ties.push_back({{row.text(0), row.text(1)}, {row.text(2), row.text(3)}, row.text(4)});
  return ties;
}

TableGroups decide_groups(Connection& on, const std::vector<PublishedTable>& tables, const GroupsWanted& wanted,
                          Deadline deadline) {
  std::vector<QualifiedName> names;
  for (const auto& table : tables) names.push_back(table.name);
  if (!wanted.lists.empty()) return groups_by_lists(names, table_ties(on, deadline), wanted.lists);
  if (wanted.most < 2) return {names};
  return groups_by_weight(weights_of(on, tables, deadline), table_ties(on, deadline), wanted.most);
}

GroupedTables published_groups(Connection& on, const Streams& streams, Deadline deadline) {
  GroupedTables groups;
  bool is_any = false;
  for (const auto& stream : streams) {
    const auto tables = published_tables(on, stream, deadline);
    is_any = is_any || tables.has_value();
    groups.push_back(tables.value_or(std::vector<PublishedTable>{}));
  }
  return is_any ? groups : GroupedTables{};
}

}  // namespace verdigris
