// Rows that changed since they were last seen alike, of the tables of one agreement. What cannot be held by key (a table
// without one, TRUNCATE, too many) is held as a whole table. Owned by one thread at a time.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "healthcheck/parity/agreement.hpp"
#include "healthcheck/parity/keyed_rows.hpp"
#include "replication/change_stream.hpp"

namespace verdigris {

using KeysByTable = std::map<std::size_t, std::set<RowKey>>;  // by the table's index in the agreement

class DirtyKeys final : public ChangeSink {
 public:
  explicit DirtyKeys(const Agreement& agreement);

  void row_changed(const ChangedRelation& relation, const std::vector<std::optional<std::string>>& values, Lsn commit) override;
  void truncated(const ChangedRelation& relation, Lsn commit) override;
  void add(std::size_t table, const RowKey& key);
  void add_whole(std::size_t table);

  // A copy: what changes while they are looked at comes in behind it. At most so many.
  KeysByTable keys(std::size_t most) const;
  void settle(std::size_t table, const RowKey& key);
  const std::set<std::size_t>& whole_tables() const { return whole_; }
  void settle_whole(std::size_t table) { whole_.erase(table); }
  std::size_t size() const { return size_; }

 private:
  // Where the key's columns are in the relation as it is sent; nothing if one is not there.
  struct Known {
    std::size_t table;
    std::vector<std::string> columns;  // of the relation, when this was found out
    std::vector<std::size_t> places;
    bool is_keyed;
  };
  const Known* known(const ChangedRelation& relation);

  const Agreement& agreement_;
  std::map<QualifiedName, std::size_t> tables_;
  std::map<QualifiedName, Known> known_;
  std::map<std::size_t, std::set<RowKey>> keys_;
  std::set<std::size_t> whole_;
  std::size_t size_ = 0;
};

}  // namespace verdigris
