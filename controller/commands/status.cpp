#include "controller/commands/status.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "controller/commands/move_reads.hpp"
#include "controller/config.hpp"
#include "controller/copy_watch.hpp"
#include "controller/deployment.hpp"
#include "controller/exit_codes.hpp"
#include "controller/guardrails.hpp"
#include "controller/hold.hpp"
#include "controller/lease.hpp"
#include "controller/plans.hpp"
#include "controller/stream_guard.hpp"
#include "replication/access.hpp"
#include "replication/control_schema.hpp"
#include "replication/copy/copy_record.hpp"
#include "replication/copy/snapshot_keeper.hpp"
#include "replication/fence.hpp"
#include "replication/publication.hpp"
#include "replication/slot.hpp"
#include "replication/subscription.hpp"

namespace verdigris {
namespace {

using std::chrono::milliseconds;

struct StreamHealth {
  bool is_running = false;
  std::optional<std::int64_t> lag_bytes;
  std::string text;
};

StreamHealth health_of(Server& publisher, Server& subscriber, const Stream& stream, Deadline deadline) {
  StreamHealth health;
  if (!publisher.is_connected() || !subscriber.is_connected()) return {false, {}, "unknown"};
  const auto subscription = subscription_state(subscriber.control(), stream, deadline);
  const auto slot = slot_state(publisher.control(), stream, deadline);
  if (!subscription.exists || !slot.exists) return {false, {}, "not laid"};
  if (!slot.is_usable()) return {false, {}, "slot lost"};
  const auto now = publisher.control().query(Sql("SELECT pg_current_wal_lsn()"), deadline).one_row(1).lsn(0);
  health.lag_bytes = (now - slot.confirmed_flush).count;
  health.is_running = subscription.is_enabled && subscription.worker_pid.has_value();
  health.text = health.is_running ? "following" : subscription.is_enabled ? "enabled, no worker" : "ready, disabled";
  return health;
}

// The first that is not well stands for all, else the first; the lag is the largest, if all are known.
StreamHealth health_of(Server& publisher, Server& subscriber, const Streams& streams, Deadline deadline) {
  StreamHealth worst = health_of(publisher, subscriber, streams.first(), deadline);
  for (const auto& stream : streams) {
    if (stream.group == 1) continue;
    const auto other = health_of(publisher, subscriber, stream, deadline);
    if (worst.is_running && !other.is_running) {
      worst.is_running = false;
      worst.text = stream.name + ": " + other.text;
    }
    const bool is_known = worst.lag_bytes && other.lag_bytes;
    worst.lag_bytes = is_known ? std::optional(std::max(*worst.lag_bytes, *other.lag_bytes)) : std::nullopt;
  }
  return worst;
}

Json groups_json(Deployment& d, const std::string& color, Deadline deadline) {
  Json list = Json::array();
  const auto streams = d.streams_leaving(color, deadline);
  if (!streams.is_grouped() || !d.side(color).is_connected()) return nullptr;
  auto& subscriber = d.side(other_side(color));
  for (const auto& stream : streams) {
    const auto health = health_of(d.side(color), subscriber, stream, deadline);
    Json tables = Json::array();
    for (const auto& table : published_tables(d.side(color).control(), stream, deadline).value_or(std::vector<PublishedTable>{}))
      tables.push_back(table.name.display());
    list.push_back({{"stream", stream.name}, {"state", health.text},
                    {"lag_bytes", health.lag_bytes ? Json(*health.lag_bytes) : Json(nullptr)}, {"tables", tables}});
  }
  return list;
}

void print_groups(const Json& groups, Output& output) {
  if (groups.is_null()) return;
  for (const auto& group : groups)
    output.result(fmt::format("  {}: {}, lag {}, {} tables", group["stream"].get<std::string>(), group["state"].get<std::string>(),
                              group["lag_bytes"].is_null() ? "unknown" : group["lag_bytes"].dump() + " bytes", group["tables"].size()));
}

Json server_json(Server& server, Deadline deadline) {
  Json body{{"color", server.color()}, {"reachable", server.is_connected()}};
  if (!server.is_connected()) return body;
  body["major"] = server.major();
  body["endpoint"] = server.endpoint();
  body["fence"] = to_text(fence_state(server.control(), deadline));
  const bool has_schema = server.control().query(Sql("SELECT to_regclass('verdigris.saved') IS NOT NULL"), deadline).one_row(1).boolean(0);
  body["connections"] = has_schema && is_access_closed(server.control(), server.deployment(), deadline) ? "closed" : "open";
  return body;
}

std::string activity_of(Deployment& d, const Standing& standing, Deadline deadline) {
  if (!standing.open) return "none";
  for (auto* server : {&d.blue(), &d.green()})
    if (server->is_connected() && lease_holder(server->control(), d.name(), deadline)) return standing.open->command;
  return "interrupted";
}

struct Poolers {
  std::vector<TrafficState> states;
  std::string error, hint;  // empty if all answer
};

Poolers ask_poolers(Deployment& d) {
  try {
    return {d.all_traffic().state(Deadline::after(milliseconds(5'000))), "", ""};
  } catch (const Error& error) {
    const bool has_file = d.traffic().abilities().has_file;
    return {{}, error.what(), has_file ? "Start PgBouncer, or correct admin in the playbook." : error.hint()};
  }
}

bool is_for_reads(const Deployment& d, const std::string& alias) {
  return std::ranges::find(d.playbook().pooler.reads, alias) != d.playbook().pooler.reads.end();
}

Json to_json(const Deployment& d, const Poolers& poolers) {
  Json list = Json::array();
  for (const auto& state : poolers.states)
    list.push_back({{"instance", state.instance}, {"database", state.alias}, {"reads", is_for_reads(d, state.alias)},
                    {"paused", state.is_paused},
                    {"target", text_of(state.target)},
                    {"waiting_clients", state.waiting_clients}});
  return list;
}

void print(const Deployment& d, const Poolers& poolers, Output& output) {
  for (const auto& state : poolers.states)
    if (state.alias.empty())
      output.result(fmt::format("{} -> {}{}", state.instance, text_of(state.target), state.is_paused ? "  HELD" : ""));
    else
      output.result(fmt::format("{}  {}{} -> {}  {}, {} clients waiting", state.instance, state.alias,
                                is_for_reads(d, state.alias) ? " (reads)" : "", text_of(state.target),
                                state.is_paused ? "PAUSED" : "running", state.waiting_clients));
  if (!poolers.error.empty()) output.warning(poolers.error, poolers.hint);
}

// What the steps before the pause would say: without a word from them the next crossing is possible now.
void ask_steps(Deployment& d, const std::string& source, Deadline deadline, std::vector<std::string>& against) {
  const Plan plan = cutover_plan(d, d.source_of(source), d.target_of(source));
  for (std::size_t i = 0; i < plan.window(); ++i) {
    try {
      const auto readiness = plan[i].check(deadline);
      if (const auto* blocked = std::get_if<Blocked>(&readiness)) against.push_back(blocked->why);
    } catch (const Error& error) {
      against.emplace_back(error.what());
    }
  }
}

// What stands against the next crossing, there or back, right now.
std::vector<std::string> obstacles(Deployment& d, const Standing& standing, const std::string& activity, Deadline deadline) {
  if (standing.open) return {"a " + standing.open->command + (activity == "interrupted" ? " was interrupted" : " is at work")};
  if (standing.phase != Phase::ready && standing.phase != Phase::switched) return {"the phase is " + std::string(to_text(standing.phase))};
  std::vector<std::string> against;
  for (auto* server : {&d.blue(), &d.green()})
    if (!server->is_connected()) against.push_back(server->color() + " does not answer");
  if (!against.empty()) return against;
  for (auto* server : {&d.blue(), &d.green()})
    if (const auto holder = lease_holder(server->control(), d.name(), deadline))
      against.push_back(server->color() + ": another controller works, pid " + std::to_string(holder->pid) + " " + holder->application);
  try {
    d.require_known_servers(deadline);
    require_not_loading(d, deadline);
    require_verified(d, deadline);
    require_following(d, standing.serves, deadline);
    require_readers_in_place(d, {}, deadline);
  } catch (const Error& error) {
    against.emplace_back(error.what());
  }
  if (standing.are_reads_ahead && is_access_closed(d.green().control(), d.name(), deadline))
    against.push_back("readers are led to green, which takes no connections; verdigris switch --traffic reads opens it for them");
  ask_steps(d, standing.serves, deadline, against);
  return against;
}

// The side that should be closed, if clients could write there.
std::optional<std::string> open_beside(Deployment& d, const Standing& standing, Deadline deadline) {
  const auto closed = side_to_stay_closed(standing);
  if (!closed || !d.side(*closed).is_connected()) return std::nullopt;
  const auto state = fence_state(d.side(*closed).control(), deadline);
  if (state == FenceState::closed || state == FenceState::following) return std::nullopt;
  return closed;
}

// Nothing is known of a side that does not answer, or whose schema is not ours: other parts of status say so.
std::optional<Hold> hold_of(Deployment& d, Deadline deadline) {
  try {
    return any_hold(d.blue(), d.green(), deadline);
  } catch (const Error&) {
    return std::nullopt;
  }
}

// Of the crossing under way that has not begun to hold clients: the time it was told to wait for.
Json not_before_of(const Standing& standing) {
  if (!standing.open || standing.open->is_in_window || standing.open->is_committed) return nullptr;
  const auto found = standing.open->first_record.find("not_before");
  return found == standing.open->first_record.end() ? Json(nullptr) : Json(*found);
}

Json to_json(const std::optional<Hold>& hold) {
  if (!hold) return nullptr;
  return {{"by", hold->by}, {"at", hold->at}, {"on", hold->on}};
}

// Whether the next prepare can go on with it: it looks at more than this, and says what it found.
std::optional<Json> interrupted_copy(Deployment& d, Deadline deadline) {
  const auto items = copied_items(d.green().control(), d.name(), deadline);
  if (!items || !d.blue().is_connected()) return std::nullopt;
  const bool is_kept = is_snapshot_kept(d.blue().control(), d.name(), deadline);
  return Json{{"text", "interrupted with " + std::to_string(*items) + " tables or parts on green; " +
                           (is_kept ? "blue keeps the snapshot for now: verdigris prepare goes on with the rest"
                                    : "blue keeps the snapshot no more: verdigris prepare begins the copy anew")},
              {"items_done", *items}, {"can_go_on", is_kept}};
}

// Of a prepare that copies, from wherever it runs, or did.
std::optional<Json> copy_of(Deployment& d, const std::string& activity, Deadline deadline) {
  const bool is_interrupted = activity == "interrupted";
  if ((activity != "prepare" && !is_interrupted) || !d.green().is_connected()) return std::nullopt;
  if (!has_control_schema(d.green().control(), deadline)) return std::nullopt;
  return is_interrupted ? interrupted_copy(d, deadline) : noted_copy(d.green(), deadline);
}

std::string way_back_of(const Standing& standing, const StreamHealth& back) {
  if (standing.phase != Phase::switched) return standing.phase == Phase::ready ? "not needed yet" : "none";
  if (back.is_running) return "open";
  return standing.given_up.empty() ? "broken: " + back.text : "no: " + standing.given_up;
}

}  // namespace

int run_status(const Invocation& invocation, Output& output) {
  Deployment d(load_playbook(invocation.playbook), [](const std::string&) {});
  const auto deadline = Deadline::after(milliseconds(30'000));
  for (const auto& error : d.connect_what_answers(deadline, true)) output.warning(error);
  d.journal().load(deadline);
  const auto standing = d.standing();
  const auto forward = health_of(d.blue(), d.green(), d.streams_leaving("blue", deadline), deadline);
  const auto back = health_of(d.green(), d.blue(), d.streams_leaving("green", deadline), deadline);
  const std::string activity = activity_of(d, standing, deadline);
  const Poolers poolers = ask_poolers(d);
  auto against = obstacles(d, standing, activity, deadline);
  const auto& ahead = standing.phase == Phase::switched ? back : forward;
  if (against.empty() && !ahead.is_running) against.push_back("the stream is " + ahead.text);
  const auto hold = hold_of(d, deadline);
  if (hold) against.push_back("held by " + describe(*hold) + "; verdigris release lets it go on");
  const auto not_before = not_before_of(standing);
  const auto copy = copy_of(d, activity, deadline);
  const bool can_switch = standing.phase == Phase::ready && against.empty();
  const auto also_open = open_beside(d, standing, deadline);
  const auto& active = standing.serves == "blue" ? forward : back;
  const auto groups = groups_json(d, standing.serves, deadline);
  Json body{{"result", "ok"}, {"deployment", d.name()}, {"phase", to_text(standing.phase)}, {"activity", activity},
            {"serves", standing.serves}, {"reads", d.playbook().pooler.reads.empty() ? Json(nullptr) : Json(reads_of(standing))}, {"can_switch", can_switch},
            {"can_roll_back", standing.phase == Phase::switched && against.empty()}, {"obstacles", against},
            {"lag_bytes", active.lag_bytes ? Json(*active.lag_bytes) : Json(nullptr)},
            {"forward", forward.text}, {"reverse", back.text}, {"way_back", way_back_of(standing, back)},
            {"groups", groups},
            {"held", to_json(hold)}, {"not_before", not_before}, {"copy", copy ? *copy : Json(nullptr)},
            {"also_open", also_open ? Json(*also_open) : Json(nullptr)},
            {"poolers", to_json(d, poolers)},
            {"servers", {server_json(d.blue(), deadline), server_json(d.green(), deadline)}},
            {"records", d.journal().records().size()}};
  output.document(body);
  output.result(fmt::format("{}  {} -> {}  phase {}{}  writes {}{}  can switch: {}  way back: {}", d.name(),
                            d.blue().major(), d.green().major(), to_text(standing.phase),
                            activity == "none" ? "" : " (" + activity + ")", standing.serves,
                            d.playbook().pooler.reads.empty() ? "" : "  reads " + reads_of(standing), can_switch ? "yes" : "no",
                            way_back_of(standing, back)));
  for (const auto& server : body["servers"]) {
    if (!server["reachable"].get<bool>()) output.result(fmt::format("{:<6} does not answer", server["color"].get<std::string>()));
    else output.result(fmt::format("{:<6} PostgreSQL {}  {}  fence {}  connections {}", server["color"].get<std::string>(),
                                   server["major"].get<int>(), server["endpoint"].get<std::string>(),
                                   server["fence"].get<std::string>(), server["connections"].get<std::string>()));
  }
  output.result(fmt::format("stream blue -> green: {}   green -> blue: {}   lag {} bytes", forward.text, back.text,
                            active.lag_bytes.value_or(0)));
  print_groups(groups, output);
  if (copy) output.result((activity == "prepare" ? "copying: " : "copy: ") + copy->value("text", ""));
  print(d, poolers, output);
  if (standing.phase == Phase::ready || standing.phase == Phase::switched)
    for (const auto& what : against) output.result("in the way: " + what);
  if (not_before.is_string()) output.result("waits until " + not_before.get<std::string>());
  if (also_open)
    output.warning(*also_open + " takes writes although " + standing.serves + " serves: what is written there is lost to it",
                   "Run verdigris recover.");
  if (activity == "interrupted") output.result("HINT:  Run verdigris recover.");
  if (activity == "none" && standing.phase == Phase::switched && !back.is_running)
    output.result("HINT:  Rollback is off while the way back is not open; verdigris finish --now ends without one.");
  return kDone;
}

}  // namespace verdigris
