#include "replication/subscription.hpp"

#include <algorithm>
#include <iterator>

#include "replication/poll.hpp"

namespace verdigris {
namespace {

constexpr std::chrono::milliseconds kLastAnswer{200};

void read_tables(Connection& on, SubscriptionState& state, Deadline deadline) {
  const Result answer = on.query(Sql(R"(
    SELECT n.nspname, c.relname, r.srsubstate
    FROM pg_subscription_rel r JOIN pg_class c ON c.oid = r.srrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE r.srsubid = $1 ORDER BY n.nspname, c.relname)"),
                                 {std::to_string(state.oid)}, deadline);
  for (const Row& row : answer.rows(3)) {
    state.tables.emplace_back(row.text(0), row.text(1));
    if (row.text(2) != "r") state.not_ready.push_back(state.tables.back().display());
  }
}

// Options that a major does not know are errors there; where it has a default that differs by major we say what we
// want.
Sql options_for(const Stream& stream, int receiver_major, int publisher_major, bool origin_none) {
  std::vector<Sql> options{
      Sql("connect = true, create_slot = false, copy_data = false, enabled = false"),
      Sql("slot_name = {}", Literal(stream.name)),
      Sql("synchronous_commit = 'on'"),
  };
  if (receiver_major >= 14) {
    options.push_back(Sql("binary = false"));
    options.push_back(publisher_major >= 14 ? Sql("streaming = on") : Sql("streaming = off"));
  }
  // Not disable_on_error: a mere restart of the publisher counts as an error and would end the stream for good.
  if (origin_none && receiver_major >= 16 && publisher_major >= 16) options.push_back(Sql("origin = none"));
  return Sql::joined(options, ", ");
}

void require_complete(Connection& on, const Stream& stream, Deadline deadline) {
  const auto state = subscription_state(on, stream, deadline);
  std::string why;
  for (const auto& table : state.not_ready) why += (why.empty() ? "" : ", ") + table;
  if (why.empty() && !state.tables.empty()) return;
  throw Error("subscription.incomplete",
              on.server() + ": subscription " + stream.name +
                  " does not hold every table: " + (why.empty() ? "it is empty" : why + " not in state r"),
              "Repeat the command; if it stays so, check the publication's tables.");
}

// Row security is not known to apply, so it refuses what a policy would look at.
Sql closed_statement(const Sql& which) {
  return Sql(R"(
    SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_roles owner ON owner.oid = c.relowner
    WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND NOT owner.rolsuper AND {}
      AND (c.relrowsecurity AND c.relforcerowsecurity AND NOT owner.rolbypassrls
           OR NOT (has_table_privilege(owner.oid, c.oid, 'INSERT') AND has_table_privilege(owner.oid, c.oid, 'UPDATE')
                   AND has_table_privilege(owner.oid, c.oid, 'DELETE') AND has_table_privilege(owner.oid, c.oid, 'TRUNCATE')))
    ORDER BY n.nspname, c.relname)",
             which);
}

// Any process of the subscription: apply, its parallel helpers, table synchronisation.
bool has_workers(Connection& on, unsigned subscription, std::vector<std::string>& pids, Deadline deadline) {
  const Result answer = on.query(Sql("SELECT pid FROM pg_stat_subscription WHERE subid = $1 AND pid IS NOT NULL"),
                                 {std::to_string(subscription)}, deadline);
  for (const Row& row : answer.rows(1)) pids.push_back(row.text(0));
  if (!answer.rows(1).empty()) return true;
  // The view forgets a worker a moment before its process has ended.
  return on
      .query(Sql(R"(
    SELECT EXISTS (SELECT FROM pg_stat_activity
                   WHERE pid = ANY ($1::int4[]) AND backend_type LIKE 'logical replication%'))"),
             {text_array(pids)}, deadline)
      .one_row(1)
      .boolean(0);
}

bool has_closed_table(Connection& on, const Stream& stream, Deadline deadline) {
  const Sql held(R"(
    c.oid IN (SELECT r.srrelid FROM pg_subscription_rel r JOIN pg_subscription s ON s.oid = r.srsubid
              WHERE s.subname = {} AND s.subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())))",
                 Literal(stream.name));
  return !on.query(closed_statement(held), deadline).rows(2).empty();
}

}  // namespace

std::int64_t apply_errors(Connection& on, unsigned subscription_oid, Deadline deadline) {
  if (on.major() < 15) return 0;
  return on
      .query(Sql("SELECT coalesce(sum(apply_error_count), 0)::int8 FROM pg_stat_subscription_stats WHERE subid = $1"),
             {std::to_string(subscription_oid)}, deadline)
      .one_row(1)
      .integer(0);
}

SubscriptionState subscription_state(Connection& on, const Stream& stream, Deadline deadline) {
  // leader_pid (16 and later) is set for parallel helpers; to_jsonb lets one statement serve all majors.
  const Result answer = on.query(Sql(R"(
    SELECT s.oid, s.subenabled,
           (SELECT min(w.pid) FROM pg_stat_subscription w
            WHERE w.subid = s.oid AND w.relid IS NULL AND to_jsonb(w) ->> 'leader_pid' IS NULL)
    FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid
    WHERE s.subname = $1 AND d.datname = current_database())"),
                                 {stream.name}, deadline);
  const auto row = answer.at_most_one_row(3);
  if (!row) return {};
  SubscriptionState state{.exists = true, .is_enabled = row->boolean(1), .oid = static_cast<unsigned>(row->integer(0))};
  if (!row->is_null(2)) state.worker_pid = static_cast<int>(row->integer(2));
  read_tables(on, state, deadline);
  state.apply_errors = apply_errors(on, state.oid, deadline);
  return state;
}

std::vector<SubscriptionBrief> subscription_briefs(Connection& on, const Streams& streams, Deadline deadline) {
  const Result answer = on.query_prepared(Sql(R"(
    SELECT s.subname, s.oid, s.subenabled,
           (SELECT min(w.pid) FROM pg_stat_subscription w
            WHERE w.subid = s.oid AND w.relid IS NULL AND to_jsonb(w) ->> 'leader_pid' IS NULL),
           NOT EXISTS (SELECT FROM pg_subscription_rel r WHERE r.srsubid = s.oid AND r.srsubstate <> 'r')
    FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid
    WHERE s.subname = ANY ($1::text[]) AND d.datname = current_database())"),
                                          {text_array(streams.name_list())}, deadline);
  std::vector<SubscriptionBrief> briefs(streams.size());
  for (const Row& row : answer.rows(5))
    for (std::size_t i = 0; i < streams.size(); ++i) {
      if (row.text(0) != streams[i].name) continue;
      briefs[i] = {.exists = true,
                   .is_enabled = row.boolean(2),
                   .oid = static_cast<unsigned>(row.integer(1)),
                   .is_ready = row.boolean(4)};
      if (!row.is_null(3)) briefs[i].worker_pid = static_cast<int>(row.integer(3));
    }
  return briefs;
}

SubscriptionBrief subscription_brief(Connection& on, const Stream& stream, Deadline deadline) {
  return subscription_briefs(on, stream, deadline).front();
}

Sql creating_statement(const Stream& stream, const Conninfo& publisher, int receiver_major, int publisher_major,
                       bool origin_none) {
  // Its name as application_name is how the slot's reader is recognised as ours (slot.hpp).
  const Conninfo conninfo = publisher.with("application_name", stream.name);
  return Sql("CREATE SUBSCRIPTION {} CONNECTION {} PUBLICATION {} WITH ({})", stream.identifier(),
             Literal(conninfo.text()), stream.identifier(),
             options_for(stream, receiver_major, publisher_major, origin_none));
}

void create_subscription(Server& receiver, const Stream& stream, const Conninfo& publisher, int publisher_major,
                         bool origin_none, ApplyAs apply_as, Deadline deadline) {
  Connection& on = receiver.control();
  if (subscription_state(on, stream, deadline).exists) return;
  Transaction transaction(on, deadline);
  // The server connects to the other one: without this it would go on trying after we have given up.
  transaction.query(Sql("SELECT set_config('statement_timeout', $1, true)"),
                    {std::to_string(deadline.remaining().count() + 1)});
  transaction.execute(creating_statement(stream, publisher, on.major(), publisher_major, origin_none));
  require_complete(on, stream, deadline);
  if (on.major() >= 16 && has_closed_table(on, stream, deadline)) {
    if (apply_as == ApplyAs::owners_of_tables)
      throw Refused("apply.table-owners",
                    on.server() + ": the owner of a table may not write to it any more, so the apply worker would stop there",
                    "See verdigris check, which names it; accept apply.table-owners under waivers only if you trust all who "
                    "own tables.");
    transaction.execute(owning_statement(stream));
  }
  transaction.commit();
}

std::vector<QualifiedName> closed_to_their_owners(Connection& on, Deadline deadline) {
  const Result answer =
      on.query(closed_statement(Sql("n.nspname !~ '^(pg_|information_schema$|verdigris$)'")), deadline);
  std::vector<QualifiedName> names;
  for (const Row& row : answer.rows(2)) names.emplace_back(row.text(0), row.text(1));
  return names;
}

void require_all_tables(Connection& on, const Stream& stream, const std::vector<QualifiedName>& published,
                        Deadline deadline) {
  const auto held = subscription_state(on, stream, deadline).tables;
  std::vector<QualifiedName> different;
  std::set_symmetric_difference(held.begin(), held.end(), published.begin(), published.end(),
                                std::back_inserter(different));
  if (different.empty()) return;
  throw Error("subscription.incomplete",
              on.server() + ": subscription " + stream.name + " and its publication differ by " +
                  std::to_string(different.size()) + " tables, the first is " + different.front().display(),
              "Run abandon, then prepare again.");
}

void keep_lock_timeout_from_apply(Connection& on, Deadline deadline) {
  const Result answer = on.query(Sql(R"(
    SELECT current_database() FROM pg_db_role_setting s CROSS JOIN unnest(s.setconfig) AS c
    WHERE c LIKE 'lock_timeout=%' AND c <> 'lock_timeout=0'
      AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
      AND s.setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = current_user)) LIMIT 1)"),
                                 deadline);
  const auto row = answer.at_most_one_row(1);
  if (row) on.execute(no_lock_timeout_statement(Identifier(row->text(0))), deadline);
}

Sql no_lock_timeout_statement(const Identifier& database) {
  return Sql("ALTER ROLE CURRENT_USER IN DATABASE {} SET lock_timeout = 0", database);
}

void flush_each_commit(Connection& on, const Stream& stream, bool is_flushed, Deadline deadline) {
  const std::string wanted = is_flushed ? "on" : "off";
  const auto result = on.query(Sql("SELECT subsynccommit FROM pg_subscription WHERE subname = $1"
                                   " AND subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())"),
                               {stream.name}, deadline);
  const auto row = result.at_most_one_row(1);
  if (!row || row->text(0) == wanted) return;
  on.execute(flushing_statement(stream, is_flushed), deadline);
}

Sql owning_statement(const Stream& stream) {
  return Sql("ALTER SUBSCRIPTION {} SET (run_as_owner = true)", stream.identifier());
}

Sql flushing_statement(const Stream& stream, bool is_flushed) {
  return Sql("ALTER SUBSCRIPTION {} SET (synchronous_commit = {})", stream.identifier(), is_flushed ? Sql("on") : Sql("off"));
}

Sql enabling_statement(const Stream& stream) { return Sql("ALTER SUBSCRIPTION {} ENABLE", stream.identifier()); }
Sql disabling_statement(const Stream& stream) { return Sql("ALTER SUBSCRIPTION {} DISABLE", stream.identifier()); }

std::vector<Sql> dropping_statements(const Stream& stream) {
  return {Sql("ALTER SUBSCRIPTION {} SET (slot_name = NONE)", stream.identifier()),
          Sql("DROP SUBSCRIPTION IF EXISTS {}", stream.identifier())};
}

void enable_subscription(Connection& on, const Stream& stream, Deadline deadline) {
  on.execute(enabling_statement(stream), deadline);
}

void disable_subscription(Connection& on, const Stream& stream, Deadline deadline) {
  const auto state = subscription_state(on, stream, deadline);
  if (!state.exists) return;
  std::vector<std::string> pids;
  has_workers(on, state.oid, pids, deadline);
  on.execute(disabling_statement(stream), deadline);
  // A question that is cut short by its deadline would say nothing of the worker.
  const auto until = Deadline::after(deadline.remaining() - std::min(kLastAnswer, deadline.remaining() / 4));
  if (!wait_until(until, [&] { return !has_workers(on, state.oid, pids, deadline); }))
    throw Error("subscription.worker",
                on.server() + ": worker " + (pids.empty() ? "" : pids.back() + " ") + "of subscription " + stream.name + " does not end",
                "Look at the server's log and end the worker with pg_terminate_backend.");
}

void disable_subscriptions(Connection& on, const Streams& streams, Deadline deadline) {
  for (const auto& stream : streams) disable_subscription(on, stream, deadline);
}

void drop_subscriptions(Connection& on, const Streams& streams, Deadline deadline) {
  for (const auto& stream : streams) drop_subscription(on, stream, deadline);
}

void drop_subscription(Connection& on, const Stream& stream, Deadline deadline) {
  if (!subscription_state(on, stream, deadline).exists) return;
  disable_subscription(on, stream, deadline);
  for (const auto& statement : dropping_statements(stream)) on.execute(statement, deadline);
}

}  // namespace verdigris
