// Rows of the following side that were proven to differ are made what the source has (parity.md section 10). Apply
// stands exactly before a marker meanwhile, and the source's rows are locked: what is written is the row that the stream goes
// on from. Only asked for by name, never by itself. Owned by one thread; opens three sessions on the source and three on the
// target.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "healthcheck/parity/parity.hpp"

namespace verdigris {

struct RepairOutcome {
  std::int64_t repaired = 0;
  std::int64_t settled = 0;                           // they were alike by then
  std::vector<std::pair<RowKey, std::string>> left;   // and what stood in the way
};

class Repairer {
 public:
  // Throws Refused "repair.role" if this role may not write past triggers and foreign keys on the target.
  Repairer(Server& source, Server& target, const Streams& streams, const Agreement& agreement,
           const HashAgreement& hashes, Deadline deadline);
  ~Repairer();
  Repairer(const Repairer&) = delete;
  Repairer& operator=(const Repairer&) = delete;

  // Why this table's differences are not repaired; nothing if they can be.
  std::optional<std::string> obstacle(const TableVerdict& verdict, Deadline deadline);
  // In transactions of a few dozen rows; those that are committed stay when a later one fails. The image of each row
  // before and after goes into verdigris.saved on the target, in the same transaction, under the key
  // "repair:<id>:<number>". Throws DeadlinePassed if apply does not come to a marker, Error "repair.mismatch" if
  // a written row is not what the source has.
  RepairOutcome repair(const TableVerdict& verdict, Deadline deadline);

  const std::string& id() const { return id_; }  // of this run, in the keys of the images

 private:
  struct TargetColumn {  // a compared one
    Identifier name;
    std::string type;
    bool is_generated, is_always_identity;
  };
  struct Batch;
  const ComparedTable& table_of(const TableVerdict& verdict) const;
  std::vector<TargetColumn> target_columns(const ComparedTable& table, Deadline deadline);
  std::optional<std::string> obstacle_on_target(const ComparedTable& table, const TableVerdict& verdict, Deadline deadline);
  void settle(Batch batch, RepairOutcome& outcome, Deadline deadline);
  bool try_batch(Batch& batch, RepairOutcome& outcome, Deadline deadline);
  bool stop_apply_with(Transaction& write, Deadline deadline);
  void write_row(const Batch& batch, const RowKey& key, bool is_here, bool is_there, Deadline deadline);
  void require_alike(const Batch& batch, const std::vector<RowKey>& keys, Deadline deadline);
  RowImages rows_as_text(const Batch& batch, const std::vector<RowKey>& keys, Deadline deadline);
  void note_images(const Batch& batch, const std::vector<RowKey>& keys, const RowImages& before, Deadline deadline);

  std::string source_color_, deployment_, origin_;
  std::string id_;
  Streams streams_;
  const Agreement& agreement_;
  const HashAgreement& hashes_;
  Connection locker_, marker_, source_;
  Connection writer_, watcher_;
  Connection owner_;  // of the origin: it cannot be dropped by the session that uses it
  std::int64_t images_ = 0;
};

}  // namespace verdigris
