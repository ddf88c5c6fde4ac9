#include "controller/traffic_command.hpp"

#include <sstream>

#include "controller/config_values.hpp"
#include "controller/own_program.hpp"
#include "controller/placeholders.hpp"
#include "controller/process.hpp"
#include "replication/errors.hpp"

namespace verdigris {
namespace {

constexpr std::chrono::milliseconds kMostGrace{2'000};
constexpr std::size_t kMostOutput = std::size_t{64} * 1024;
constexpr const char* kContract = "Run it by hand as this user; what it must do is in playbooks/other_traffic.md.";

std::string in_one_line(const std::vector<std::string>& argv) {
  std::string text;
  for (const auto& argument : argv) text += (text.empty() ? "" : " ") + argument;
  return text;
}

struct LastWords {
  std::string why = "it said nothing on standard error";
  std::string hint = kContract;
};

// A script may say much; its last line tells why, and one that begins with HINT what to do.
LastWords last_words(const std::string& errors) {
  LastWords words;
  std::istringstream lines(errors);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("HINT: ")) words.hint = line.substr(6);
    else if (line.find_first_not_of(" \t\r") != std::string::npos) words.why = line;
  }
  return words;
}

void require_own_program(const std::string& name, const CommandLine& line) {
  const auto& file = line.argv.front();
  if (const auto flaw = flaw_of_program(file))
    throw Refused("pooler.command-file", "command " + name + ": \"" + file + "\" " + flaw->why, flaw->hint);
}

// What is found before clients wait is a refusal, whatever it is.
template <class Act>
void refusing(Act act) {
  try {
    act();
  } catch (const Refused&) {
    throw;
  } catch (const Error& error) {
    throw Refused(error.id(), error.what(), error.hint());
  }
}

Endpoint parsed(const std::string& word) {
  if (word == "blue" || word == "green") return {"", "", "", word};
  const auto slash = word.rfind('/');
  const auto colon = word.rfind(':');
  if (colon == std::string::npos) return {word, "", ""};
  if (slash == std::string::npos || slash < colon) return {word.substr(0, colon), word.substr(colon + 1), ""};
  return {word.substr(0, colon), word.substr(colon + 1, slash - colon - 1), word.substr(slash + 1)};
}

}  // namespace

bool CommandTraffic::Shown::is(const Endpoint& wanted) const {
  if (target.host.empty()) return target.color == wanted.color;
  return target.host == wanted.host && target.port == wanted.port &&
         (target.dbname.empty() || target.dbname == wanted.dbname);
}

TrafficAbilities CommandTraffic::abilities() const {
  return {commands_.can_hold_clients, commands_.knows_transaction_end, commands_.pause_observable, true, false, false};
}

std::string CommandTraffic::effect_on_clients() const {
  if (commands_.can_hold_clients)
    return "the playbook says that a command holds clients; whoever it does not hold sees brief errors, and no session stays "
           "on the old side";
  return "brief errors: nobody is held, no session stays on the old side, and logins are refused until clients are led on";
}

std::string CommandTraffic::describe() const { return "the command " + commands_.set_target.argv.front(); }

// Its own timeout or what is left of the step's time, whichever is shorter. One that does not hear TERM is killed before
// that time is over: half of what is left then is for whoever puts things back, since clients may be waiting.
std::string CommandTraffic::run(const std::string& name, const CommandLine& line, const Endpoint& target,
                                Deadline deadline) const {
  require_own_program(name, line);  // each time: who could change it meanwhile would have our rights
  auto argv = line.argv;
  for (auto& argument : argv) argument = fill_placeholders(argument, target);
  const std::string who = "command " + name + " (" + in_one_line(argv) + ")";
  const auto left = deadline.remaining();
  const auto limit = std::min(line.timeout, left);
  const auto grace = std::min(kMostGrace, (left - limit) / 2);
  ToolResult result;
  try {
    result = run_tool({.argv = argv, .environment = {}, .input = {}, .most_output = kMostOutput, .grace = grace},
                      Deadline::after(limit));
  } catch (const DeadlinePassed&) {
    throw Error("pooler.command-timeout", who + ": did not end within " + duration_text(limit) + " and was killed", kContract);
  } catch (const Error& error) {
    throw Error("pooler.command-failed", who + ": " + error.what(), kContract);
  }
  if (result.exit_code == 0) return result.output;
  const auto [why, hint] = last_words(result.errors);
  throw Error("pooler.command-failed", who + ": exit code " + std::to_string(result.exit_code) + ": " + why, hint);
}

CommandTraffic::Shown CommandTraffic::show(Deadline deadline) {
  last_shown_.reset();
  std::istringstream words(run("show_target", commands_.show_target, {}, deadline));
  Shown shown;
  std::string more;
  words >> shown.text >> more;
  const std::string rest(std::istreambuf_iterator<char>(words), {});
  const bool is_plain = rest.find_first_not_of(" \t\r\n") == std::string::npos;
  shown.is_held = more == "held" && commands_.pause_observable;
  if (shown.text.empty() || !is_plain || (!more.empty() && !shown.is_held))
    throw Error("pooler.command-answer",
                "command show_target: \"" + (shown.text + " " + more).substr(0, 100) + "\" is no answer: one word is expected" +
                    (commands_.pause_observable ? ", and \"held\" while clients are held" : ""),
                "Let it print blue or green, or host:port; see playbooks/other_traffic.md.");
  shown.target = parsed(shown.text);
  last_shown_ = shown;
  return shown;
}

void CommandTraffic::require_current(const Endpoint& current, Deadline deadline) {
  const auto shown = show(deadline);
  if (!shown.is(current))
    throw Refused("pooler.target", "command show_target: clients are led to " + shown.text + ", and " + current.color +
                                       " (" + text_of(current) + ") serves",
                  "Lead them there with set_target, or let show_target print \"" + current.color + "\" when they are.");
  if (shown.is_held)
    throw Refused("pooler.paused", "command show_target: clients are held already",
                  "Find out by whom; \"verdigris recover\" releases what a run of ours left behind.");
}

void CommandTraffic::require_sound(const Endpoint& current, std::chrono::milliseconds budget, Deadline deadline) {
  require_own_program("set_target", commands_.set_target);
  require_own_program("show_target", commands_.show_target);
  if (commands_.hold) require_own_program("hold", *commands_.hold);
  if (commands_.release) require_own_program("release", *commands_.release);
  if (commands_.hold && commands_.hold->timeout >= budget)
    throw Refused("pooler.budget", "command hold may take " + duration_text(commands_.hold->timeout) +
                                       ", and the whole pause " + duration_text(budget),
                  "Shorten pooler.command.hold.timeout.");
  refusing([&] { require_current(current, deadline); });
}

void CommandTraffic::require_ready(const Endpoint& current, std::chrono::milliseconds budget, Deadline deadline) {
  require_sound(current, budget, deadline);
  refusing([&] {
    run("set_target", commands_.set_target, current, deadline);
    require_current(current, deadline);
  });
}

void CommandTraffic::pause(Deadline deadline) {
  times_ = PauseTimes{};
  times_.first_pause_sent = std::chrono::steady_clock::now();
  is_released_ = false;
  if (!commands_.can_hold_clients) return;
  try {
    run("hold", *commands_.hold, {}, deadline);
  } catch (const Error& error) {
    // The step that holds traffic then says who is in the way, as the server sees it.
    if (error.id() != "pooler.command-timeout") throw;
    throw Error("pooler.pause-timeout", error.what(), error.hint());
  }
  if (commands_.pause_observable && !show(deadline).is_held)
    throw Error("pooler.pause-lies", "command hold reported success, and show_target does not say \"held\"", kContract);
}

void CommandTraffic::resume(Deadline deadline) {
  if (commands_.can_hold_clients) {
    run("release", *commands_.release, {}, deadline);
    if (commands_.pause_observable && show(deadline).is_held)
      throw Error("pooler.still-held", "command release reported success, and show_target still says \"held\"", kContract);
  }
  is_released_ = true;
  times_.last_resume_acknowledged = std::chrono::steady_clock::now();
}

void CommandTraffic::resume_but_for(const Endpoint& closed, Deadline deadline) {
  if (!commands_.can_hold_clients || !show(deadline).is(closed)) resume(deadline);
}

void CommandTraffic::point_to(const Endpoint& target, Deadline deadline) {
  run("set_target", commands_.set_target, target, deadline);
  const auto shown = show(deadline);
  if (!shown.is(target))
    throw Error("pooler.target", "command show_target: clients are led to " + shown.text + " after set_target led them to " +
                                     target.color + " (" + text_of(target) + ")",
                kContract);
}

// Whoever was shown elsewhere last and has not been led on since is not asked again: clients are waiting. Whether clients
// are held cannot always be seen: then they are released, once more perhaps, before this is true.
bool CommandTraffic::has_moved(const Endpoint& target, Deadline deadline) {
  if (last_shown_ && !last_shown_->is(target)) return false;
  const auto shown = show(deadline);
  if (!shown.is(target) || shown.is_held) return false;
  return !commands_.can_hold_clients || commands_.pause_observable || is_released_;
}

std::vector<TrafficState> CommandTraffic::state(Deadline deadline) {
  const auto shown = show(deadline);
  return {{.instance = "command show_target", .alias = {}, .is_paused = shown.is_held, .target = shown.target}};
}

}  // namespace verdigris
