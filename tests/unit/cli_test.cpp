// The command line: what is understood, what is refused, and that nothing is taken and ignored (faults N58, N60).
#include "controller/cli.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <sstream>

#include "controller/cli_options.hpp"
#include "controller/confirmation.hpp"
#include "controller/environment.hpp"
#include "controller/suggestion.hpp"
#include "replication/errors.hpp"

using namespace verdigris;

namespace {

using Arguments = std::vector<std::string>;

Invocation parsed(const Arguments& arguments) {
  return std::get<Invocation>(parse_command_line(arguments));
}

std::string text_of(const Error& error) {
  return error.id() + ": " + error.what();
}

std::string refusal(const Arguments& arguments) {
  try {
    parse_command_line(arguments);
  } catch (const Error& error) {
    EXPECT_EQ(error.failure(), Failure::usage);
    return text_of(error);
  }
  return "accepted";
}

// The options of one command, without the command being in the table.
Invocation options(void (*add)(CLI::App&, Invocation&), const Arguments& arguments) {
  Invocation invocation;
  CLI::App app;
  add(app, invocation);
  app.parse(Arguments(arguments.rbegin(), arguments.rend()));
  return invocation;
}

struct Refusal {
  Arguments arguments;
  std::string message;
};

const Refusal kRefusals[] = {
    {{}, "usage: a command is missing"},
    {{"verson"}, "usage: \"verson\" is not a command; did you mean \"version\"?"},
    {{"frobnicate"}, "usage: \"frobnicate\" is not a command"},
    {{"version", "extra"}, "usage: \"extra\" is not expected here"},
    {{"version", "version"}, "usage: \"version\" is not expected here"},
    {{"version", "--jsno"}, "usage: \"--jsno\" is not an option; did you mean \"--json\"?"},
    {{"version", "--frobnicate=1"}, "usage: \"--frobnicate\" is not an option"},
    {{"version", "--json", "--json"}, "usage: --json is given more than once"},
    {{"version", "-f", "a", "-f", "b"}, "usage: --playbook is given more than once"},
    {{"version", "--timeout"}, "usage: --timeout needs a value"},
    {{"switch", "--max-pause", "1s", "--max-pause", "2s"}, "usage: --max-pause is given more than once"},
    {{"switch", "--at", "soon"}, "value: --at: \"soon\" is not a time"},
    {{"switch", "--at", "2026-02-30T02:00:00Z"}, "date: --at: \"2026-02-30\" is not a date (YYYY-MM-DD)"},
    {{"switch", "--plan", "a", "--plan", "b"}, "usage: --plan is given more than once"},
    {{"abandon", "--plan", "a"}, "usage: \"--plan\" is not an option"},
    {{"plan", "--for", "verify"}, "value: --for: \"verify\" is not one of prepare, switch, rollback, finish, abandon"},
    {{"rollback", "--at", "02:00"}, "usage: \"--at\" is not an option"},
    {{"sandbox", "up", "--blue", "12"}, "range: --blue: 12 is out of range (13 to 30)"},
    {{"version", "--timeout", "30"}, "unit: --timeout: \"30\" needs a unit (ms, s, m, h)"},
    {{"version", "--timeout", "0s"}, "range: --timeout: \"0s\" is out of range (100ms to 168h)"},
    {{"version", ""}, "usage: argument 2 is empty"},
    {{"version", "--confirm="}, "usage: argument 2 is empty"},
    {{"version", "\xff"}, "usage: argument 2 is not UTF-8 at byte 0"},
    {{"version", "a\xed\xa0\x80"}, "usage: argument 2 is not UTF-8 at byte 1"},
};

}  // namespace

TEST(CommandLine, RefusesWhatItDoesNotUnderstand) {
  unsetenv("VERDIGRIS_PLAYBOOK");
  for (const Refusal& each : kRefusals) EXPECT_EQ(refusal(each.arguments), each.message);
}

TEST(CommandLine, RefusalNamesTheUsageLine) {
  try {
    parse_command_line({"version", "--jsno"});
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.hint(), "usage: verdigris version [OPTIONS]; \"verdigris version --help\" lists them.");
  }
}

TEST(CommandLine, RefusalSaysWhichCommandItWasFor) {
  const std::pair<Arguments, std::string> cases[] = {{{"switch", "--bogus"}, "switch"},
                                                     {{"--json", "switch", "--max-pause", "30"}, "switch"},
                                                     {{"sandbox", "up", "--blue", "12"}, "sandbox up"},
                                                     {{"sandbox"}, ""},
                                                     {{"swich"}, ""}};
  for (const auto& [arguments, command] : cases) {
    try {
      parse_command_line(arguments);
      FAIL() << "accepted";
    } catch (const CommandLineError& error) {
      EXPECT_EQ(error.command(), command);
    }
  }
}

TEST(CommandLine, GlobalOptionsStandBeforeOrAfterTheCommand) {
  for (const Arguments& arguments : {Arguments{"--json", "-f", "a.yaml", "--timeout", "90s", "version"},
                                     Arguments{"version", "--json", "-f", "a.yaml", "--timeout", "90s"}}) {
    const Invocation invocation = parsed(arguments);
    EXPECT_EQ(invocation.command, "version");
    EXPECT_TRUE(invocation.json);
    EXPECT_EQ(invocation.playbook, "a.yaml");
    EXPECT_EQ(invocation.timeout, std::chrono::seconds(90));
  }
}

TEST(CommandLine, PlaybookComesFromOptionThenEnvironmentThenDirectory) {
  unsetenv("VERDIGRIS_PLAYBOOK");
  EXPECT_EQ(parsed({"version"}).playbook, "verdigris.yaml");
  setenv("VERDIGRIS_PLAYBOOK", "from_environment.yaml", 1);
  EXPECT_EQ(parsed({"version"}).playbook, "from_environment.yaml");
  EXPECT_EQ(parsed({"version", "-f", "named.yaml"}).playbook, "named.yaml");
  unsetenv("VERDIGRIS_PLAYBOOK");
}

TEST(CommandLine, HelpIsAResult) {
  EXPECT_NE(std::get<Help>(parse_command_line({"--help"})).text.find("--playbook"), std::string::npos);
  EXPECT_NE(std::get<Help>(parse_command_line({"version", "--help"})).text.find("verdigris version"),
            std::string::npos);
}

TEST(CommandOptions, AreReadAsWritten) {
  EXPECT_EQ(options(switch_options, {"--max-pause", "750ms"}).max_pause, std::chrono::milliseconds(750));
  EXPECT_GT(options(switch_options, {"--at", "02:00"}).at, std::chrono::system_clock::now());
  EXPECT_TRUE(options(rollback_options, {"--dry-run"}).dry_run);
  EXPECT_TRUE(options(finish_options, {"--now", "--open-blue"}).open_blue);
  EXPECT_TRUE(options(abandon_options, {"--drop-green"}).drop_green);
  EXPECT_EQ(options(abandon_options, {"--without", "green"}).without, "green");
  EXPECT_THROW(options(abandon_options, {"--without", "blue"}), Error) << "it serves";
  EXPECT_EQ(options(finish_options, {"--without", "blue"}).without, "blue");
  EXPECT_THROW(options(finish_options, {"--without", "green"}), Error) << "it serves";
  EXPECT_EQ(options(recover_options, {"--without", "green"}).without, "green");
  EXPECT_TRUE(options(recover_options, {"--source-not-restored"}).source_not_restored);
  EXPECT_TRUE(options(recover_options, {"--take-over"}).take_over);
  EXPECT_TRUE(options(check_options, {"--offline"}).offline);
  const Invocation verify = options(verify_options, {"--mode", "counts", "--table", "a.b", "--table", "c.d"});
  EXPECT_EQ(verify.mode, "counts");
  EXPECT_EQ(verify.tables, (std::vector<std::string>{"a.b", "c.d"}));
  const Invocation up = options(sandbox_up_options, {"--blue", "13", "--bindir", "/x", "--bindir", "/y"});
  EXPECT_EQ(up.sandbox_up.blue, 13);
  EXPECT_EQ(up.sandbox_up.bindirs.size(), 2U);
  EXPECT_EQ(options(sandbox_demo_options, {"--fault", "target"}).sandbox_demo.fault, "target");
}

TEST(CommandOptions, NumbersAreDecimal) {
  EXPECT_THROW(options(sandbox_up_options, {"--blue", "0x0f"}), Error);
  EXPECT_THROW(options(sandbox_up_options, {"--blue", "015"}), Error);
  EXPECT_THROW(options(sandbox_up_options, {"--blue", "12"}), Error);
}

TEST(CommandOptions, LossIsAcceptedByTimeOrBySize) {
  EXPECT_EQ(options(rollback_options, {"--force", "--accept-loss=90s"}).accept_loss.seconds, std::chrono::seconds(90));
  EXPECT_FALSE(options(rollback_options, {"--accept-loss=90s"}).accept_loss.bytes);
  EXPECT_EQ(options(rollback_options, {"--accept-loss=5MiB"}).accept_loss.bytes, 5 << 20);
  EXPECT_EQ(options(rollback_options, {"--accept-loss=0"}).accept_loss.bytes, 0);
  EXPECT_THROW(options(rollback_options, {"--accept-loss=all"}), Error);
}

TEST(Suggestion, NamesTheNearestWithinTwoEdits) {
  EXPECT_EQ(nearest("swich", {"verify", "switch"}), "switch");
  EXPECT_EQ(nearest("max_pauze", {"max_pause"}), "max_pause");
  EXPECT_EQ(nearest("lcok", {"lock"}), "lock");
  EXPECT_EQ(nearest("abandon", {"switch"}), std::nullopt);
  EXPECT_EQ(nearest("ab", {"cd"}), std::nullopt);
}

namespace {

std::string confirmation(const Invocation& invocation, bool is_terminal, const std::string& typed) {
  std::ostringstream results;
  std::ostringstream messages;
  std::istringstream keyboard(typed);
  Output output(results, messages, {}, invocation.command);
  try {
    require_confirmation(invocation, "orders", output, is_terminal, keyboard);
  } catch (const Error& error) {
    EXPECT_EQ(error.failure(), Failure::usage);
    return error.id();
  }
  return "confirmed";
}

}  // namespace

TEST(Confirmation, TakesOnlyTheDeploymentsName) {
  Invocation invocation;
  invocation.command = "switch";
  EXPECT_EQ(confirmation(invocation, false, "orders\n"), "confirm-needed");
  EXPECT_EQ(confirmation(invocation, true, "orders\n"), "confirmed");
  EXPECT_EQ(confirmation(invocation, true, "order\n"), "confirm-mismatch");
  EXPECT_EQ(confirmation(invocation, true, ""), "confirm-mismatch");
  invocation.yes = true;
  EXPECT_EQ(confirmation(invocation, false, ""), "confirm-needed");
  invocation.confirm = "shop";
  EXPECT_EQ(confirmation(invocation, true, "orders\n"), "confirm-mismatch");
  invocation.confirm = "orders";
  EXPECT_EQ(confirmation(invocation, false, ""), "confirmed");
}

TEST(Confirmation, DryRunNeedsNone) {
  Invocation invocation;
  invocation.dry_run = true;
  EXPECT_EQ(confirmation(invocation, false, ""), "confirmed");
}

TEST(Environment, PasswordIsRefusedAndNeverPrinted) {
  setenv("PGPASSWORD", "geheim", 1);
  try {
    refuse_password_in_environment();
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.id(), "env-password");
    EXPECT_EQ(text_of(error).find("geheim"), std::string::npos);
    EXPECT_NE(error.hint().find("HOST:PORT:DATABASE:USER:PASSWORD"), std::string::npos);
  }
  unsetenv("PGPASSWORD");
  EXPECT_NO_THROW(refuse_password_in_environment());
}

TEST(Environment, DefaultsForBothSidesAreRemoved) {
  setenv("PGHOST", "db9", 1);
  setenv("PGOPTIONS", "-c role=x", 1);
  setenv("PGSSLROOTCERT", "/ca.pem", 1);
  EXPECT_EQ(remove_connection_defaults(), (std::vector<std::string>{"PGHOST", "PGOPTIONS"}));
  EXPECT_EQ(std::getenv("PGHOST"), nullptr);
  EXPECT_NE(std::getenv("PGSSLROOTCERT"), nullptr);
  unsetenv("PGSSLROOTCERT");
}
