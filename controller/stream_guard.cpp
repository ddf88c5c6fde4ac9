#include "controller/stream_guard.hpp"

#include "replication/origin.hpp"
#include "replication/slot.hpp"
#include "replication/subscription.hpp"

namespace verdigris {
namespace {

// Empty if nothing is wrong.
std::string fault_of(Server& publisher, Server& subscriber, const Stream& stream, Deadline deadline) {
  const auto slot = slot_state(publisher.control(), stream, deadline);
  if (!slot.exists) return publisher.color() + ": slot " + stream.name + " is gone";
  if (!slot.is_usable()) {
    const auto missing = wal_insert_position(publisher.control(), deadline) - slot.confirmed_flush;
    return publisher.color() + ": slot " + stream.name + " is lost, and " + subscriber.color() + " has received nothing after " +
           slot.confirmed_flush.text() + ", " + std::to_string(missing.count) + " bytes of WAL ago";
  }
  const auto subscription = subscription_state(subscriber.control(), stream, deadline);
  if (!subscription.exists) return subscriber.color() + ": subscription " + stream.name + " is gone";
  if (!subscription.is_enabled) return subscriber.color() + ": subscription " + stream.name + " is disabled";
  return "";
}

}  // namespace

void require_following(Deployment& d, const std::string& source, Deadline deadline) {
  auto& publisher = d.side(source);
  auto& subscriber = *d.target_of(source);
  std::string fault;
  for (const auto& stream : d.streams_leaving(source, deadline))
    if (fault.empty()) fault = fault_of(publisher, subscriber, stream, deadline);
  if (fault.empty()) return;
  const bool is_back = source == "green";
  throw Refused("stream.lost", (is_back ? "there is no way back: " : "green does not follow blue: ") + fault,
                is_back ? "Clients stay on green; to end without a way back, run: verdigris finish --now"
                        : "Clients stay on blue; to begin anew, run: verdigris abandon, then verdigris prepare");
}

}  // namespace verdigris
