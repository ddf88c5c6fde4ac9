#include "controller/steps/ready_reverse_path.hpp"

#include <algorithm>
#include <map>

#include "controller/shared_acts.hpp"
#include "replication/control_schema.hpp"
#include "replication/left_out.hpp"
#include "replication/replica_identity.hpp"
#include "replication/slot.hpp"
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

}  // namespace

std::string ReadyReversePath::describe() const {
  return "make the way back from " + target_->color() + " to " + source_->color() + " ready: " + back_.name;
}

ReadyReversePath::Wanted ReadyReversePath::wanted(Deadline deadline) {
  const auto senders = user_tables(target_->control(), deadline);
  const auto receivers = user_tables(source_->control(), deadline);
  const auto receiver_of = by_name(receivers);
  Wanted wanted;
  for (const Table& table : senders) {
    const auto receiver = receiver_of.find(table.name);
    if (receiver == receiver_of.end() || !filter_.selects(table)) continue;
    add_left_out(table, *receiver->second, wanted.left_out);
    const auto columns = table.is_partitioned ? std::vector<Identifier>{} : columns_to_send(table, *receiver->second);
    // A leaf is named only for its column list: a root's list does not count for it.
    if (table.is_partition && columns.empty()) continue;
    if (!columns.empty()) require_identity_sent(*target_, table, columns);
    wanted.tables.push_back({table.name, columns});
  }
  return wanted;
}

bool ReadyReversePath::is_subscription_right(Deadline deadline) {
  const auto state = subscription_state(source_->control(), back_, deadline);
  return state.exists && !state.is_enabled && state.not_ready.empty() &&
         state.tables == published_leaves(target_->control(), back_, deadline);
}

void ReadyReversePath::require_not_enabled(Deadline deadline) {
  if (subscription_state(source_->control(), back_, deadline).is_enabled)
    throw Refused("reverse.enabled",
                  source_->color() + " already follows " + target_->color() + " through " + back_.name,
                  "The direction of this command is the wrong one, or a switch was not finished: run status.");
}

Readiness ReadyReversePath::check(Deadline deadline) {
  require_not_enabled(deadline);
  require_own_slot(target_->control(), back_, deadline);
  Connection& target = target_->control();
  if (!slot_state(target, back_, deadline).is_usable() || !is_subscription_right(deadline)) return Ready{};
  const auto [tables, without] = wanted(deadline);
  if (is_published(target, back_, tables, deadline) &&
      left_out(target, target_->deployment(), back_, deadline) == without &&
      plan_identities(target, filter_, source_->major(), deadline).empty())
    return Done{};
  return Ready{};
}

void ReadyReversePath::add_creating(PlannedActs& out, Deadline deadline) {
  out.push_back({source_->color(), creating_statement(back_, publisher_, source_->major(), target_->major(), true).text()});
  if (source_->major() >= 16 && !closed_to_their_owners(source_->control(), deadline).empty())
    out.push_back({source_->color(), owning_statement(back_).text()});
}

// Before the target follows, its tables are not there or not as the migrations will leave them.
PlannedActs ReadyReversePath::unknown_statements(Deadline deadline) {
  const std::string there = target_->color();
  PlannedActs out{saving(*target_, "<identity:table, for each that has none by then>", "<what was there>"),
                  {there, "ALTER TABLE <table> REPLICA IDENTITY <one of its indexes, or FULL>"},
                  {there, recording_statement().text(), {target_->deployment(), "left-out:" + back_.name, "<columns that only it has>"}}};
  for (const auto& statement : publishing_statements(back_, Sql("<its tables, without the columns that only it has>")))
    out.push_back({there, statement.text()});
  out.push_back({there, create_slot_statement().text(), {back_.name}});
  add_creating(out, deadline);
  return out;
}

PlannedActs ReadyReversePath::statements(Deadline deadline) {
  const auto forward = Stream::leaving(source_->color(), source_->deployment());
  if (!subscription_brief(target_->control(), forward, deadline).exists) return unknown_statements(deadline);
  if (std::holds_alternative<Done>(check(deadline))) return {};
  Connection& target = target_->control();
  const std::string there = target_->color(), here = source_->color();
  PlannedActs out = identity_acts(*target_, plan_identities(target, filter_, source_->major(), deadline));
  const auto [tables, without] = wanted(deadline);
  out.push_back({there, recording_statement().text(), {target_->deployment(), "left-out:" + back_.name, text_array(without)}});
  const bool has_slot = slot_state(target, back_, deadline).is_usable();
  const bool is_new = !has_slot || !is_published(target, back_, tables, deadline);
  if (subscription_brief(source_->control(), back_, deadline).exists && (is_new || !is_subscription_right(deadline))) {
    out.push_back({here, disabling_statement(back_).text()});
    for (const auto& statement : dropping_statements(back_)) out.push_back({here, statement.text()});
  }
  if (is_new && slot_state(target, back_, deadline).exists) out.push_back({there, drop_slot_statement().text(), {back_.name}});
  for (const auto& statement : publishing_statements(target, back_, tables, deadline)) out.push_back({there, statement.text()});
  if (is_new) out.push_back({there, create_slot_statement().text(), {back_.name}});
  add_creating(out, deadline);
  return out;
}

std::string ReadyReversePath::apply(Deadline deadline) {
  require_not_enabled(deadline);
  Connection& target = target_->control();
  apply_identities(target, target_->deployment(), plan_identities(target, filter_, source_->major(), deadline),
                   deadline);
  const auto [tables, without] = wanted(deadline);
  record_left_out(target, target_->deployment(), back_, without, deadline);
  if (!is_published(target, back_, tables, deadline) || !slot_state(target, back_, deadline).is_usable()) {
    // Nobody has read from this slot: made anew it is younger than its publication, as it must be.
    drop_subscription(source_->control(), back_, deadline);
    drop_slot(target, back_, deadline);
    ensure_publication(target, back_, tables, deadline);
  }
  ensure_slot(target, back_, deadline);
  if (!is_subscription_right(deadline)) drop_subscription(source_->control(), back_, deadline);
  create_subscription(*source_, back_, publisher_, target_->major(), true, apply_as_, deadline);
  require_all_tables(source_->control(), back_, published_leaves(target, back_, deadline), deadline);
  return std::to_string(tables.size()) + " tables on the way back, subscription on " + source_->color() + " ready";
}

void ReadyReversePath::undo(Deadline deadline) {
  if (on_undo_ == OnUndo::keep) return;
  if (subscription_state(source_->control(), back_, deadline).is_enabled) require_not_enabled(deadline);
  drop_subscription(source_->control(), back_, deadline);
  if (target_->is_given_up()) return;
  drop_slot(target_->control(), back_, deadline);
  drop_publication(target_->control(), back_, deadline);
  forget_left_out(target_->control(), target_->deployment(), back_, deadline);
}

}  // namespace verdigris
