#include "controller/pgbouncer_logins.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "controller/ini_lexer.hpp"
#include "controller/pgbouncer_instance.hpp"
#include "controller/pgbouncer_probe.hpp"
#include "controller/pgbouncer_readiness.hpp"
#include "controller/printable.hpp"
#include "replication/errors.hpp"
#include "replication/test_switches.hpp"

namespace verdigris {
namespace {

constexpr std::chrono::milliseconds kLoginPatience{3'000};
constexpr std::size_t kMostTried = 20;

std::vector<IniPair> pairs_of(const std::string& definition) {
  IniEntry entry;
  entry.value = definition;
  return read_pairs(entry);
}

bool has_pair(const std::vector<IniPair>& pairs, std::string_view key) {
  return std::ranges::find(pairs, key, &IniPair::key) != pairs.end();
}

// Without what libpq puts before it.
std::string said_in(const std::string& answer) {
  constexpr std::string_view kFatal = "FATAL:";
  const auto at = answer.rfind(kFatal);
  if (at == std::string::npos) return answer;
  const auto begin = answer.find_first_not_of(' ', at + kFatal.size());
  return begin == std::string::npos ? answer : answer.substr(begin);
}

LoginTrial attempt(const TrialOf& trial, const std::string& probe, const std::string& user, Deadline deadline) {
  const Deadline patience = Deadline::after(kLoginPatience).or_earlier(deadline);
  try {
    Connection::open_plain(trial.admin.with("dbname", probe),
                           {"pooler " + trial.name, "verdigris login trial", false, {}}, patience);
    return {user, LoginTrial::Verdict::proven, "logged in"};
  } catch (const NoAnswer&) {
    if (deadline.has_passed()) throw DeadlinePassed("pooler " + trial.name + ": no time left for the logins of its users");
    return {user, LoginTrial::Verdict::refused, fmt::format("no answer within {} s", kLoginPatience.count() / 1000)};
  } catch (const CannotConnect& error) {
    return {user, judge_login(error.sqlstate(), error.what()), said_in(error.what())};
  }
}

// The names of a user's two databases.
struct Probes {
  std::string here, there;
};

LoginTrial try_login(const TrialOf& trial, const Probes& probes, const std::string& user, Deadline deadline) {
  auto there = attempt(trial, probes.there, user, deadline);
  if (there.verdict != LoginTrial::Verdict::refused) return there;
  // A user of another database, say, or a pool that waits for its turn.
  const auto here = attempt(trial, probes.here, user, deadline);
  if (here.verdict != LoginTrial::Verdict::proven) there.verdict = LoginTrial::Verdict::unknown;
  return there;
}

bool is_writable(const std::string& name) {
  return !name.empty() && std::ranges::none_of(name, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

}  // namespace

LoginTrial::Verdict judge_login(const std::string& sqlstate, const std::string& answer) {
  using enum LoginTrial::Verdict;
  if (sqlstate == "42501" || sqlstate == "53300") return proven;
  // Of a server; without "for user" the pooler says it of whoever asks it. What it has as a verifier only ("wrong password
  // type") it learns to use from each client that logs in.
  for (const char* refusal : {"password authentication failed for user", "pg_hba.conf", "is not permitted to log in", "does not exist"})
    if (answer.find(refusal) != std::string::npos) return refused;
  return unknown;  // in another language, or of a hook
}

bool knows_passwords(const std::map<std::string, std::string>& config, const std::string& definition) {
  const auto value = [&](const char* key) {
    const auto found = config.find(key);
    return found == config.end() ? std::string() : found->second;
  };
  constexpr std::array kOfFile{"plain", "md5", "scram-sha-256", "trust", "cert"};
  if (std::ranges::find(kOfFile, value("auth_type")) == kOfFile.end()) return false;
  return value("auth_user").empty() && !has_pair(pairs_of(definition), "auth_user");
}

std::string trial_definition(const std::string& definition, const std::string& dbname, const std::string& user) {
  const auto pairs = pairs_of(definition);
  const bool is_forced = has_pair(pairs, "user");
  std::string text;
  for (const auto& pair : pairs)
    if (pair.key != "dbname" && (is_forced || pair.key != "password"))
      text += pair.key + "=" + ini_value(pair.value, pair.is_quoted) + " ";
  text += "dbname=" + ini_value(dbname, false);
  return is_forced ? text : text + " user=" + ini_value(user, false);
}

std::vector<LoginTrial> try_logins(PgBouncerConsole& console, const TrialOf& trial, const std::vector<std::string>& users,
                                   Deadline deadline) {
  std::vector<LoginTrial> trials;
  if (users.empty()) return trials;
  const std::string probe = new_probe();
  std::string lines;
  std::vector<Probes> probes;
  for (const auto& user : users) {
    const auto n = probes.size();
    const auto& names = probes.emplace_back(Probes{fmt::format("{}_h{}", probe, n), fmt::format("{}_t{}", probe, n)});
    lines += names.here + " = " + trial_definition(trial.here, trial.dbname_here, user) + "\n";
    lines += names.there + " = " + trial_definition(trial.there, trial.dbname_there, user) + "\n";
  }
  with_lines_read(console, trial.included, trial.alias, lines, deadline, [&](const std::string&) {
    crash_point("after:login-trial");
    for (std::size_t n = 0; n < users.size(); ++n) {
      trials.push_back(try_login(trial, probes[n], users[n], deadline));
      if (trials.back().verdict == LoginTrial::Verdict::refused) return;  // one is enough, and each may take seconds
    }
  });
  return trials;
}

std::vector<LoginTrial> PgBouncerInstance::try_logins(const Endpoint& target, Deadline deadline) {
  std::vector<LoginTrial> all;
  refuse_unusable([&] {
    identify(deadline);
    const auto now = files_.read();
    if (!files_.is_adopted(now)) return;
    const auto moved = files_.change_to(target).after;
    for (const auto& alias : aliases_) {
      auto trial = trial_of(alias, now, moved);
      trial.dbname_there = target.dbname;
      const char* why = does_reload_fail_logins(config_)              ? "TLS to servers"
                        : !knows_passwords(config_, trial.here)       ? "the pooler has no passwords of its own"
                                                                      : nullptr;
      std::vector<std::string> users;
      for (const auto& user : users_of(alias, deadline)) {
        if (why != nullptr) all.push_back({user, LoginTrial::Verdict::unknown, why});
        else if (!is_writable(user)) all.push_back({printable(user), LoginTrial::Verdict::unknown, "its name cannot be written"});
        else if (users.size() == kMostTried) all.push_back({user, LoginTrial::Verdict::unknown, "too many"});
        else users.push_back(user);
      }
      for (auto& one : verdigris::try_logins(control(deadline), trial, users, deadline)) {
        if (one.verdict == LoginTrial::Verdict::refused)
          throw Refused("pooler.target-login",
                        "pooler " + settings_.name + ": " + one.user + " can log in where clients are, and not on " +
                            text_of(target) + ": " + one.answer,
                        "Let pg_hba.conf, passwords and the network there admit the pooler's users, then start again.");
        all.push_back(std::move(one));
      }
    }
  });
  return all;
}

TrialOf PgBouncerInstance::trial_of(const std::string& alias, const IniFile& now, const std::string& moved) const {
  TrialOf trial{settings_.name, settings_.admin, files_.included_name(), alias, {}, {}, {}, {}};
  trial.here = now.definition(alias).value;
  trial.dbname_here = now.target(alias).dbname;
  const auto file = IniFile::parse("the included file", moved, [](const std::string&) { return ""; });
  for (const auto& entry : file.entries())
    if (entry.key == alias) trial.there = entry.value;
  return trial;
}

// Those who have a pool there.
std::set<std::string> PgBouncerInstance::users_of(const std::string& alias, Deadline deadline) {
  std::set<std::string> users;
  for (const auto& pool : control(deadline).loads(deadline))
    if (pool.alias == alias) users.insert(pool.user);
  return users;
}

void PgBouncerInstance::clear_trials(Deadline deadline) {
  clear_probes(files_.included_name(), [&]() -> PgBouncerConsole& { return control(deadline); });
}

}  // namespace verdigris
