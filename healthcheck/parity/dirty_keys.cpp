#include "healthcheck/parity/dirty_keys.hpp"

#include <algorithm>

#include "replication/test_switches.hpp"

namespace verdigris {
namespace {

constexpr std::size_t kMostKeys = 200'000;  // of all tables: some tens of megabytes

}  // namespace

DirtyKeys::DirtyKeys(const Agreement& agreement) : agreement_(agreement) {
  for (std::size_t i = 0; i < agreement.tables.size(); ++i) tables_.emplace(agreement.tables[i].name, i);
}

// Nothing for what is not compared: our own tables, and those that are named as gaps.
const DirtyKeys::Known* DirtyKeys::known(const ChangedRelation& relation) {
  const auto found = known_.find(relation.name);
  if (found != known_.end() && found->second.columns == relation.columns) return &found->second;
  const auto table = tables_.find(relation.name);
  if (table == tables_.end()) return nullptr;
  Known result{table->second, relation.columns, {}, true};
  for (const auto& one : agreement_.tables[table->second].key) {
    const auto at = std::ranges::find(relation.columns, one.column.name.raw());
    if (at == relation.columns.end()) result.is_keyed = false;
    result.places.push_back(static_cast<std::size_t>(at - relation.columns.begin()));
  }
  result.is_keyed = result.is_keyed && !result.places.empty();
  return &known_.insert_or_assign(relation.name, std::move(result)).first->second;
}

void DirtyKeys::row_changed(const ChangedRelation& relation, const std::vector<std::optional<std::string>>& values, Lsn) {
  const Known* one = known(relation);
  if (one == nullptr || whole_.contains(one->table) || is_mutant("dirty_keys_forgotten")) return;
  if (!one->is_keyed) return add_whole(one->table);
  RowKey key;
  for (const auto place : one->places) {
    if (place >= values.size() || !values[place]) return add_whole(one->table);
    key.push_back(*values[place]);
  }
  add(one->table, key);
}

void DirtyKeys::truncated(const ChangedRelation& relation, Lsn) {
  if (const Known* one = known(relation)) add_whole(one->table);
}

void DirtyKeys::add(std::size_t table, const RowKey& key) {
  if (whole_.contains(table)) return;
  if (size_ >= kMostKeys) return add_whole(table);
  if (keys_[table].insert(key).second) ++size_;
}

void DirtyKeys::add_whole(std::size_t table) {
  whole_.insert(table);
  const auto found = keys_.find(table);
  if (found == keys_.end()) return;
  size_ -= found->second.size();
  keys_.erase(found);
}

KeysByTable DirtyKeys::keys(std::size_t most) const {
  KeysByTable some;
  for (const auto& [table, keys] : keys_) {
    for (const auto& key : keys) {
      if (most == 0) return some;
      some[table].insert(key);
      --most;
    }
  }
  return some;
}

void DirtyKeys::settle(std::size_t table, const RowKey& key) {
  const auto found = keys_.find(table);
  if (found == keys_.end() || found->second.erase(key) == 0) return;
  --size_;
  if (found->second.empty()) keys_.erase(found);
}

}  // namespace verdigris
