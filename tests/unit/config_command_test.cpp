// The section pooler.command: programs by argv, with placeholders in set_target alone, a timeout each, and claims that
// fit what is given. The examples of its page are read, too.
#include <gtest/gtest.h>

#include <fstream>

#include "controller/placeholders.hpp"
#include "tests/unit/config_sample.hpp"

using namespace verdigris;
using namespace verdigris::tests;
using std::chrono::milliseconds;

namespace {

const std::string kSet = "    set_target: { argv: [/x/lead, set, \"{color}\"], timeout: 5s }\n";
const std::string kShow = "    show_target: { argv: [/x/lead, show], timeout: 2s }\n";
const std::string kHold = "    hold: { argv: [/x/lead, hold], timeout: 1s }\n    release: { argv: [/x/lead, go], timeout: 1s }\n";

std::string with_commands(const std::string& lines, const std::string& more = "") {
  return replaced("  driver: none\n", "  driver: command\n  command:\n" + lines + more);
}

std::string with_set(const std::string& argv) {
  return with_commands("    set_target: { argv: " + argv + ", timeout: 5s }\n" + kShow);
}

struct Case {
  std::string text, fault;
};

const Case kCases[] = {
    {with_commands(kSet + kShow), "accepted"},
    {with_commands(kSet + kShow, "  pause: { attempts: 3, backoff: 1m }\n"), "accepted"},
    {with_commands(kSet + kShow + kHold + "    can_hold_clients: true\n    knows_transaction_end: true\n    pause_observable: true\n"),
     "accepted"},
    {replaced("  driver: none\n", "  driver: command\n"), "missing-key: \"pooler.command\" is missing"},
    {with_commands(kSet), "missing-key: \"pooler.command.show_target\" is missing"},
    {with_commands(kShow), "missing-key: \"pooler.command.set_target\" is missing"},
    {with_set("[]"), "value: \"pooler.command.set_target.argv\" names no program"},
    {with_set("lead"), "type: \"pooler.command.set_target.argv\" must be a list, not a single value"},
    {with_set("[lead, \"{color}\"]"), "value: \"lead\" is not the absolute path of a program"},
    {with_set("[/x/lead, blue]"), "value: \"pooler.command.set_target\" is the same for blue and for green"},
    {with_set("[/x/lead, \"{database}\"]"), "value: \"pooler.command.set_target\" is the same for blue and for green"},
    {with_set("[/x/lead, \"{target_host}:{target_port}/{database}\"]"), "accepted"},
    {with_set("[/x/lead, \"{color}\", \"{}{\"]"), "accepted"},
    {with_set("[/x/lead, \"{color}\", \"{colour}\"]"),
     "value: {colour} is not one of {target_host}, {target_port}, {database}, {color}; did you mean \"color\"?"},
    {with_set("[\"/x/{color}\", \"{color}\"]"), "value: a placeholder cannot name the program"},
    {with_commands(kSet + "    show_target: { argv: [/x/lead, \"{color}\"], timeout: 2s }\n"),
     "value: {color} means nothing in \"pooler.command.show_target\": it is run without a target"},
    {with_commands(kSet + "    show_target: { argv: [/x/lead] }\n"), "missing-key: \"pooler.command.show_target.timeout\" is missing"},
    {with_commands(kSet + "    show_target: { argv: [/x/lead], timeout: 21s }\n"), "range: \"21s\" is out of range (50ms to 20s)"},
    {with_commands(kSet + "    show_target: { argv: [/x/lead], timeout: 1s, shell: true }\n"),
     "unknown-key: \"shell\" is not a key of \"pooler.command.show_target\""},
    {with_commands(kSet + kShow + kHold), "value: \"pooler.command.hold\" is never run without can_hold_clients: true"},
    {with_commands(kSet + kShow + "    can_hold_clients: true\n"), "missing-key: \"pooler.command.hold\" is missing"},
    {with_commands(kSet + kShow + "    release: { argv: [/x/lead, go], timeout: 1s }\n"),
     "missing-key: \"pooler.command\" must name both hold and release, or neither"},
    {with_commands(kSet + kShow + "    pause_observable: true\n"),
     "value: \"pooler.command.pause_observable\" means nothing without can_hold_clients: true"},
    {with_commands(kSet + kShow + "    can_hold_clients: \"true\"\n"),
     "type: \"pooler.command.can_hold_clients\" must stand without quotes"},
    {with_commands(kSet + kShow + "    can_hold: true\n"), "unknown-key: \"can_hold\" is not a key of \"pooler.command\""},
    {with_commands(kSet + kShow, "  databases: [orders]\n"), "value: \"pooler.databases\" means nothing with driver: command"},
    {with_commands(kSet + kShow, "  pause: { timeout: 1s }\n"),
     "value: \"pooler.pause.timeout\" means nothing with driver: command"},
    {with_commands(kSet + kShow + replaced("1s", "5s", kHold) + "    can_hold_clients: true\n"),
     "range: pooler.command.hold.timeout (5s) must be shorter than cutover.max_pause (5s)"},
    {replaced("  driver: none\n", "  driver: none\n  command: {}\n"), "value: \"pooler.command\" means nothing with driver: none"},
    {replaced("  driver: none\n", "  driver: comand\n"),
     "value: \"comand\" is not one of pgbouncer, command, none; did you mean \"command\"?"},
};

}  // namespace

TEST(PlaybookCommand, IsRunByArgvWithTimeoutsAndClaimsThatFit) {
  for (const Case& each : kCases) EXPECT_EQ(only_fault(each.text), each.fault) << each.text;
}

TEST(PlaybookCommand, IsDecodedAsWritten) {
  const auto command = decoded(with_commands(kSet + kShow + kHold + "    can_hold_clients: true\n")).pooler.command;
  EXPECT_EQ(command.set_target.argv, (std::vector<std::string>{"/x/lead", "set", "{color}"}));
  EXPECT_EQ(command.set_target.timeout, milliseconds(5000));
  EXPECT_EQ(command.release.value().argv.back(), "go");
  EXPECT_TRUE(command.can_hold_clients);
  EXPECT_FALSE(command.knows_transaction_end);
}

// Nobody drains clients that no PgBouncer holds; what is written counts.
TEST(PlaybookCommand, EndsSessionsUnlessItIsSaidOtherwise) {
  EXPECT_EQ(decoded(with_commands(kSet + kShow)).fence.bypass, BypassPolicy::terminate);
  EXPECT_EQ(decoded(kSample).fence.bypass, BypassPolicy::terminate);
  EXPECT_EQ(decoded(with_line("fence: { bypass: refuse }")).fence.bypass, BypassPolicy::refuse);
}

TEST(PlaybookCommand, ExamplesOfItsPageAreAccepted) {
  std::ifstream file(VERDIGRIS_SOURCE_DIR "/playbooks/other_traffic.md");
  const std::string page(std::istreambuf_iterator<char>(file), {});
  int count = 0;
  const std::string open = "```yaml\n";
  for (auto at = page.find(open); at != std::string::npos; at = page.find(open, at + 1)) {
    const auto begin = at + open.size();
    const auto example = page.substr(begin, page.find("```", begin) - begin);
    EXPECT_EQ(only_fault(replaced("pooler:\n  driver: none\n", example)), "accepted") << example;
    ++count;
  }
  EXPECT_EQ(count, 3);
}

TEST(Placeholders, AreFilledOnceAndInsideOneArgument) {
  const Endpoint target{"db2; rm -rf {color}", "5433", "or ders", "green"};
  EXPECT_EQ(fill_placeholders("--to={target_host}:{target_port}/{database}", target), "--to=db2; rm -rf {color}:5433/or ders");
  EXPECT_EQ(fill_placeholders("{{color}} {} {x y} {other} {color", target), "{green} {} {x y} {other} {color");
}
