#include "controller/pgbouncer_logins.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "controller/pgbouncer_instance.hpp"
#include "controller/pgbouncer_probe.hpp"
#include "controller/pgbouncer_readiness.hpp"
#include "replication/errors.hpp"

namespace verdigris {
namespace {

constexpr std::chrono::milliseconds kLoginPatience{3'000};

bool has_any(std::string_view text, std::initializer_list<std::string_view> parts) {
  return std::ranges::any_of(parts, [&](std::string_view part) { return text.find(part) != std::string_view::npos; });
}

// A name in quotes; PgBouncer doubles one within.
std::string quoted(const std::string& name) {
  std::string text = "'";
  for (const char c : name) text += c == '\'' ? "''" : std::string(1, c);
  return text + "'";
}

std::string line_of(const std::string& probe, const TrialOf& trial, const std::string& user) {
  const bool has_user = (" " + trial.definition).find(" user=") != std::string::npos;
  return probe + " = " + trial.definition + (has_user ? "" : " user=" + quoted(user)) + "\n";
}

// Without what libpq puts before it.
std::string said_in(const std::string& answer) {
  constexpr std::string_view kFatal = "FATAL:";
  const auto at = answer.rfind(kFatal);
  if (at == std::string::npos) return answer;
  const auto begin = answer.find_first_not_of(' ', at + kFatal.size());
  return begin == std::string::npos ? answer : answer.substr(begin);
}

LoginTrial try_login(const TrialOf& trial, const std::string& probe, const std::string& user, Deadline deadline) {
  const Deadline patience = Deadline::after(kLoginPatience).or_earlier(deadline);
  try {
    Connection::open_plain(trial.admin.with("dbname", probe), {"pooler " + trial.name, "verdigris login trial", false, {}}, patience);
    return {user, LoginTrial::Verdict::proven, "logged in"};
  } catch (const NoAnswer&) {
    return {user, trial.may_have_to_wait ? LoginTrial::Verdict::unknown : LoginTrial::Verdict::refused,
            fmt::format("no answer within {} s", kLoginPatience.count() / 1000)};
  } catch (const CannotConnect& error) {
    return {user, judge_login(error.sqlstate(), error.what(), trial.knows_passwords), said_in(error.what())};
  }
}

}  // namespace

LoginTrial::Verdict judge_login(const std::string& sqlstate, const std::string& answer, bool knows_passwords) {
  using enum LoginTrial::Verdict;
  if (sqlstate == "42501" || sqlstate == "53300") return proven;
  // It has a SCRAM verifier, and learns the keys from each client as that logs in.
  if (has_any(answer, {"wrong password type"})) return unknown;
  if (has_any(answer, {"password authentication failed"})) return knows_passwords ? refused : unknown;
  if (has_any(answer, {"pg_hba.conf", "is not permitted to log in", "does not exist", "authentication failed for user"})) return refused;
  return unknown;  // in another language, or of a hook
}

bool knows_passwords(const std::map<std::string, std::string>& config, const std::string& definition) {
  const auto value = [&](const char* key) {
    const auto found = config.find(key);
    return found == config.end() ? std::string() : found->second;
  };
  constexpr std::array kOfFile{"plain", "md5", "scram-sha-256", "trust", "cert"};
  if (std::ranges::find(kOfFile, value("auth_type")) == kOfFile.end()) return false;
  return value("auth_user").empty() && (" " + definition).find(" auth_user=") == std::string::npos;
}

std::vector<LoginTrial> try_logins(PgBouncerConsole& console, const TrialOf& trial, const std::vector<std::string>& users,
                                   Deadline deadline) {
  std::string lines;
  const std::string probe = new_probe();
  for (std::size_t n = 0; n < users.size(); ++n) lines += line_of(fmt::format("{}_{}", probe, n), trial, users[n]);
  std::vector<LoginTrial> trials;
  with_lines_read(console, trial.included, trial.alias, lines, deadline, [&](const std::string&) {
    for (std::size_t n = 0; n < users.size(); ++n)
      trials.push_back(try_login(trial, fmt::format("{}_{}", probe, n), users[n], deadline));
  });
  return trials;
}

std::vector<LoginTrial> PgBouncerInstance::try_logins(const Endpoint& target, Deadline deadline) {
  std::vector<LoginTrial> all;
  refuse_unusable([&] {
    identify(deadline);
    if (!files_.is_adopted(files_.read()) || does_reload_fail_logins(config_)) return;
    const auto moved = files_.change_to(target).after;
    for (const auto& alias : aliases_) {
      const TrialOf trial = trial_of(alias, moved);
      for (auto& one : verdigris::try_logins(control(deadline), trial, users_of(alias, deadline), deadline)) {
        if (one.verdict == LoginTrial::Verdict::refused)
          throw Refused("pooler.target-login",
                        "pooler " + settings_.name + ": " + one.user + " cannot log in on " + text_of(target) +
                            " as it will have to: " + one.answer,
                        "Let pg_hba.conf, passwords and the network there admit the pooler's users, then start again.");
        all.push_back(std::move(one));
      }
    }
  });
  return all;
}

TrialOf PgBouncerInstance::trial_of(const std::string& alias, const std::string& moved) const {
  TrialOf trial{settings_.name, settings_.admin, files_.included_name(), alias, {}};
  const auto file = IniFile::parse("the included file", moved, [](const std::string&) { return ""; });
  for (const auto& entry : file.entries())
    if (entry.key == alias) trial.definition = entry.value;
  trial.knows_passwords = knows_passwords(config_, trial.definition);
  const auto most = config_.find("max_user_connections");
  trial.may_have_to_wait = most != config_.end() && most->second != "0";
  return trial;
}

// Those whose clients are there, or were until the pool was forgotten.
std::vector<std::string> PgBouncerInstance::users_of(const std::string& alias, Deadline deadline) {
  constexpr std::size_t kMostTried = 20;
  std::set<std::string> users;
  for (const auto& pool : control(deadline).loads(deadline))
    if (pool.alias == alias && users.size() < kMostTried) users.insert(pool.user);
  return {users.begin(), users.end()};
}

}  // namespace verdigris
