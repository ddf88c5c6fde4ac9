#include "controller/steps/ready_reverse_path.hpp"

#include <algorithm>
#include <map>

#include "controller/shared_acts.hpp"
#include "replication/control_schema.hpp"
#include "replication/left_out.hpp"
#include "replication/replica_identity.hpp"
#include "replication/slot.hpp"
#include "replication/stream_groups.hpp"
#include "replication/subscription.hpp"

namespace verdigris {
namespace {

using TablesByName = std::map<QualifiedName, const Table*>;

TablesByName by_name(const std::vector<Table>& tables) {
  TablesByName map;
  for (const Table& table : tables) map.emplace(table.name, &table);
  return map;
}

bool has_column(const Table& table, const Identifier& name) {
  return std::any_of(table.columns.begin(), table.columns.end(),
                     [&](const Column& column) { return column.name == name && !column.is_generated(); });
}

// The columns that the receiver has too; empty if it has all, so that no list is needed.
std::vector<Identifier> columns_to_send(const Table& sender, const Table& receiver) {
  std::vector<Identifier> list;
  bool is_shorter = false;
  for (const Column& column : sender.columns) {
    if (column.is_generated()) continue;
    if (has_column(receiver, column.name))
      list.push_back(column.name);
    else
      is_shorter = true;
  }
  return is_shorter ? list : std::vector<Identifier>{};
}

// The columns that the receiver lacks altogether, generated ones too.
void add_left_out(const Table& sender, const Table& receiver, std::vector<std::string>& names) {
  for (const Column& column : sender.columns) {
    const bool is_there = std::ranges::any_of(receiver.columns, [&](const Column& c) { return c.name == column.name; });
    if (!is_there && !sender.is_partitioned) names.push_back(sender.name.display() + "." + column.name.raw());
  }
}

// A column list must hold the identity, else UPDATE and DELETE fail at the sender as soon as clients write there.
void require_identity_sent(const Server& server, const Table& table, const std::vector<Identifier>& columns) {
  const bool has_key = std::all_of(table.key.begin(), table.key.end(), [&](const Identifier& column) {
    return std::find(columns.begin(), columns.end(), column) != columns.end();
  });
  if (has_key && !table.key.empty()) return;
  throw Refused("reverse.identity",
                server.color() + ": table " + table.name.display() +
                    " has columns that the other side lacks, and its replica identity needs them on the way back",
                "Give the table a key over columns that both sides have.");
}

std::size_t count_of(const GroupedTables& groups) {
  std::size_t all = 0;
  for (const auto& group : groups) all += group.size();
  return all;
}

}  // namespace

std::string ReadyReversePath::describe() const {
  return "make the way back from " + target_->color() + " to " + source_->color() + " ready: " + back_.names();
}

// Neighbours stay together both ways. A leaf is named by itself only for its columns.
void ReadyReversePath::learn_groups(Deadline deadline) {
  groups_.clear();
  if (!back_.is_grouped()) return;
  for (const auto& stream : Streams(Stream::leaving(source_->color(), source_->deployment()), back_.groups())) {
    for (const auto& table : published_tables(source_->control(), stream, deadline).value_or(std::vector<PublishedTable>{}))
      groups_.emplace(table.name, stream.group);
    for (const auto& leaf : published_leaves(source_->control(), stream, deadline)) groups_.emplace(leaf, stream.group);
  }
}

int ReadyReversePath::group_of(const Table& table) const {
  for (const auto& name : {table.name, table.root.value_or(table.name)})
    if (const auto found = groups_.find(name); found != groups_.end()) return found->second;
  return 1;
}

ReadyReversePath::Wanted ReadyReversePath::wanted(Deadline deadline) {
  learn_groups(deadline);
  const auto senders = user_tables(target_->control(), deadline);
  const auto receivers = user_tables(source_->control(), deadline);
  const auto receiver_of = by_name(receivers);
  Wanted wanted;
  wanted.tables.resize(back_.size());
  for (const Table& table : senders) {
    const auto receiver = receiver_of.find(table.name);
    if (receiver == receiver_of.end() || !filter_.selects(table)) continue;
    add_left_out(table, *receiver->second, wanted.left_out);
    const auto columns = table.is_partitioned ? std::vector<Identifier>{} : columns_to_send(table, *receiver->second);
    // A leaf is named only for its column list: a root's list does not count for it.
    if (table.is_partition && columns.empty()) continue;
    if (!columns.empty()) require_identity_sent(*target_, table, columns);
    wanted.tables[static_cast<std::size_t>(group_of(table) - 1)].push_back({table.name, columns});
  }
  return wanted;
}

bool ReadyReversePath::is_subscription_right(const Stream& stream, Deadline deadline) {
  const auto state = subscription_state(source_->control(), stream, deadline);
  return state.exists && !state.is_enabled && state.not_ready.empty() &&
         state.tables == published_leaves(target_->control(), stream, deadline);
}

void ReadyReversePath::require_not_enabled(Deadline deadline) {
  for (const auto& stream : back_)
    if (subscription_state(source_->control(), stream, deadline).is_enabled)
      throw Refused("reverse.enabled",
                    source_->color() + " already follows " + target_->color() + " through " + stream.name,
                    "The direction of this command is the wrong one, or a switch was not finished: run status.");
}

Readiness ReadyReversePath::check(Deadline deadline) {
  require_not_enabled(deadline);
  Connection& target = target_->control();
  for (const auto& stream : back_) {
    require_own_slot(target, stream, deadline);
    if (!slot_state(target, stream, deadline).is_usable() || !is_subscription_right(stream, deadline)) return Ready{};
  }
  const auto [tables, without] = wanted(deadline);
  if (are_published(target, back_, tables, deadline) &&
      left_out(target, target_->deployment(), back_.first(), deadline) == without &&
      plan_identities(target, filter_, source_->major(), deadline).empty())
    return Done{};
  return Ready{};
}

void ReadyReversePath::add_creating(PlannedActs& out, const Stream& stream, Deadline deadline) {
  out.push_back({source_->color(), creating_statement(stream, publisher_, source_->major(), target_->major(), true).text()});
  if (source_->major() >= 16 && !closed_to_their_owners(source_->control(), deadline).empty())
    out.push_back({source_->color(), owning_statement(stream).text()});
}

// Before the target follows, its tables are not there or not as the migrations will leave them.
PlannedActs ReadyReversePath::unknown_statements(Deadline deadline) {
  const std::string there = target_->color();
  PlannedActs out{saving(*target_, "<identity:table, for each that has none by then>", "<what was there>"),
                  {there, "ALTER TABLE <table> REPLICA IDENTITY <one of its indexes, or FULL>"},
                  {there, recording_statement().text(), {target_->deployment(), "left-out:" + back_.first().name, "<columns that only it has>"}}};
  for (const auto& stream : back_) {
    for (const auto& statement : publishing_statements(stream, Sql("<its tables, without the columns that only it has>")))
      out.push_back({there, statement.text()});
    out.push_back({there, create_slot_statement().text(), {stream.name}});
    add_creating(out, stream, deadline);
  }
  return out;
}

void ReadyReversePath::add_laying(PlannedActs& out, const Stream& stream, const std::vector<PublishedTable>& tables,
                                  Deadline deadline) {
  Connection& target = target_->control();
  const std::string there = target_->color(), here = source_->color();
  const auto slot = slot_state(target, stream, deadline);
  const bool is_new = !slot.is_usable() || !is_published(target, stream, tables, deadline);
  if (subscription_brief(source_->control(), stream, deadline).exists && (is_new || !is_subscription_right(stream, deadline))) {
    out.push_back({here, disabling_statement(stream).text()});
    for (const auto& statement : dropping_statements(stream)) out.push_back({here, statement.text()});
  }
  if (is_new && slot.exists) out.push_back({there, drop_slot_statement().text(), {stream.name}});
  for (const auto& statement : publishing_statements(target, stream, tables, deadline)) out.push_back({there, statement.text()});
  if (is_new) out.push_back({there, create_slot_statement().text(), {stream.name}});
  add_creating(out, stream, deadline);
}

PlannedActs ReadyReversePath::statements(Deadline deadline) {
  const auto forward = Stream::leaving(source_->color(), source_->deployment());
  if (!subscription_brief(target_->control(), forward, deadline).exists) return unknown_statements(deadline);
  if (std::holds_alternative<Done>(check(deadline))) return {};
  Connection& target = target_->control();
  PlannedActs out = identity_acts(*target_, plan_identities(target, filter_, source_->major(), deadline));
  const auto [tables, without] = wanted(deadline);
  out.push_back({target_->color(), recording_statement().text(), {target_->deployment(), "left-out:" + back_.first().name, text_array(without)}});
  for (std::size_t i = 0; i < back_.size(); ++i) add_laying(out, back_[i], tables[i], deadline);
  return out;
}

void ReadyReversePath::lay(const Stream& stream, const std::vector<PublishedTable>& tables, Deadline deadline) {
  Connection& target = target_->control();
  if (!is_published(target, stream, tables, deadline) || !slot_state(target, stream, deadline).is_usable()) {
    // Nobody has read from this slot: made anew it is younger than its publication, as it must be.
    drop_subscription(source_->control(), stream, deadline);
    drop_slot(target, stream, deadline);
    ensure_publication(target, stream, tables, deadline);
  }
  ensure_slot(target, stream, deadline);
  if (!is_subscription_right(stream, deadline)) drop_subscription(source_->control(), stream, deadline);
  create_subscription(*source_, stream, publisher_, target_->major(), true, apply_as_, deadline);
  require_all_tables(source_->control(), stream, published_leaves(target, stream, deadline), deadline);
}

std::string ReadyReversePath::apply(Deadline deadline) {
  require_not_enabled(deadline);
  Connection& target = target_->control();
  apply_identities(target, target_->deployment(), plan_identities(target, filter_, source_->major(), deadline),
                   deadline);
  const auto [tables, without] = wanted(deadline);
  record_left_out(target, target_->deployment(), back_.first(), without, deadline);
  for (std::size_t i = 0; i < back_.size(); ++i) lay(back_[i], tables[i], deadline);
  return std::to_string(count_of(tables)) + " tables on the way back, subscription" + (back_.is_grouped() ? "s on " : " on ") +
         source_->color() + " ready";
}

void ReadyReversePath::undo(Deadline deadline) {
  if (on_undo_ == OnUndo::keep) return;
  require_not_enabled(deadline);
  drop_subscriptions(source_->control(), back_, deadline);
  if (target_->is_given_up()) return;
  drop_slots(target_->control(), back_, deadline);
  drop_publications(target_->control(), back_, deadline);
  forget_left_out(target_->control(), target_->deployment(), back_.first(), deadline);
}

}  // namespace verdigris
