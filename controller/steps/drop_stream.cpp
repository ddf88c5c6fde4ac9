#include "controller/steps/drop_stream.hpp"

#include "replication/publication.hpp"
#include "replication/slot.hpp"
#include "replication/subscription.hpp"
#include "replication/test_switches.hpp"

namespace verdigris {

std::string DropStream::describe() const {
  return "remove the stream " + stream_.name + " from " + publisher_.color() + " and " + subscriber_.color();
}

Readiness DropStream::check(Deadline deadline) {
  const bool has_publisher = !publisher_.is_given_up();
  const bool has_subscription =
      !subscriber_.is_given_up() && subscription_state(subscriber_.control(), stream_, deadline).exists;
  const bool has_slot = has_publisher && slot_state(publisher_.control(), stream_, deadline).exists;
  const bool has_publication = has_publisher && publication_ == Publication::drop &&
                               published_tables(publisher_.control(), stream_, deadline).has_value();
  if (!has_subscription && !has_slot && !has_publication) return Done{};
  return Ready{};
}

PlannedActs DropStream::statements(Deadline deadline) {
  PlannedActs out;
  if (!subscriber_.is_given_up() && subscription_brief(subscriber_.control(), stream_, deadline).exists) {
    out.push_back({subscriber_.color(), disabling_statement(stream_).text()});
    for (const auto& statement : dropping_statements(stream_)) out.push_back({subscriber_.color(), statement.text()});
  }
  if (publisher_.is_given_up()) return out;
  const auto slot = slot_state(publisher_.control(), stream_, deadline);
  if (slot.is_active && subscriber_.is_given_up()) out.push_back({publisher_.color(), end_reader_statement().text(), {stream_.name}});
  if (slot.exists)
    out.push_back({publisher_.color(), drop_slot_statement().text(), {stream_.name}});
  if (publication_ == Publication::drop) out.push_back({publisher_.color(), unpublishing_statement(stream_).text()});
  return out;
}

std::string DropStream::apply(Deadline deadline) {
  if (!subscriber_.is_given_up()) drop_subscription(subscriber_.control(), stream_, deadline);
  crash_point("inside:drop_stream");
  if (!publisher_.is_given_up()) {
    drop_slot(publisher_.control(), stream_, deadline,
              subscriber_.is_given_up() ? SlotReader::is_ended : SlotReader::leaves_by_itself);
    if (publication_ == Publication::drop) drop_publication(publisher_.control(), stream_, deadline);
  }
  if (subscriber_.is_given_up()) return "slot " + stream_.name + " is gone; the subscription on " + subscriber_.color() + " is left";
  if (publisher_.is_given_up()) return "subscription " + stream_.name + " is gone; the slot on " + publisher_.color() + " is left";
  return "subscription and slot " + stream_.name + " are gone";
}

}  // namespace verdigris
