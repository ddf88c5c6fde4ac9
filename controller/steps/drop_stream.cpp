#include "controller/steps/drop_stream.hpp"

#include <algorithm>

#include "replication/publication.hpp"
#include "replication/slot.hpp"
#include "replication/stream_groups.hpp"
#include "replication/subscription.hpp"
#include "replication/test_switches.hpp"

namespace verdigris {

std::string DropStream::describe() const {
  return std::string("remove the stream") + (streams_.is_grouped() ? "s " : " ") + streams_.names() + " from " +
         publisher_.color() + " and " + subscriber_.color();
}

Readiness DropStream::check(Deadline deadline) {
  const bool has_publisher = !publisher_.is_given_up();
  const auto is_there = [&](const Stream& stream) {
    return (!subscriber_.is_given_up() && subscription_brief(subscriber_.control(), stream, deadline).exists) ||
           (has_publisher && slot_state(publisher_.control(), stream, deadline).exists) ||
           (has_publisher && publication_ == Publication::drop &&
            published_tables(publisher_.control(), stream, deadline).has_value());
  };
  if (std::ranges::none_of(streams_, is_there)) return Done{};
  return Ready{};
}

PlannedActs DropStream::statements(Deadline deadline) {
  PlannedActs out;
  const std::string there = subscriber_.color(), here = publisher_.color();
  for (const auto& stream : streams_) {
    if (subscriber_.is_given_up() || !subscription_brief(subscriber_.control(), stream, deadline).exists) continue;
    out.push_back({there, disabling_statement(stream).text()});
    for (const auto& statement : dropping_statements(stream)) out.push_back({there, statement.text()});
  }
  if (publisher_.is_given_up()) return out;
  for (const auto& stream : streams_) {
    const auto slot = slot_state(publisher_.control(), stream, deadline);
    if (slot.is_active && subscriber_.is_given_up()) out.push_back({here, end_reader_statement().text(), {stream.name}});
    if (slot.exists) out.push_back({here, drop_slot_statement().text(), {stream.name}});
  }
  if (publication_ == Publication::keep) return out;
  if (streams_.is_grouped()) out.push_back({here, marker_groups_removing_statement(streams_.groups()).text()});
  for (const auto& stream : streams_) out.push_back({here, unpublishing_statement(stream).text()});
  return out;
}

std::string DropStream::apply(Deadline deadline) {
  if (!subscriber_.is_given_up()) drop_subscriptions(subscriber_.control(), streams_, deadline);
  crash_point("inside:drop_stream");
  if (!publisher_.is_given_up()) {
    drop_slots(publisher_.control(), streams_, deadline,
               subscriber_.is_given_up() ? SlotReader::is_ended : SlotReader::leaves_by_itself);
    if (publication_ == Publication::drop) {
      // Before the publications, by which it is known that there are groups.
      if (streams_.is_grouped()) remove_marker_groups(publisher_.control(), deadline);
      drop_publications(publisher_.control(), streams_, deadline);
    }
  }
  const std::string names = streams_.names(), s = streams_.is_grouped() ? "s " : " ";
  const std::string are = streams_.is_grouped() ? " are gone; the " : " is gone; the ";
  if (subscriber_.is_given_up()) return "slot" + s + names + are + "subscription" + s + "on " + subscriber_.color() + (streams_.is_grouped() ? " are left" : " is left");
  if (publisher_.is_given_up()) return "subscription" + s + names + are + "slot" + s + "on " + publisher_.color() + (streams_.is_grouped() ? " are left" : " is left");
  return streams_.is_grouped() ? "subscriptions and slots " + names + " are gone" : "subscription and slot " + names + " are gone";
}

}  // namespace verdigris
