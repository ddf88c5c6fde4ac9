#include "controller/provision/provisioned_green.hpp"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>

#include "controller/provision/server_files.hpp"
#include "replication/errors.hpp"
#include "replication/roles.hpp"
#include "replication/test_switches.hpp"

namespace verdigris {
namespace {

namespace fs = std::filesystem;
using std::chrono::minutes;

constexpr const char* kLoginsForGood = "verdigris.pg_hba.conf";
constexpr minutes kInitdbPatience{10}, kStartPatience{5}, kStopPatience{24 * 60};  // all that was copied is written

std::string name_of_user(uid_t number) {
  const passwd* entry = ::getpwuid(number);
  return entry == nullptr ? std::to_string(number) : entry->pw_name;
}

std::string machine_user() {
  return name_of_user(::geteuid());
}

ServerUser user_for(const ProvisionSettings& settings) {
  const std::string ours = machine_user();
  if (::geteuid() != 0 && !settings.user.empty() && settings.user != ours)
    throw Refused("provision.user", "provision.user is " + settings.user + ", and verdigris runs as " + ours,
                  "Run verdigris as that user, or leave the key out.");
  if (::geteuid() != 0) return ServerUser(ours);
  if (settings.user.empty())
    throw Refused("provision.root", "verdigris runs as root, and PostgreSQL refuses to",
                  "Name an unprivileged user of this machine in provision.user, or run verdigris as one.");
  const passwd* entry = ::getpwnam(settings.user.c_str());
  if (entry == nullptr || entry->pw_uid == 0)
    throw Refused("provision.user",
                  "provision.user: \"" + settings.user + "\" is not an unprivileged user of this machine",
                  "Name another one, e.g. postgres.");
  return ServerUser(settings.user);
}

// What a session of ours on the new server is called; it is closed before the plan begins.
SessionOptions as_maker(const std::string& deployment) {
  return {"green", "verdigris/" + deployment + "/provision", false, {}};
}

// As PostgreSQL reads a boolean, which may be shortened.
bool is_on(std::string value) {
  std::ranges::transform(value, value.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const std::string yes = "yes", truth = "true";
  return value == "on" || value == "1" || (!value.empty() && (yes.starts_with(value) || truth.starts_with(value)));
}

bool has_role(Connection& on, const std::string& role, Deadline deadline) {
  return on.query(Sql("SELECT true FROM pg_roles WHERE rolname = $1"), {role}, deadline).at_most_one_row(1).has_value();
}

// Somebody who comes from elsewhere needs a password, and it is blue's: verifiers are carried over letter by letter.
void require_password(const Reach& reach, const std::string& role, const std::optional<std::string>& verifier) {
  if (reach.addresses.empty() || (verifier && verifier->starts_with("SCRAM-SHA-256$"))) return;
  throw Refused("provision.password",
                "green is to be reached over the network, and role \"" + role +
                    "\" has no SCRAM password on blue that it could have there",
                "Give it one on blue (password_encryption = scram-sha-256, \\password " + role +
                    ") and a passfile, or reach green through a socket directory.");
}

}  // namespace

ProvisionedGreen::ProvisionedGreen(const Playbook& playbook, const ToolRunner& run, ProgressCallback say)
    : settings_(playbook.provision),
      deployment_(playbook.name),
      superuser_(playbook.green.value("user")),
      replication_(playbook.replication.to_green.value("user")),
      dbname_(playbook.green.value("dbname")),
      our_roles_{playbook.replication.to_blue.value("user"), superuser_, replication_},
      user_(user_for(playbook.provision)),
      directory_(playbook.provision.data_directory, playbook.name, user_),
      programs_(playbook.provision.bindir, user_, run),
      reach_(reach_of(playbook.green, playbook.replication.to_green, playbook.provision.data_directory)),
      say_(std::move(say)) {}

bool ProvisionedGreen::is_loading() const {
  const auto marker = directory_.marker();
  return marker && marker->state == GreenState::loading;
}

bool ProvisionedGreen::is_there() const {
  const auto marker = directory_.marker();
  return marker && (marker->state == GreenState::loading || marker->state == GreenState::production);
}

bool ProvisionedGreen::is_dropped() const {
  const auto marker = directory_.marker();
  return marker && marker->state == GreenState::dropped;
}

bool ProvisionedGreen::is_same_server(Connection& green, Deadline deadline) const {
  if (!directory_.marker()) return false;
  const Result answer = green.query(Sql("SELECT system_identifier::text FROM pg_control_system()"), deadline);
  return answer.one_row(1).text(0) == programs_.control_data(path(), deadline).system_identifier;
}

void ProvisionedGreen::ensure_there(Connection& blue, Deadline deadline) {
  throw_away_if_useless(deadline);
  const auto facts = facts_of_source(blue, superuser_, replication_, deadline);
  directory_.is_free() ? make(facts, deadline) : directory_.clear_workshop();
  start(deadline);
  if (!is_loading()) return;  // from then on it is the operator's to change
  ensure_roles(facts, deadline);
  ensure_database(facts, deadline);
  ensure_owner(blue, facts, deadline);
  if (directory_.marker().value().profile == LoadProfile::off) settle();
  crash_point("provision:ready");
}

void ProvisionedGreen::throw_away_if_useless(Deadline deadline) {
  const auto marker = directory_.marker();
  if (!marker) return;
  if (marker->state == GreenState::dropped && programs_.is_running(path(), deadline))
    throw Refused("provision.directory",
                  path().string() + ": abandon dropped the green that is there, and a server runs in it: it was left alone",
                  "If nobody needs it, run: verdigris abandon --drop-green; else name another provision.data_directory.");
  const auto why = why_lost(*marker, deadline);
  if (!why && marker->state == GreenState::dropped && say_) say_("the green that abandon dropped is thrown away with " + path().string());
  if (why && say_)
    say_("green " + *why + ": what was copied there is thrown away with " +
         path().string() + "; roles, schema, all rows and indexes are copied anew");
  if (!why && marker->state != GreenState::dropped) return;
  if (programs_.is_running(path(), deadline)) programs_.stop(path(), "immediate", Deadline::after(kStopPatience));
  directory_.throw_away();
}

// With fsync a crash costs nothing, and afterwards it serves with fsync.
std::optional<std::string> ProvisionedGreen::why_lost(const GreenMarker& marker, Deadline deadline) const {
  if (marker.state == GreenState::lost) return "could not be made durable";
  if (marker.state != GreenState::loading || marker.profile != LoadProfile::full) return std::nullopt;
  const std::string when = " while it was loaded without fsync";
  if (!marker.boot.empty() && marker.boot != boot_of_machine()) return "lost its machine, which was started again," + when;
  const bool is_running = programs_.is_running(path(), deadline);
  const bool is_ours = marker.server.empty() || marker.server == directory_.server();
  if (is_running && !is_ours) return "was started again by somebody else" + when + ", and how it had ended before cannot be known";
  const auto state = programs_.control_data(path(), deadline).state;
  if (!is_running && state != "shut down") return "ended without a shutdown (its control file says \"" + state + "\")" + when;
  return std::nullopt;
}

std::vector<std::string> ProvisionedGreen::initdb_arguments(const SourceFacts& facts, int major) const {
  std::vector<std::string> all{"-U",
                               superuser_,
                               "-E",
                               facts.encoding,
                               "--locale=C",
                               "--lc-collate=" + facts.collate,
                               "--lc-ctype=" + facts.ctype,
                               "--lc-monetary=" + facts.monetary,
                               "--lc-numeric=" + facts.numeric,
                               "--lc-time=" + facts.time,
                               "--auth-local=peer",
                               "--auth-host=scram-sha-256"};
  if (major >= 15 && facts.provider == 'i') {
    all.insert(all.end(), {"--locale-provider=icu", "--icu-locale=" + facts.locale});
    if (!facts.icu_rules.empty()) all.push_back("--icu-rules=" + facts.icu_rules);
  }
  if (major >= 17 && facts.provider == 'b')
    all.insert(all.end(), {"--locale-provider=builtin", "--builtin-locale=" + facts.locale});
  if (facts.has_checksums)
    all.emplace_back("--data-checksums");
  else if (major >= 18)
    all.emplace_back("--no-data-checksums");
  // All of it is made durable at the end.
  if (settings_.load_profile == LoadProfile::full) all.emplace_back("--no-sync");
  return all;
}

// Those of a green that serves are laid ready beside those it is loaded with.
void ProvisionedGreen::write_logins(const fs::path& made, bool has_replication_password) const {
  const bool has_tls = std::ranges::any_of(settings_.settings, [](const auto& one) { return one.first == "ssl" && is_on(one.second); });
  const LoginRules rules{superuser_, replication_, has_replication_password, has_tls};
  std::vector<std::string> people{machine_user()};
  if (user_.uid() != ::geteuid()) people.push_back(name_of_user(user_.uid()));
  const bool is_loaded = settings_.load_profile != LoadProfile::off;
  directory_.write(made, "pg_ident.conf", user_map(rules, people));
  directory_.write(made, "pg_hba.conf", login_rules(rules, reach_, is_loaded));
  if (is_loaded) directory_.write(made, kLoginsForGood, login_rules(rules, reach_, false));
}

void ProvisionedGreen::write_files(const fs::path& made, const SourceFacts& facts, int major) const {
  directory_.write(made, kProductionFile, production_settings(reach_, facts, settings_));
  const auto load = load_settings(settings_.load_profile, major, machine_of(made));
  if (!load.empty()) directory_.write(made, kLoadFile, load);
  directory_.write(made, "postgresql.conf", directory_.read(made, "postgresql.conf") + including_lines());
  write_logins(made, facts.replication_verifier.has_value());
}

void ProvisionedGreen::require_passwords(const SourceFacts& facts) const {
  require_password(reach_, superuser_, facts.superuser_verifier);
  require_password(reach_, replication_, facts.replication_verifier);
}

// The name is one of this run: what a killed one has started may still be at work on its own.
void ProvisionedGreen::make(const SourceFacts& facts, Deadline deadline) {
  require_passwords(facts);
  const int major = programs_.major(deadline);
  if (say_) say_("making green, PostgreSQL " + std::to_string(major) + ", in " + path().string());
  const auto made = directory_.fresh_workshop() / ("data-" + std::to_string(::getpid()));
  user_.make_directory(made);
  crash_point("provision:begun");
  programs_.initdb(made, initdb_arguments(facts, major), Deadline::after(kInitdbPatience));
  crash_point("provision:initdb");
  write_files(made, facts, major);
  directory_.move_in(made, {deployment_, GreenState::loading, settings_.load_profile, boot_of_machine(), ""});
}

// Private ones, where none is: whoever may enter a directory decides who meets the server there.
void ProvisionedGreen::ensure_sockets() const {
  for (const auto& directory : reach_.sockets)
    if (!fs::exists(directory)) user_.make_directory(directory);
}

// Until the server is known nothing has been copied since its last proper end.
void ProvisionedGreen::start(Deadline deadline) {
  auto marker = directory_.marker().value();
  ensure_sockets();
  if (!programs_.is_running(path(), deadline)) {
    marker.boot = boot_of_machine();
    marker.server.clear();
    directory_.write_marker(marker);
    programs_.start(path(), Deadline::after(kStartPatience));
    crash_point("provision:started");
  }
  if (marker.server == directory_.server()) return;
  marker.server = directory_.server();
  directory_.write_marker(marker);
}

void ProvisionedGreen::ensure_roles(const SourceFacts& facts, Deadline deadline) {
  auto session = Connection::open(through_socket(reach_, superuser_, "postgres"), as_maker(deployment_), deadline);
  // A verifier is as good as a password.
  session.execute(
      Sql("SET log_statement = none; SET log_min_duration_statement = -1; SET log_min_error_statement = panic"),
      deadline);
  if (!has_role(session, replication_, deadline))
    session.execute(Sql("CREATE ROLE {} LOGIN REPLICATION", Identifier(replication_)), deadline);
  const auto give = [&](const std::string& role, const std::optional<std::string>& verifier) {
    const Result has =
        session.query(Sql("SELECT rolpassword IS NOT NULL FROM pg_authid WHERE rolname = $1"), {role}, deadline);
    if (verifier && !has.one_row(1).boolean(0))
      session.execute(Sql("ALTER ROLE {} PASSWORD {}", Identifier(role), Literal(*verifier)), deadline);
  };
  give(superuser_, facts.superuser_verifier);
  if (replication_ != superuser_) give(replication_, facts.replication_verifier);
}

// template0 has the same encoding, but not what a database of blue's may have of its own since.
void ProvisionedGreen::ensure_database(const SourceFacts& facts, Deadline deadline) {
  auto session = Connection::open(through_socket(reach_, superuser_, "postgres"), as_maker(deployment_), deadline);
  if (session.query(Sql("SELECT true FROM pg_database WHERE datname = $1"), {dbname_}, deadline).at_most_one_row(1))
    return;
  const auto sql = [&](const Sql& provider) {
    return Sql("CREATE DATABASE {} TEMPLATE template0 ENCODING {} LC_COLLATE {} LC_CTYPE {} {}", Identifier(dbname_),
               Literal(facts.encoding), Literal(facts.collate), Literal(facts.ctype), provider);
  };
  const int major = session.major();
  Sql provider("");
  if (major >= 15 && facts.provider == 'i') provider = Sql("LOCALE_PROVIDER icu ICU_LOCALE {}", Literal(facts.locale));
  if (major >= 16 && facts.provider == 'i' && !facts.icu_rules.empty())
    provider = Sql("{} ICU_RULES {}", provider, Literal(facts.icu_rules));
  if (major >= 17 && facts.provider == 'b')
    provider = Sql("LOCALE_PROVIDER builtin BUILTIN_LOCALE {}", Literal(facts.locale));
  session.execute(sql(provider), deadline);
}

// As on blue, which needs blue's roles; those of the controller are this server's own.
void ProvisionedGreen::ensure_owner(Connection& blue, const SourceFacts& facts, Deadline deadline) {
  auto session = Connection::open(through_socket(reach_, superuser_, dbname_), as_maker(deployment_), deadline);
  auto ours = our_roles_;
  ours.push_back(blue.user());
  copy_roles(blue, session, RoleScope{.ours = ours}, false, deadline);
  if (has_role(session, facts.owner, deadline))
    session.execute(Sql("ALTER DATABASE {} OWNER TO {}", Identifier(dbname_), Identifier(facts.owner)), deadline);
}

// Linux tells a failed write once: a second look would find nothing wrong with pages that never came to the disk.
void ProvisionedGreen::make_durable(Deadline deadline) {
  const auto state = programs_.control_data(path(), deadline).state;
  if (state != "shut down")
    throw Error("provision.unclean",
                "green in " + path().string() + " ended without a shutdown (its control file says \"" + state + "\"), and was loaded without fsync",
                "See its log " + (path() / kServerLog).string() + ", then repeat the command: it is copied anew.");
  try {
    programs_.sync(path(), Deadline::after(kStopPatience).or_earlier(deadline));
  } catch (const Error&) {
    auto marker = directory_.marker().value();
    marker.state = GreenState::lost;
    directory_.write_marker(marker);
    throw;
  }
}

void ProvisionedGreen::restart_for_good(Deadline deadline) {
  const auto marker = directory_.marker().value();
  if (programs_.is_running(path(), deadline))
    programs_.stop(path(), "fast", Deadline::after(kStopPatience).or_earlier(deadline));
  crash_point("provision:stopped");
  if (marker.profile == LoadProfile::full) make_durable(deadline);
  crash_point("provision:synced");
  directory_.remove(kLoadFile);
  directory_.replace("pg_hba.conf", kLoginsForGood);
  start(deadline);
}

void ProvisionedGreen::settle() {
  auto marker = directory_.marker().value();
  marker.state = GreenState::production;
  directory_.write_marker(marker);
}

void ProvisionedGreen::intend_drop() {
  auto marker = directory_.marker();
  if (!marker) return;
  marker->state = GreenState::dropped;
  directory_.write_marker(*marker);
  crash_point("provision:to-be-dropped");
}

std::string ProvisionedGreen::leave() {
  if (!is_loading()) return {};
  directory_.remove_marker();
  return "green was not given its settings for good: what it keeps may not survive a crash; " + path().string() +
         " is left to you, and another prepare needs another directory";
}

std::string ProvisionedGreen::drop(Deadline deadline) {
  if (!directory_.marker()) return {};
  intend_drop();
  if (programs_.is_running(path(), deadline))
    programs_.stop(path(), "fast", Deadline::after(kStopPatience).or_earlier(deadline));
  return "green was stopped; its data directory " + path().string() + " is left, and thrown away by the next prepare";
}

}  // namespace verdigris
