// A row that two aligned snapshots show in two ways may only have been on its way. The judge asks for such suspects again
// until each is equal, proven to differ, or left undecided (parity.md section 6). Never a third verdict by guessing:
// equal means that both sides were seen alike behind a marker; a difference is proven while the source's row is locked.
// Owned by one thread; opens three sessions on the source and one on the target.
#pragma once

#include <atomic>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "healthcheck/parity/keyed_rows.hpp"
#include "replication/server.hpp"
#include "replication/stream.hpp"

namespace verdigris {

struct ColumnValues {
  std::string column;
  std::optional<std::string> source, target;  // nothing: NULL
};

struct RowDifference {
  enum class Kind { missing, extra, changed };  // on the target
  Kind kind;
  RowKey key;                        // empty: the table has none
  std::vector<std::string> columns;  // that differ, of a changed row
  std::vector<ColumnValues> values;  // only if asked for
  std::int64_t count = 1;            // of equal rows, in a table without key
};

struct JudgedTable {
  std::vector<RowDifference> differences;  // ordered by key
  std::vector<RowKey> undecided;
  std::int64_t settled = 0;  // suspects that turned out equal
};

enum class Values { hidden, shown };

class Judge {
 public:
  Judge(Server& source, Server& target, const Streams& streams, const Agreement& agreement, const HashAgreement& hashes,
        Values values, Deadline deadline);

  // Its waits for markers end with DeadlinePassed as soon as this is true; it must outlive the judge.
  void give_up_when(const std::atomic<bool>& is_over) { is_over_ = &is_over; }

  // suspects: by the table's index in the agreement; tables with a key only. All tables at once: a round of questions
  // takes one marker, however many they are. Throws DeadlinePassed if a marker does not arrive in time.
  std::map<std::size_t, JudgedTable> judge(const std::map<std::size_t, std::set<RowKey>>& suspects, Deadline deadline);

  // One round: those that were not seen alike, which says nothing more of them.
  std::map<std::size_t, std::set<RowKey>> look_once(const std::map<std::size_t, std::set<RowKey>>& keys, Deadline deadline);
  // Both sides stand still, so that what is unequal differs. Both are asked at the same time.
  std::map<std::size_t, std::set<RowKey>> differing_when_still(const std::map<std::size_t, std::set<RowKey>>& keys,
                                                               Deadline deadline);

 private:
  struct OpenTable {
    std::map<RowKey, int> strikes;  // of the keys that are still open
    std::vector<RowKey> struck;     // differed twice while the source stood still: to be proven
    std::map<RowKey, int> seen_extra;
    JudgedTable verdict;
  };
  using OpenTables = std::map<std::size_t, OpenTable>;

  bool recheck(OpenTables& open, Deadline deadline);
  void prove(std::size_t table, OpenTable& open, Deadline deadline);
  void prove_batch(std::size_t table, OpenTable& open, std::vector<RowKey> keys, std::vector<RowKey>& again, Deadline deadline);
  void conclude(std::size_t table, OpenTable& open, const RowKey& key, const RowImages& ours, const RowImages& theirs,
                std::vector<RowKey>& again, Deadline deadline);
  RowDifference difference(std::size_t table, const RowKey& key, const std::string* ours, const std::string* theirs,
                           Deadline deadline);
  bool pass_marker(Deadline patience, Deadline deadline);
  const ComparedTable& table(std::size_t index) const { return agreement_.tables[index]; }

  std::string source_color_;
  Streams streams_;
  const Agreement& agreement_;
  const HashAgreement& hashes_;
  Values values_;
  const std::atomic<bool>* is_over_ = nullptr;
  Connection source_, locker_, marker_;
  Connection target_;
};

}  // namespace verdigris
