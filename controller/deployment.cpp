#include "controller/deployment.hpp"

#include <algorithm>
#include <exception>

#include "controller/lease.hpp"
#include "controller/process.hpp"
#include "controller/provision/told_green.hpp"
#include "controller/traffic_factory.hpp"
#include "replication/control_schema.hpp"
#include "replication/stream_groups.hpp"
#include "replication/test_switches.hpp"

namespace verdigris {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLogin{10'000};
constexpr milliseconds kPing{3'000};
constexpr milliseconds kLeaseCourtesy{300};  // for the lease of a side that can be done without, while clients wait

Json to_json(const ServerIdentity& identity) {
  return {{"system_identifier", identity.system_identifier},
          {"timeline", identity.timeline},
          {"database", identity.database},
          {"token", identity.token},
          {"started_at", identity.started_at}};
}

ServerIdentity to_identity(const Json& json) {
  return {json.value("system_identifier", ""), json.value("timeline", ""), json.value("database", ""),
          json.value("token", ""), json.value("started_at", "")};
}

Traffic& make_once(std::unique_ptr<Traffic>& traffic, PoolerSettings settings, std::vector<std::string> names) {
  settings.databases = std::move(names);
  if (!traffic) traffic = make_traffic(settings);
  return *traffic;
}

}  // namespace

Deployment::Deployment(Playbook playbook, ProgressCallback progress)
    : playbook_(std::move(playbook)),
      blue_("blue", playbook_.name, playbook_.blue),
      green_("green", playbook_.name, playbook_.green),
      journal_(blue_, green_, playbook_.name),
      tools_(&run_tool),
      progress_(std::move(progress)) {}

void Deployment::find_green(Deadline deadline) {
  if (!playbook_.provision.is_command() || !blue_.is_connected()) return;
  const auto told = told_green(blue_.control(), name(), deadline);
  if (told && told->state != ToldState::asked) lead_to_green(told->conninfo);
}

void Deployment::lead_to_green(const Conninfo& told) {
  lead_to_told_green(playbook_, told);
  green_.lead_to(playbook_.green);
}

// Nobody answers there: why, depends on who makes it.
void Deployment::explain_no_green(const CannotConnect& error) const {
  const auto& made = playbook_.provision;
  if (made.is_command() && !green_.is_place_known())
    throw Error("provision.no-green", "green is not made yet, or blue does not know where it is",
                "verdigris prepare makes it with " + made.make.argv.front() + "; it does not run it again for one that is there.");
  if (!made.is_made_here() || !error.sqlstate().empty()) return;
  throw Error("provision.no-green", error.what(),
              "Before it is ready: verdigris prepare makes it, and goes on with one that it had begun (started by hand, that one "
              "would be copied anew). One that was ready: start it" + (made.user.empty() ? "" : " as " + made.user) + ", " +
                  (made.bindir / "pg_ctl").string() + " start -D " + made.data_directory.string() + "; else: " + error.hint());
}

void Deployment::connect(Deadline deadline, bool read_only) {
  blue_.connect(Deadline::after(kLogin).or_earlier(deadline), read_only);
  connect_green(deadline, read_only);
}

void Deployment::connect_green(Deadline deadline, bool read_only) {
  find_green(deadline);
  try {
    green_.connect(Deadline::after(kLogin).or_earlier(deadline), read_only);
  } catch (const CannotConnect& error) {
    explain_no_green(error);
    throw;
  }
}

std::vector<std::string> Deployment::connect_what_answers(Deadline deadline, bool read_only) {
  std::vector<std::string> errors;
  for (auto* server : {&blue_, &green_}) {
    try {
      if (server == &green_) find_green(deadline);
      server->connect(Deadline::after(kLogin).or_earlier(deadline), read_only);
    } catch (const CannotConnect& error) {
      errors.emplace_back(error.what());
    }
  }
  return errors;
}

void Deployment::take_leases(milliseconds patience, Deadline deadline) {
  // Always blue first: two controllers then meet at one lock and not at two.
  for (auto* server : {&blue_, &green_})
    if (server->is_connected()) acquire_lease(server->control(), name(), patience, deadline);
}

bool Deployment::answers(Server& server) const {
  if (!server.is_connected()) return false;
  try {
    server.control().execute(Sql("SELECT"), Deadline::after(kPing));
    return true;
  } catch (const Error&) {
    return false;
  }
}

void Deployment::open_again(Server& server, milliseconds patience, Deadline deadline) {
  if (server.is_given_up()) return;
  if (!answers(server)) {
    try {
      if (!server.is_place_known()) find_green(deadline);
      server.connect(Deadline::after(kPing).or_earlier(deadline));
    } catch (const CannotConnect&) {
      return;  // whoever needs it asks again
    }
    if (!is_mutant("lease_not_compared"))
      acquire_lease(server.control(), name(), patience, deadline, server.control_pids());
  }
  if (!is_mutant("identity_once")) require_known_server(server, deadline);
}

// Above the line the source alone decides: whatever is the matter with the target, clients must get the source back.
void Deployment::reopen(Deadline deadline) {
  const auto before = standing();
  const std::string source = before.open ? before.open->source : before.serves;
  Server& target = *target_of(source);
  open_again(side(source), kLogin, deadline);
  bool is_whole = true;
  try {
    open_again(target, is_above_line() ? kLeaseCourtesy : kLogin, deadline);
  } catch (const Error&) {
    is_whole = false;
    if (target.is_connected()) target.control().close();
  }
  if (blue_.is_connected() || green_.is_connected()) journal_.load_again(deadline);
  if (is_whole || is_above_line()) return;
  open_again(target, kLogin, deadline);  // it is needed after all: throws what is the matter with it
  journal_.load_again(deadline);
}

bool Deployment::is_above_line() const {
  const auto now = standing();
  return now.open && !now.open->is_committed && transition_of(now.open->command).plan == PlanKind::cutover;
}

const Json* Deployment::newest_identities() const {
  const Json* known = nullptr;
  for (const auto& record : journal_.records())
    if (record.event == "plan" && record.detail.contains("identity")) known = &record.detail.at("identity");
  return known;
}

bool Deployment::is_known(Server& server, Deadline deadline) {
  const Json* known = newest_identities();
  if (known == nullptr) return true;
  return server_identity(server.control(), name(), deadline).is_same_server(to_identity(known->at(server.color())));
}

void Deployment::require_known_server(Server& server, Deadline deadline) {
  if (!server.is_connected() || is_known(server, deadline)) return;
  const auto now = server_identity(server.control(), name(), deadline);
  const auto then = to_identity(newest_identities()->at(server.color()));
  throw NeedsHuman("identity.changed",
                   server.color() + ": another server answers than the one of the journal (system " +
                       now.system_identifier + " timeline " + now.timeline + ", was " + then.system_identifier +
                       " timeline " + then.timeline + ")",
                   "Nothing was opened; find out which server holds the data, then point the playbook at it.");
}

void Deployment::require_known_servers(Deadline deadline) {
  for (auto* server : {&blue_, &green_}) require_known_server(*server, deadline);
}

void Deployment::recall_facts() {
  const auto standing = this->standing();
  if (!standing.open) return;
  const auto& first = standing.open->first_record;
  const std::string target = other_side(standing.open->source);
  facts_.source_identity = to_identity(first.at("identity").at(standing.open->source));
  facts_.target_identity = to_identity(first.at("identity").at(target));
  facts_.marker_floor = first.value("marker_floor", std::int64_t{0});
  facts_.was_green_there = first.value("green_answers", false);
  facts_.reverse_enabled.reset();
  if (const auto names = first.find("reverse_enabled"); names != first.end() && names->is_array())
    facts_.reverse_enabled = names->get<std::vector<std::string>>();
  else if (!first.value("reverse_enabled", true))  // as written before there were groups
    facts_.reverse_enabled.emplace();
  if (standing.open->is_committed) facts_.line = Lsn::parse(standing.open->committed.value("line", "0/0"));
}

// Of one that was given up, what was known of it.
Json Deployment::identity_of(Server& server, Deadline deadline) {
  const Json* known = newest_identities();
  if (server.is_given_up()) return known == nullptr ? Json::object() : known->at(server.color());
  return to_json(server_identity(server.control(), name(), deadline));
}

Entry Deployment::plan_entry(const std::string& command, const std::string& source, Deadline deadline) {
  return {"plan",
          {{"command", command},
           {"source", source},
           {"identity", {{"blue", identity_of(blue_, deadline)}, {"green", identity_of(green_, deadline)}}},
           {"marker_floor", new_marker_id("blue")}}};
}

Traffic& Deployment::traffic() {
  const auto& pooler = playbook_.pooler;
  return make_once(traffic_, pooler, standing().are_reads_ahead ? pooler.databases : pooler.all_names());
}

Traffic& Deployment::all_traffic() {
  if (playbook_.pooler.reads.empty()) return traffic();
  return make_once(all_traffic_, playbook_.pooler, playbook_.pooler.all_names());
}

Traffic& Deployment::reads_traffic() { return make_once(reads_traffic_, playbook_.pooler, playbook_.pooler.reads); }

Endpoint Deployment::endpoint(const std::string& color) {
  auto& server = side(color);
  return {server.host(), server.port(), server.dbname(), color};
}

// Either side shows it while there is anything; after a crash one of them may not answer.
int Deployment::groups(Deadline deadline) {
  int most = 1;
  bool is_known = false;
  std::exception_ptr error;
  for (auto* server : {&blue_, &green_}) {
    if (server->is_given_up() || !server->is_connected()) continue;
    try {
      most = std::max(most, groups_on(server->control(), name(), Deadline::after(kPing).or_earlier(deadline)));
      is_known = true;
    } catch (const Error&) {
      error = std::current_exception();
    }
  }
  if (!is_known && error) std::rethrow_exception(error);
  groups_seen_ = std::max(groups_seen_, most);
  return most;
}

Streams Deployment::streams_leaving(const std::string& color, Deadline deadline) {
  return {Stream::leaving(color, name()), groups(deadline)};
}

const Conninfo& Deployment::reachable_as(const std::string& color) const {
  return color == "blue" ? playbook_.replication.to_blue : playbook_.replication.to_green;
}

std::vector<std::string> Deployment::roles_to_keep(const std::string& color) const {
  const auto& server = color == "blue" ? blue_ : green_;
  std::vector<std::string> roles{server.user()};
  const auto replication = reachable_as(color).value("user");
  if (!replication.empty()) roles.push_back(replication);
  return roles;
}

}  // namespace verdigris
