// The way back, laid before it is needed: publication and slot on the target, a disabled subscription on the source
// that holds every table; of each group of tables, as it is on the way there. Tables that exist on both sides travel, with
// the columns that both have. Its check is the
// gate of every cutover, so it is exact and takes milliseconds.
#pragma once

#include <map>

#include "controller/step.hpp"
#include "replication/publication.hpp"
#include "replication/server.hpp"
#include "replication/stream.hpp"
#include "replication/subscription.hpp"

namespace verdigris {

class ReadyReversePath final : public Step {
 public:
  enum class OnUndo { keep, remove };  // an attempt that is undone keeps the way back for the next one
  // publisher: the target as the source's server reaches it.
  ReadyReversePath(Source source, Target target, Streams back, Conninfo publisher, TableSelection filter,
                   OnUndo on_undo = OnUndo::remove, ApplyAs apply_as = ApplyAs::owners_of_tables)
      : source_(source),
        target_(target),
        back_(std::move(back)),
        publisher_(std::move(publisher)),
        filter_(std::move(filter)),
        on_undo_(on_undo),
        apply_as_(apply_as) {}
  std::string_view name() const override { return "ready_reverse_path"; }
  std::string describe() const override;
  Readiness check(Deadline deadline) override;
  PlannedActs statements(Deadline deadline) override;
  std::string apply(Deadline deadline) override;
  void undo(Deadline deadline) override;

 private:
  struct Wanted {
    GroupedTables tables;
    std::vector<std::string> left_out;  // columns that only the target has
  };
  Wanted wanted(Deadline deadline);
  PlannedActs unknown_statements(Deadline deadline);
  void add_creating(PlannedActs& out, const Stream& stream, Deadline deadline);
  void add_laying(PlannedActs& out, const Stream& stream, const std::vector<PublishedTable>& tables, Deadline deadline);
  int group_of(const Table& table) const;
  void learn_groups(Deadline deadline);
  bool is_subscription_right(const Stream& stream, Deadline deadline);
  void lay(const Stream& stream, const std::vector<PublishedTable>& tables, Deadline deadline);
  void require_not_enabled(Deadline deadline);

  Source source_;
  Target target_;
  Streams back_;
  Conninfo publisher_;
  TableSelection filter_;
  OnUndo on_undo_;
  ApplyAs apply_as_;
  std::map<QualifiedName, int> groups_;  // of the tables on the way there; empty if there is one
};

}  // namespace verdigris
