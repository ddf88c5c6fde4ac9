// The section pooler.command of a playbook: programs that lead clients where no PgBouncer does.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "controller/config_playbook.hpp"
#include "controller/config_values.hpp"
#include "controller/placeholders.hpp"
#include "controller/suggestion.hpp"
#include "replication/errors.hpp"

namespace verdigris {
namespace {

using std::chrono::milliseconds;

// Above: a step that is put back has 30 s in all.
constexpr milliseconds kShortestLimit{50};
constexpr milliseconds kLongestLimit{20'000};

Error bad_value(const std::string& text, const std::string& hint = {}) { return misuse("value", text, hint); }

void check_argument(const std::string& key, const std::string& argument, bool is_program, bool names_target) {
  if (is_program && !argument.starts_with('/'))
    throw bad_value(fmt::format("\"{}\" is not the absolute path of a program", argument),
                    "No shell and no PATH is asked.");
  for (const std::string& name : placeholders_in(argument)) {
    const auto& known = known_placeholders();
    if (is_program) throw bad_value("a placeholder cannot name the program");
    if (std::find(known.begin(), known.end(), name) == known.end())
      throw bad_value(
          fmt::format("{{{}}} is not one of {{{}}}{}", name, fmt::join(known, "}, {"), suggestion(name, known)));
    if (!names_target)
      throw bad_value(fmt::format("{{{}}} means nothing in \"{}\": it is run without a target", name, key),
                  "Only set_target is told where clients are to go.");
  }
}

std::optional<CommandLine> read_line(Mapping& commands, const std::string& key, bool names_target) {
  auto mapping = commands.mapping(key);
  if (!mapping) return std::nullopt;
  CommandLine line;
  const YamlNode* list = mapping->require("argv");
  const auto nodes = mapping->scalars("argv");
  for (const YamlNode& node : nodes) {
    const bool is_program = &node == &nodes.front();
    attempt(mapping->faults(), node, [&] { check_argument(commands.name_of(key), node.text, is_program, names_target); });
    line.argv.push_back(node.text);
  }
  if (list != nullptr && list->kind == YamlNode::Kind::sequence && list->items.empty())
    mapping->faults().add(mapping->place_of("argv"), "value", fmt::format("\"{}\" names no program", mapping->name_of("argv")));
  mapping->require("timeout");
  read_duration(*mapping, "timeout", line.timeout, kShortestLimit, kLongestLimit);
  mapping->close();
  return line;
}

void read_claim(Mapping& commands, const std::string& key, bool& into) {
  commands.plain(key, [&](const std::string& text) { into = parse_boolean(text); });
}

// That set_target is told where to lead clients, and that what is declared can be done with what is given.
void check_claims(Mapping& commands, const TrafficCommands& read) {
  auto& faults = commands.faults();
  const auto& argv = read.set_target.argv;
  if (!argv.empty() && std::none_of(argv.begin(), argv.end(), tells_sides_apart))
    faults.add(commands.place_of("set_target"), "value", "\"pooler.command.set_target\" is the same for blue and for green",
               "Put {color}, or {target_host} and {target_port}, into an argument.");
  if (commands.has("hold") != commands.has("release"))
    faults.add(commands.place_of(commands.has("hold") ? "hold" : "release"), "missing-key",
               "\"pooler.command\" must name both hold and release, or neither");
  if (read.can_hold_clients && !commands.has("hold"))
    faults.add(commands.place_of("can_hold_clients"), "missing-key", "\"pooler.command.hold\" is missing",
               "What holds clients is run by hold and release; without them write can_hold_clients: false.");
  if (!read.can_hold_clients && commands.has("hold"))
    faults.add(commands.place_of("hold"), "value", "\"pooler.command.hold\" is never run without can_hold_clients: true",
               "Declare it once a rehearsal under load has shown that clients wait and see no error.");
  for (const auto& [key, claim] : {std::pair{"knows_transaction_end", read.knows_transaction_end},
                                   std::pair{"pause_observable", read.pause_observable}})
    if (claim && !read.can_hold_clients)
      faults.add(commands.place_of(key), "value",
                 fmt::format("\"pooler.command.{}\" means nothing without can_hold_clients: true", key));
}

}  // namespace

void read_commands(Mapping& pooler, TrafficCommands& into) {
  pooler.require("command");
  auto commands = pooler.mapping("command");
  if (!commands) return;
  commands->require("set_target");
  if (const auto line = read_line(*commands, "set_target", true)) into.set_target = *line;
  commands->require("show_target");
  if (const auto line = read_line(*commands, "show_target", false)) into.show_target = *line;
  into.hold = read_line(*commands, "hold", false);
  into.release = read_line(*commands, "release", false);
  read_claim(*commands, "can_hold_clients", into.can_hold_clients);
  read_claim(*commands, "knows_transaction_end", into.knows_transaction_end);
  read_claim(*commands, "pause_observable", into.pause_observable);
  check_claims(*commands, into);
  commands->close();
}

}  // namespace verdigris
