#include "controller/steps/open_to_readers.hpp"

#include "replication/access.hpp"
#include "replication/errors.hpp"
#include "replication/fence.hpp"

namespace verdigris {
namespace {

bool keeps_writers_out(FenceState state) { return state == FenceState::closed || state == FenceState::following; }

// Why somebody could write there once he is in; empty if nobody could.
std::optional<Blocked> hole_in_fence(Server& server, Deadline deadline) {
  auto& on = server.control();
  const auto state = fences(on, deadline);
  if (!keeps_writers_out(state.tables) || !keeps_writers_out(state.marker))
    return Blocked{server.color() + ": the write fence is " + std::string(to_text(keeps_writers_out(state.tables) ? state.marker : state.tables)) +
                       ", and only it keeps writers out once readers may connect",
                   "Run: verdigris recover"};
  const auto tables = tables_without_fence(on, deadline);
  if (tables.empty()) return std::nullopt;
  return Blocked{server.color() + ": " + tables.front().display() + " has no enabled fence trigger (tables without: " +
                     std::to_string(tables.size()) + "), and would take writes once readers may connect",
                 "Run: verdigris prepare"};
}

}  // namespace

std::string OpenToReaders::describe() const {
  return "open " + target_->color() + " for connections; its write fence stays closed";
}

Readiness OpenToReaders::check(Deadline deadline) {
  if (const auto hole = hole_in_fence(*target_, deadline)) return *hole;
  if (!has_saved_access(target_->control(), target_->deployment(), deadline)) return Done{};
  return Ready{};
}

PlannedActs OpenToReaders::statements(Deadline) {
  return {{target_->color(), opening_access_statement().text(), {target_->deployment()}}};
}

std::string OpenToReaders::apply(Deadline deadline) {
  Transaction transaction(target_->control(), deadline);
  open_access(transaction, target_->deployment());
  if (const auto hole = hole_in_fence(*target_, deadline)) throw Refused("reads.fence", hole->why, hole->hint);
  transaction.commit();
  return target_->color() + ": grants and limit as they were before it was closed; every table refuses writes";
}

void OpenToReaders::undo(Deadline deadline) {
  Transaction transaction(target_->control(), deadline);
  close_access(transaction, target_->deployment(), keep_);
  transaction.commit();
}

}  // namespace verdigris
