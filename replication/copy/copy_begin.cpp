#include "replication/copy/copy_begin.hpp"

#include <algorithm>
#include <set>

#include "replication/copy/snapshot.hpp"
#include "replication/identity.hpp"
#include "replication/schema.hpp"
#include "replication/slot.hpp"
#include "replication/test_switches.hpp"

namespace verdigris {
namespace {

class Beginning {
 public:
  Beginning(Server& source, Server& target, const Streams& streams, const CopySettings& settings, Deadline deadline)
      : source_(source), target_(target), streams_(streams), settings_(settings), deadline_(deadline) {}

  CopyGround ground() {
    CopyGround ground;
    ground.run = claim_copy(target_.control(), target_.deployment(), deadline_);
    end_readers(source_.control(), source_.deployment(), deadline_);
    const auto found = saved_copy(target_.control(), target_.deployment(), deadline_);
    std::string why;
    if (found) {
      ground.record = *found;
      why = why_anew(ground);
      if (why.empty()) return ground;
      ground = {};
    }
    begin_anew(ground);
    if (found) ground.account = "begun anew: " + why;
    return ground;
  }

 private:
  void plan(CopyGround& ground) {
    ground.items = copy_plan(user_tables(source_.control(), deadline_, TableSizes::read), settings_.filter);
    mark_referenced(ground.items, target_.control(), deadline_);
    choose_formats(ground.items, source_.control(), target_.control(), deadline_);
    for (const auto& item : ground.items) ground.names.push_back(item.table);
    std::ranges::sort(ground.names);
    ground.encoding = target_.control().query(Sql("SELECT current_setting('server_encoding')"), deadline_).one_row(1).text(0);
  }

  std::string digest(const CopyGround& ground) { return storage_digest(source_.control(), ground.names, deadline_); }

  // Empty if the ground holds, and is ours then.
  std::string why_anew(CopyGround& ground) {
    const auto source = server_identity(source_.control(), source_.deployment(), deadline_);
    const auto target = server_identity(target_.control(), target_.deployment(), deadline_);
    if (source.system_identifier != ground.record.source) return "another server is " + source_.color() + " now";
    if (target.system_identifier != ground.record.target) return "another server is " + target_.color() + " now";
    if (auto why = why_not_by_slot(ground.record); !why.empty()) return why;
    plan(ground);
    ground.items = with_splits(std::move(ground.items), ground.record.parts);
    mark_copied(ground.items, target_.control(), target_.deployment(), deadline_);
    const bool is_all_there = std::ranges::all_of(ground.items, [](const auto& item) { return item.copied.has_value(); });
    if (!is_all_there) {
      auto why = why_not_by_snapshot(ground, source);
      if (!why.empty()) return why;
    }
    if (digest(ground) != ground.record.storage && !is_mutant("copy_storage_not_compared"))
      return "a table was made, truncated, rewritten or dropped on " + source_.color() + " meanwhile";
    if (!is_all_there) keep(ground);
    ground.account = what_is_there(ground);
    return {};
  }

  std::string why_not_by_slot(const CopyRecord& record) {
    const auto slots = slot_states(source_.control(), streams_, deadline_);
    for (std::size_t i = 0; i < slots.size(); ++i) {
      const auto& slot = slots[i];
      const std::string what = "replication slot " + streams_[i].name;
      if (!slot.exists) return what + " is gone from " + source_.color();
      if (!slot.is_usable()) return what + " was invalidated: " + source_.color() + " kept no more WAL for it";
      if (slot.is_active || slot.confirmed_flush != record.consistent_point) return what + " was read meanwhile";
    }
    return {};
  }

  // Imports it, and locks the tables under it: what is compared behind that stays so.
  std::string why_not_by_snapshot(CopyGround& ground, const ServerIdentity& source) {
    if (source.started_at != ground.record.source_started_at) return "the snapshot ended with " + source_.color() + "'s restart";
    try {
      stand_on(ground, is_mutant("copy_snapshot_not_imported") ? fresh_snapshot() : ground.record.snapshot);
      return {};
    } catch (const Error& error) {
      if (error.id() != "copy.snapshot-lost") throw;
      return source_.color() + " keeps the snapshot no more: its session was ended, or no controller came for " +
             std::to_string(settings_.keeping.alone.count()) + " s";
    }
  }

  std::string fresh_snapshot() {
    other_.emplace(source_.open("copy", deadline_));
    other_->execute(Sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"), deadline_);
    return other_->query(Sql("SELECT pg_export_snapshot()"), deadline_).one_row(1).text(0);
  }

  // Our own session and name: whoever reads under it reads what its locks protect, and with it that ends.
  void stand_on(CopyGround& ground, const std::string& snapshot) {
    ground.locks.emplace(open_under_snapshot(source_, "keeper", snapshot, ground.encoding, deadline_));
    ground.snapshot = ground.locks->query(Sql("SELECT pg_export_snapshot()"), deadline_).one_row(1).text(0);
    lock_tables(*ground.locks, ground.names, deadline_);
  }

  std::optional<Connection> guard(const CopyGround& ground) {
    return guard_slot(source_, streams_, ground.record.consistent_point, settings_.keeping, deadline_);
  }

  // A new one each time, with the terms of this run; the earlier one is ended when the record names the new one.
  void keep(CopyGround& ground) {
    if (!ground.guard) ground.guard = guard(ground);
    ground.keeper.emplace(keep_snapshot(source_, streams_, ground.snapshot, ground.record.consistent_point, settings_.keeping,
                                        std::move(ground.guard), deadline_));
    ground.record.snapshot = ground.keeper->snapshot;
    save_copy(target_.control(), target_.deployment(), ground.record, deadline_);
    end_snapshot_keepers(source_.control(), source_.deployment(), &*ground.keeper, deadline_);
  }

  static std::string what_is_there(const CopyGround& ground) {
    std::set<QualifiedName> missing;
    std::int64_t bytes = 0, all_bytes = 0;
    for (const auto& item : ground.items) {
      all_bytes += item.bytes;
      if (item.copied) bytes += item.bytes;
      else missing.insert(item.table);
    }
    return "went on: " + std::to_string(ground.names.size() - missing.size()) + " of " +
           std::to_string(ground.names.size()) + " tables were there, " + std::to_string(bytes >> 20) + " of " +
           std::to_string(all_bytes >> 20) + " MiB";
  }

  // Before anything is thrown away: a table that has come to the source since would stop this copy, and each after it.
  void require_same_tables() {
    const auto missing = missing_tables(source_.control(), target_.control(), settings_.filter, deadline_);
    if (missing.empty()) return;
    throw Refused("schema.changed",
                  source_.color() + "'s schema has changed since it was restored on " + target_.color() + ": " +
                      std::to_string(missing.size()) + " tables or columns are not there, the first is " + missing.front(),
                  "Run abandon --drop-green, then prepare again; or make them on " + target_.color() + " as they are on " +
                      source_.color() + ".");
  }

  // Nothing of an earlier run counts from the first statement on, and that is known before its rows go.
  void begin_anew(CopyGround& ground) {
    require_same_tables();
    forget_copy(target_.control(), target_.deployment(), deadline_);
    ground.run = claim_copy(target_.control(), target_.deployment(), deadline_);
    end_snapshot_keepers(source_.control(), source_.deployment(), nullptr, deadline_);
    drop_slots(source_.control(), streams_, deadline_);
    truncate_tables(target_.control(), settings_.filter, deadline_);
    plan(ground);
    const auto source = server_identity(source_.control(), source_.deployment(), deadline_);
    const auto target = server_identity(target_.control(), target_.deployment(), deadline_);
    ground.record = {.consistent_point = {}, .snapshot = {}, .source = source.system_identifier,
                     .target = target.system_identifier, .source_started_at = source.started_at, .storage = digest(ground)};
    SlotSnapshot slot = create_slot_with_snapshot(source_, streams_.first(), deadline_, settings_.say);
    ground.record.consistent_point = slot.consistent_point;
    ground.guard = guard(ground);  // before anything else can fail: blue's disk
    // All begin at one position, that of the snapshot, by way of another session than its own.
    for (const auto& stream : streams_)
      if (stream.group != 1) copy_slot(source_.control(), streams_.first(), stream, deadline_);
    stand_on(ground, slot.name);
    slot.session.close();
    if (digest(ground) != ground.record.storage) throw table_changed(source_);
    split_tail(ground.items, streams_for_parts(settings_.workers, source_, target_, settings_.cores), source_.control(), deadline_);
    ground.record.parts = splits_of(ground.items);
    keep(ground);
  }

  Server& source_;
  Server& target_;
  const Streams& streams_;
  const CopySettings& settings_;
  Deadline deadline_;
  std::optional<Connection> other_;
};

}  // namespace

CopyGround begin_copy(Server& source, Server& target, const Streams& streams, const CopySettings& settings, Deadline deadline) {
  return Beginning(source, target, streams, settings, deadline).ground();
}

}  // namespace verdigris
