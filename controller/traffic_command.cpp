#include "controller/traffic_command.hpp"

#include <sstream>

#include "controller/config_values.hpp"
#include "controller/own_program.hpp"
#include "controller/placeholders.hpp"
#include "replication/errors.hpp"

namespace verdigris {
namespace {

constexpr const char* kContract = "Run it by hand as this user; what it must do is in playbooks/other_traffic.md.";

OwnProgramRun program_run(const std::string& name, const CommandLine& line, const std::vector<std::string>& argv) {
  return {.name = "command " + name, .id = "pooler.command", .contract = kContract, .argv = argv, .timeout = line.timeout};
}

void require_own_command(const std::string& name, const CommandLine& line) {
  require_own_program(program_run(name, line, line.argv));
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

std::string CommandTraffic::run(const std::string& name, const CommandLine& line, const Endpoint& target,
                                Deadline deadline) const {
  auto argv = line.argv;
  for (auto& argument : argv) argument = fill_placeholders(argument, target);
  return output_of_own_program(program_run(name, line, argv), deadline);
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
  require_own_command("set_target", commands_.set_target);
  require_own_command("show_target", commands_.show_target);
  if (commands_.hold) require_own_command("hold", *commands_.hold);
  if (commands_.release) require_own_command("release", *commands_.release);
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
