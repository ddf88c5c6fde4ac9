#include "controller/steps/close_to_readers.hpp"

#include "replication/access.hpp"

namespace verdigris {

std::string CloseToReaders::describe() const { return "close " + target_->color() + " for connections again"; }

Readiness CloseToReaders::check(Deadline deadline) {
  if (is_access_closed(target_->control(), target_->deployment(), deadline)) return Done{};
  return Ready{};
}

PlannedActs CloseToReaders::statements(Deadline) {
  return {{target_->color(), closing_access_statement().text(), {target_->deployment(), text_array(keep_)}}};
}

std::string CloseToReaders::apply(Deadline deadline) {
  Transaction transaction(target_->control(), deadline);
  close_access(transaction, target_->deployment(), keep_);
  transaction.commit();
  if (!is_access_closed(target_->control(), target_->deployment(), deadline))
    return target_->color() + ": its connection limit was changed by hand and is left as it is; the fence refuses writes. To keep clients out as well: ALTER DATABASE " +
           target_->dbname() + " CONNECTION LIMIT 0";
  return target_->color() + ": nobody but the controller and replication can connect";
}

void CloseToReaders::undo(Deadline deadline) {
  Transaction transaction(target_->control(), deadline);
  open_access(transaction, target_->deployment());
  transaction.commit();
}

}  // namespace verdigris
