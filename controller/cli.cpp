#include "controller/cli.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>

#include "controller/cli_options.hpp"
#include "controller/commands/abandon.hpp"
#include "controller/commands/check.hpp"
#include "controller/commands/finish.hpp"
#include "controller/commands/hold.hpp"
#include "controller/commands/plan.hpp"
#include "controller/commands/pooler_adopt.hpp"
#include "controller/commands/pooler_show.hpp"
#include "controller/commands/prepare.hpp"
#include "controller/commands/recover.hpp"
#include "controller/commands/release.hpp"
#include "controller/commands/rollback.hpp"
#include "controller/commands/sandbox_demo.hpp"
#include "controller/commands/sandbox_down.hpp"
#include "controller/commands/sandbox_ledger.hpp"
#include "controller/commands/sandbox_load.hpp"
#include "controller/commands/sandbox_supervise.hpp"
#include "controller/commands/sandbox_up.hpp"
#include "controller/commands/set.hpp"
#include "controller/commands/status.hpp"
#include "controller/commands/switch.hpp"
#include "controller/commands/verify.hpp"
#include "controller/commands/version.hpp"
#include "controller/printable.hpp"
#include "controller/suggestion.hpp"
#include "replication/errors.hpp"

namespace verdigris {

namespace {

struct Command {
  std::string name;  // two words: a command of a group
  std::string purpose;
  void (*add_options)(CLI::App&, Invocation&);
  RunCommand run;
};

// The commands, in the order of --help. To add one: write controller/commands/<name>.cpp for its header there, include
// the header above, and add a line here; its options stand in controller/cli_options.cpp already, or no_options.
const std::vector<Command>& commands() {
  static const std::vector<Command> kCommands = {
      {"check", "Ask both servers and the poolers everything that could go wrong; change nothing", check_options,
       run_check},
      {"plan", "Show what the next command would do, step by step, with the SQL and the changes of files", plan_options,
       run_plan},
      {"prepare", "Make green follow blue: schema, data, migrations, fences, the way back", prepare_options, run_prepare},
      {"verify", "Compare all tables of both sides while writes go on", verify_options, run_verify},
      {"switch", "Move clients from blue to green", switch_options, run_switch},
      {"rollback", "Move clients back to blue: the same plan with the sides exchanged", rollback_options, run_rollback},
      {"hold", "Keep a running or coming switch or rollback from holding clients, from anywhere", no_options, run_hold},
      {"release", "Let what is held go on", no_options, run_release},
      {"finish", "End the way back; blue stays closed", finish_options, run_finish},
      {"abandon", "Before a switch: remove what is ours; blue as it was found", abandon_options, run_abandon},
      {"recover", "After a crash: undo, or carry out the rest, as the journal decides", recover_options, run_recover},
      {"status", "Phase, who serves, lag, the way back", no_options, run_status},
      {"set", "Change a limit of a command that runs: copy-workers=N, copy-rate=SIZE|none of prepare", set_options, run_set},
      {"pooler show", "Which file defines each database at PgBouncer, where it leads, who uses it", no_options, run_pooler_show},
      {"pooler adopt", "Move the databases' lines out of PgBouncer's file into one of ours, once", pooler_adopt_options,
       run_pooler_adopt},
      {"sandbox up", "Start two servers and a pooler, fill blue, and write a playbook for them", sandbox_up_options,
       run_sandbox_up},
      {"sandbox supervise", "Own the servers of a sandbox; started by \"sandbox up\"", sandbox_up_options,
       run_sandbox_supervise},
      {"sandbox load", "Write to the sandbox as its clients would, and remember each write", sandbox_load_options,
       run_sandbox_load},
      {"sandbox ledger", "Look for each remembered write on one side", sandbox_ledger_options, run_sandbox_ledger},
      {"sandbox demo", "Show all of it on a sandbox: over, back, over again, under load", sandbox_demo_options,
       run_sandbox_demo},
      {"sandbox down", "End a sandbox and remove its directory", sandbox_down_options, run_sandbox_down},
      {"version", "Print the versions of the program and of what it is built on", no_options, run_version},
  };
  return kCommands;
}

std::string purpose_of_group(const std::string& group) {
  return group == "pooler" ? "The PgBouncer processes of the playbook, and their files"
                           : "A local pair of servers with a pooler, for trying things out";
}

CLI::App& app_of(CLI::App& root, const Command& command) {
  const auto blank = command.name.find(' ');
  if (blank == std::string::npos) return *root.add_subcommand(command.name, command.purpose);
  const std::string group = command.name.substr(0, blank);
  const auto known = root.get_subcommands([&](const CLI::App* app) { return app->get_name() == group; });
  CLI::App* parent = known.empty() ? nullptr : known.front();
  if (parent == nullptr) {
    parent = root.add_subcommand(group, purpose_of_group(group));
    parent->require_subcommand(1);
  }
  return *parent->add_subcommand(command.name.substr(blank + 1), command.purpose);
}

void define(CLI::App& root, Invocation& invocation) {
  root.fallthrough();  // before the subcommands, which inherit it: global options may stand after the command
  root.set_help_flag("-h,--help", "print this help");
  root.require_subcommand(1);
  add_global_options(root, invocation);
  for (const Command& command : commands()) {
    CLI::App& app = app_of(root, command);
    command.add_options(app, invocation);
    app.footer("Options for every command: verdigris --help");
  }
}

// The innermost command that was recognised.
CLI::App& deepest(CLI::App& app) {
  CLI::App* current = &app;
  while (!current->get_subcommands().empty()) current = current->get_subcommands().front();
  return *current;
}

// "switch", "sandbox up", or empty.
std::string path_of(const CLI::App& app) {
  if (app.get_parent() == nullptr) return {};
  const std::string before = path_of(*app.get_parent());
  return before.empty() ? app.get_name() : before + " " + app.get_name();
}

// The same of the whole, if it is a command and not only the name of a group.
std::string command_of(CLI::App& root) {
  const std::string path = path_of(deepest(root));
  const auto is_it = [&](const Command& command) { return command.name == path; };
  return std::any_of(commands().begin(), commands().end(), is_it) ? path : std::string{};
}

std::vector<std::string> names_of_subcommands(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* each : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(each->get_name());
  return names;
}

std::vector<std::string> names_of_options(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* each = &app; each != nullptr; each = each->get_parent())
    for (const CLI::Option* option : each->get_options())
      if (!option->get_group().empty())
        for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  return names;
}

Error usage(const CLI::App& at, const std::string& text) {
  const std::string path = path_of(at);
  const std::string program = path.empty() ? "verdigris" : "verdigris " + path;
  const std::string operand = at.get_subcommands([](const CLI::App*) { return true; }).empty() ? "" : " COMMAND";
  return {"usage", text, fmt::format("usage: {}{} [OPTIONS]; \"{} --help\" lists them.", program, operand, program),
          Failure::usage};
}

Error unexpected(const CLI::App& at, const std::string& word) {
  if (word.starts_with("-")) {
    const std::string name = word.substr(0, word.find('='));
    return usage(at, fmt::format("\"{}\" is not an option{}", name, suggestion(name, names_of_options(at))));
  }
  const auto names = names_of_subcommands(at);
  if (names.empty()) return usage(at, fmt::format("\"{}\" is not expected here", word));
  return usage(at, fmt::format("\"{}\" is not a command{}", word, suggestion(word, names)));
}

// What CLI11 says of options that are given twice, or without their value, in words.
std::string plainly(const std::string& text) {
  const std::string name = text.substr(0, text.find(": "));
  if (text.find(": At Most 1 required") != std::string::npos) return name + " is given more than once";
  if (text.find(": 1 required ") != std::string::npos && text.ends_with(" missing")) return name + " needs a value";
  return text;
}

// CLI11 asks for a missing subcommand before it looks at the words it did not know.
Error explain(CLI::App& root, const CLI::ParseError& error) {
  CLI::App& at = deepest(root);
  const auto unknown = root.remaining(true);
  if (!unknown.empty()) return unexpected(at, unknown.front());
  const bool is_command_missing = error.get_exit_code() == static_cast<int>(CLI::ExitCodes::RequiredError);
  if (is_command_missing && !names_of_subcommands(at).empty()) return usage(at, "a command is missing");
  return usage(at, plainly(error.what()));
}

void require_readable(const std::vector<std::string>& arguments) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const auto refuse = [&](const std::string& why) {
      return Error("usage", fmt::format("argument {} {}", i + 1, why),
                   "\"verdigris --help\" lists commands and options.", Failure::usage);
    };
    const std::string& text = arguments[i];
    if (text.empty() || text.ends_with('=')) throw refuse("is empty");
    for (std::size_t at = 0; at < text.size();) {
      const auto character = utf8_at(text, at);
      if (!character) throw refuse(fmt::format("is not UTF-8 at byte {}", at));
      at += character->bytes;
    }
  }
}

void choose_playbook(const CLI::App& root, Invocation& invocation) {
  if (root.get_option("--playbook")->count() > 0) return;
  const char* named = std::getenv("VERDIGRIS_PLAYBOOK");
  if (named != nullptr && *named != '\0') invocation.playbook = named;
}

}  // namespace

std::variant<Invocation, Help> parse_command_line(const std::vector<std::string>& arguments) {
  Invocation invocation;
  CLI::App root("Moves a PostgreSQL database from one server to another, blue to green, and keeps the way back.",
                "verdigris");
  define(root, invocation);
  try {
    require_readable(arguments);
    root.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));  // CLI11 takes them from the end
  } catch (const CLI::CallForHelp&) {
    return Help{root.help()};
  } catch (const CLI::ParseError& error) {
    throw CommandLineError(explain(root, error), command_of(root));
  } catch (const Error& error) {
    throw CommandLineError(error, command_of(root));
  }
  choose_playbook(root, invocation);
  invocation.command = path_of(deepest(root));
  return invocation;
}

RunCommand find_command(const Invocation& invocation) {
  const auto found = std::find_if(commands().begin(), commands().end(),
                                  [&](const Command& command) { return command.name == invocation.command; });
  if (found == commands().end()) throw std::logic_error("no command \"" + invocation.command + "\"");
  return found->run;
}

}  // namespace verdigris
