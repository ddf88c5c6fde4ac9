#include "controller/steps/publish_source.hpp"

#include "replication/publication.hpp"
#include "replication/slot.hpp"

namespace verdigris {

std::string PublishSource::describe() const {
  return "publish the tables of " + source_->color() + " as " + stream_.name;
}

Readiness PublishSource::check(Deadline deadline) {
  Connection& source = source_->control();
  const auto wanted = publishable(user_tables(source, deadline), filter_);
  if (is_published(source, stream_, wanted, deadline)) return Done{};
  // A table that joins after the copy would have its earlier rows on one side only.
  if (slot_state(source, stream_, deadline).exists)
    return Blocked{"tables of " + source_->color() + " were made, dropped or excluded since they were copied",
                   "Run abandon, then prepare again."};
  return Ready{};
}

PlannedActs PublishSource::statements(Deadline deadline) {
  Connection& source = source_->control();
  PlannedActs out;
  for (const auto& statement : publishing_statements(source, stream_, publishable(user_tables(source, deadline), filter_), deadline))
    out.push_back({source_->color(), statement.text()});
  return out;
}

std::string PublishSource::apply(Deadline deadline) {
  Connection& source = source_->control();
  const auto tables = publishable(user_tables(source, deadline), filter_);
  ensure_publication(source, stream_, tables, deadline);
  return std::to_string(tables.size()) + " tables published";
}

void PublishSource::undo(Deadline deadline) {
  drop_publication(source_->control(), stream_, deadline);
}

}  // namespace verdigris
