// The subscription of a stream, on the server it leads to. Always created with connect=true, create_slot=false,
// copy_data=false, enabled=false: only then is pg_subscription_rel filled before the first change arrives, and no
// change is dropped silently (pitfalls section 0, fact 1). Calls are made by one thread on its own session.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "replication/connection.hpp"
#include "replication/server.hpp"
#include "replication/stream.hpp"

namespace verdigris {

struct SubscriptionState {
  bool exists = false;
  bool is_enabled = false;
  unsigned oid = 0;
  std::optional<int> worker_pid = {};
  std::int64_t apply_errors = 0;            // counted from 15 on, else 0
  std::vector<std::string> not_ready = {};  // tables in another state than r
  std::vector<QualifiedName> tables = {};   // leaves in place of partition trees, ordered, with the marker
};

// Without the lists, in one round trip whatever the number of tables.
struct SubscriptionBrief {
  bool exists = false;
  bool is_enabled = false;
  unsigned oid = 0;
  std::optional<int> worker_pid = {};  // of the apply worker, not of its helpers
  bool is_ready = false;  // every table in state r
};
SubscriptionBrief subscription_brief(Connection& on, const Stream& stream, Deadline deadline);
// Of each stream, in its order, by one question.
std::vector<SubscriptionBrief> subscription_briefs(Connection& on, const Streams& streams, Deadline deadline);
// How often its apply worker failed; counted from 15 on, else 0.
std::int64_t apply_errors(Connection& on, unsigned subscription_oid, Deadline deadline);

SubscriptionState subscription_state(Connection& on, const Stream& stream, Deadline deadline);

// Tables of that server, of every kind that may be replicated into, that their owners cannot write to: row security is
// forced on them, or rights were revoked. From 16 on an apply worker acts as the owner of each table, and stops there.
std::vector<QualifiedName> closed_to_their_owners(Connection& on, Deadline deadline);

// Whether an apply worker of 16 and later may act as the subscription's owner, and run what owners of tables have written.
enum class ApplyAs { owners_of_tables, whoever_is_needed };

// Changes nothing if it exists. If one of its tables is closed to its owner, the apply worker acts as the subscription's
// for all of them, as it always does up to 15, if that is allowed; else Refused("apply.table-owners"). publisher is the connection as the receiver's server reaches it. Throws ServerError if
// that server cannot be reached from there or a published table is missing here, Error("subscription.incomplete") if a
// table is not in state r; then there is no subscription.
void create_subscription(Server& receiver, const Stream& stream, const Conninfo& publisher, int publisher_major,
                         bool origin_none, ApplyAs apply_as, Deadline deadline);

// Throws Error("subscription.incomplete") naming what differs: a published table that the subscription does not hold is
// skipped without a word.
void require_all_tables(Connection& on, const Stream& stream, const std::vector<QualifiedName>& published,
                        Deadline deadline);
// A lock_timeout set for the database or our role kills the apply worker again and again (pitfalls D4); the setting of
// role and database together outranks it. Changes nothing where none is set.
void keep_lock_timeout_from_apply(Connection& on, Deadline deadline);

// Whether the receiver flushes each transaction that it applies. Off follows a busy publisher at several times the rate,
// and nothing is lost by it: origin and rows go back together in a crash, and the drain asks for a flushed origin. A
// change restarts a running worker. Nothing if it is so already.
void flush_each_commit(Connection& on, const Stream& stream, bool is_flushed, Deadline deadline);

void enable_subscription(Connection& on, const Stream& stream, Deadline deadline);
// Returns when no worker of it is left; DISABLE alone returns before (170 ms is usual). Nothing if there is none.
void disable_subscription(Connection& on, const Stream& stream, Deadline deadline);
void disable_subscriptions(Connection& on, const Streams& streams, Deadline deadline);
// Disables it, takes its slot's name away and drops it: the slot on the other server is never touched. Idempotent.
void drop_subscription(Connection& on, const Stream& stream, Deadline deadline);
void drop_subscriptions(Connection& on, const Streams& streams, Deadline deadline);

// What these send.
Sql creating_statement(const Stream& stream, const Conninfo& publisher, int receiver_major, int publisher_major,
                       bool origin_none);
Sql no_lock_timeout_statement(const Identifier& database);
Sql owning_statement(const Stream& stream);
Sql flushing_statement(const Stream& stream, bool is_flushed);
Sql enabling_statement(const Stream& stream);
Sql disabling_statement(const Stream& stream);
std::vector<Sql> dropping_statements(const Stream& stream);  // behind the disabling one

}  // namespace verdigris
