#include "controller/steps/copy_tables.hpp"

#include <algorithm>

#include "controller/copy_watch.hpp"
#include "controller/shared_acts.hpp"
#include "replication/control_schema.hpp"
#include "replication/copy/copy_record.hpp"
#include "replication/copy/plan.hpp"
#include "replication/copy/snapshot.hpp"
#include "replication/origin.hpp"
#include "replication/slot.hpp"
#include "replication/subscription.hpp"
#include "replication/source_load.hpp"
#include "replication/unvalidated_checks.hpp"

namespace verdigris {
namespace {

constexpr const char* kCopyStarted = "copy:started";  // the tables were empty; rows that are there now came by us
constexpr const char* kCopyDone = "copy:done";

// Behind a failure, which is what is told. What is done stays noted.
void end_watch(CopyWatch& watch, Server& source, Server& target, const Streams& streams, const CopySettings& settings) noexcept {
  try {
    const auto deadline = Deadline::after(std::chrono::seconds(5));
    watch.forget(deadline);
    const auto items = copied_items(target.control(), target.deployment(), deadline);
    if (items.value_or(0) == 0 || !settings.say) return;
    if (std::ranges::all_of(slot_states(source.control(), streams, deadline), &SlotState::is_usable))
      settings.say(std::to_string(*items) + " tables or parts are on " + target.color() +
                   " and stay there: the next prepare goes on with the rest where it can, if it comes within " +
                   std::to_string(settings.keeping.alone.count() / 60) + " min");
  } catch (const std::exception&) {
    // The next copy begins by forgetting them.
  }
}

}  // namespace

void note_rows_there(Connection& target, const std::string& deployment, Lsn position, Deadline deadline) {
  save_value(target, deployment, kCopyStarted, "true", deadline);
  save_value(target, deployment, kCopyDone, "\"" + position.text() + "\"", deadline);
}

std::string CopyTables::describe() const {
  return "copy all rows from " + source_->color() + " to " + target_->color() + " with " +
         std::to_string(settings_.workers) + " workers, under the snapshot of a new slot" +
         (streams_.is_grouped() ? " of which the other groups get copies" : "");
}

void CopyTables::require_empty_target(Deadline deadline) {
  const auto filled = tables_with_rows(target_->control(), settings_.filter, deadline);
  if (filled.empty()) return;
  throw Refused("target.not-empty",
                target_->color() + " (" + target_->endpoint() + "): " + std::to_string(filled.size()) +
                    " tables hold rows already, the first is " + filled.front().display(),
                "Empty them if they are not needed, then repeat the command.");
}

Readiness CopyTables::check(Deadline deadline) {
  Connection& target = target_->control();
  const bool is_known = has_control_schema(target, deadline);
  const auto done = is_known ? saved_value(target, target_->deployment(), kCopyDone, deadline) : std::nullopt;
  if (done) {
    const auto slots = slot_states(source_->control(), streams_, deadline);
    for (std::size_t i = 0; i < slots.size(); ++i) {
      const std::string name = "replication slot " + streams_[i].name;
      if (!slots[i].is_usable())
        return Blocked{name + " of the finished copy is gone or lost on " + source_->color(), "Run abandon, then prepare again."};
      // What lies between them would be missing. Once there is a subscription it is read, and moves on.
      const std::string here = "\"" + slots[i].confirmed_flush.text() + "\"";
      if (!subscription_brief(target, streams_[i], deadline).exists && here != *done)
        return Blocked{name + " on " + source_->color() + " stands at " + here + ", and the finished copy is of " + *done,
                       "It was made anew or read by somebody: run abandon, then prepare again."};
    }
    return Done{};
  }
  for (const auto& stream : streams_) require_own_slot(source_->control(), stream, deadline);
  if (!is_known || !saved_value(target, target_->deployment(), kCopyStarted, deadline)) require_empty_target(deadline);
  return Ready{};
}

// By name, since which is the largest may change until then; all are on the target by then, as the source has them.
PlannedActs CopyTables::statements(Deadline deadline) {
  const std::string here = source_->color(), there = target_->color();
  const auto tables = user_tables(source_->control(), deadline, TableSizes::read);
  auto items = copy_plan(tables, settings_.filter);
  mark_referenced(items, target_->control(), deadline);
  choose_formats(items, source_->control(), target_->control(), deadline);
  const auto checks = unvalidated_checks(target_->control(), deadline);  // a dump brings them only behind the rows
  PlannedActs out{saving(*target_, kCopyStarted, "true")};
  for (const auto& check : checks) {
    out.push_back(saving(*target_, check.key(), check.saved));
    out.push_back({there, check.dropping().text()});
  }
  const std::string copiers = "verdigris/" + target_->deployment() + "/copy", locks = "verdigris/" + target_->deployment() + "/keeper",
                    keepers = "verdigris/" + target_->deployment() + "/kept",
                    watchers = "verdigris/" + target_->deployment() + "/slot";
  out.push_back({there, ending_copiers_statement().text(), {copiers}});
  out.push_back({here, ending_copiers_statement().text(), {copiers}});
  out.push_back({here, ending_copiers_statement().text(), {locks}});
  out.push_back({there, claiming_statement().text(), {target_->deployment()}});
  out.push_back({there, forgetting_copy_statement().text(), {target_->deployment()}});
  out.push_back({here, ending_keepers_statement().text(), {keepers, watchers, "<those that stay>"}});
  for (const auto& stream : streams_)
    if (slot_state(source_->control(), stream, deadline).exists) out.push_back({here, drop_slot_statement().text(), {stream.name}});
  if (const auto all = truncating_statement(target_->control(), settings_.filter, deadline)) out.push_back({there, all->text()});
  out.push_back({here, snapshot_slot_statement(streams_.first()).text()});
  for (const auto& stream : streams_)
    if (stream.group != 1) out.push_back({here, copy_slot_statement().text(), {streams_.first().name, stream.name}});
  std::vector<QualifiedName> names;
  for (const auto& item : items) names.push_back(item.table);
  std::ranges::sort(names);
  split_tail(items, streams_for_parts(settings_.workers, *source_, *target_, settings_.cores), source_->control(), deadline);
  std::ranges::stable_sort(items, {}, &CopyItem::table);
  if (!names.empty()) out.push_back({here, locking_statement(names).text()});
  auto terms = settings_.keeping;
  terms.most_wal_bytes = max_slot_wal_bytes_;
  out.push_back({here, keeping_statement(source_->deployment(), streams_, "<where the slot begins>", terms).text()});
  if (max_slot_wal_bytes_ > 0)
    out.push_back({here, guarding_statement(source_->deployment(), streams_, "<where the slot begins>", terms).text()});
  out.push_back({there, saving_copy_statement().text(), {target_->deployment(), "<what the copy stands on>"}});
  for (const auto& item : items) {
    out.push_back({here, copy_to(item).text()});
    if (item.is_frozen()) out.push_back({there, emptying(item).text()});
    out.push_back({there, copy_from(item).text()});
  }
  out.push_back({there, noting_copied_statement().text(), {target_->deployment(), "<the run>", "<tables that are done>"}});
  if (pace_.max_load.commit.count() > 0) out.push_back({here, empty_commit_statement().text()});
  out.push_back(CopyWatch::noting(*target_));
  out.push_back(forgetting(*target_, "copy:progress"));
  out.push_back({there, durable_position_statement().text()});
  for (const auto& check : checks) {
    out.push_back({there, check.adding().text()});
    out.push_back(forgetting(*target_, check.key()));
  }
  out.push_back(saving(*target_, kCopyDone, "<where the slot begins>"));
  return out;
}

std::string CopyTables::apply(Deadline deadline) {
  if (std::holds_alternative<Done>(check(deadline))) return "all tables are copied";
  Connection& target = target_->control();
  save_value(target, target_->deployment(), kCopyStarted, "true", deadline);
  set_aside_unvalidated_checks(target, target_->deployment(), deadline);
  CopyWatch watch(*target_, {*source_, streams_, max_slot_wal_bytes_}, {*source_, pace_}, settings_.workers, progress_);
  watch.forget(deadline);  // what was asked of a run before
  watch.look_at_load(deadline);
  auto settings = settings_;
  settings.throttle = watch.throttle();
  settings.look = [&](const CopyProgress& now) { return watch.look(now, deadline); };
  settings.keeping.most_wal_bytes = max_slot_wal_bytes_;
  settings.say = progress_;
  CopyTotals totals;
  try {
    totals = copy_all_tables(*source_, *target_, streams_, settings, deadline);
  } catch (...) {
    end_watch(watch, *source_, *target_, streams_, settings);
    throw;
  }
  watch.forget(deadline);
  put_back_unvalidated_checks(target, target_->deployment(), deadline);
  // Synchronous, so everything before it is durable too.
  Transaction transaction(target, deadline);
  save_value(target, target_->deployment(), kCopyDone, "\"" + totals.consistent_point.text() + "\"", deadline);
  forget_copy(target, target_->deployment(), deadline);
  transaction.commit();
  return (totals.account.empty() ? "" : totals.account + "; ") + std::to_string(totals.tables) + " tables, " + std::to_string(totals.rows) + " rows, " +
         std::to_string(totals.bytes >> 20) + " MiB; slot" + (streams_.is_grouped() ? "s " : " ") + streams_.names() + " at " + totals.consistent_point.text();
}

void CopyTables::undo(Deadline deadline) {
  if (target_->is_given_up()) return drop_slots(source_->control(), streams_, deadline, SlotReader::is_ended);
  Connection& target = target_->control();
  const bool is_known = has_control_schema(target, deadline);
  if (is_known) forget_value(target, target_->deployment(), kCopyDone, deadline);
  if (is_known) put_back_unvalidated_checks(target, target_->deployment(), deadline);
  if (is_known) forget_copy(target, target_->deployment(), deadline);
  end_readers(source_->control(), source_->deployment(), deadline);
  end_snapshot_keepers(source_->control(), source_->deployment(), nullptr, deadline);
  drop_slots(source_->control(), streams_, deadline);
  if (!is_known || !drop_target_ || !saved_value(target, target_->deployment(), kCopyStarted, deadline)) return;
  truncate_tables(target, settings_.filter, deadline);
  forget_value(target, target_->deployment(), kCopyStarted, deadline);
}

}  // namespace verdigris
