#include "controller/steps/drop_stream.hpp"

#include "replication/publication.hpp"
#include "replication/slot.hpp"
#include "replication/subscription.hpp"

namespace verdigris {

std::string DropStream::describe() const {
  return "remove the stream " + stream_.name + " from " + publisher_.color() + " and " + subscriber_.color();
}

Readiness DropStream::check(Deadline deadline) {
  const bool has_subscription = subscription_state(subscriber_.control(), stream_, deadline).exists;
  const bool has_slot = slot_state(publisher_.control(), stream_, deadline).exists;
  const bool has_publication = publication_ == Publication::drop &&
                               published_tables(publisher_.control(), stream_, deadline).has_value();
  if (!has_subscription && !has_slot && !has_publication) return Done{};
  return Ready{};
}

std::string DropStream::apply(Deadline deadline) {
  drop_subscription(subscriber_.control(), stream_, deadline);
  drop_slot(publisher_.control(), stream_, deadline);
  if (publication_ == Publication::drop) drop_publication(publisher_.control(), stream_, deadline);
  return "subscription and slot " + stream_.name + " are gone";
}

}  // namespace verdigris
