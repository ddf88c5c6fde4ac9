// The driver `command` with small programs: what they are asked, what is made of their answers and failures.
#include "controller/traffic_command.hpp"

#include <gtest/gtest.h>

#include <signal.h>

#include <fstream>
#include <thread>

#include "controller/sandbox/scratch_dir.hpp"
#include "replication/errors.hpp"

namespace verdigris {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

Deadline soon() { return Deadline::after(20s); }

const Endpoint kBlue{"db1", "5432", "orders", "blue"};
const Endpoint kGreen{"db2", "5433", "orders", "green"};

// Keeps its state in files beside it: "target" what show prints, "held", "asked" what it was asked.
constexpr const char* kProgram = R"sh(#!/bin/sh
cd "$(dirname "$0")"
echo "$#:$*" >>asked
case $1 in
  show) cat target 2>/dev/null || exit 4; ;;
  set) echo "$2" >target ;;
  hold) sed -i 's/$/ held/' target ;;
  go) sed -i 's/ held//' target ;;
esac
)sh";

class CommandDriver : public testing::Test {
 protected:
  CommandDriver() : program_(dir_.path() / "lead") {
    write("lead", kProgram);
    fs::permissions(program_, fs::perms::owner_all);
    write("target", "blue\n");
    commands_.set_target = line({"set", "{color}"});
    commands_.show_target = line({"show"});
  }
  CommandLine line(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), program_.string());
    return {arguments, 5s};
  }
  void let_it_hold(bool is_observable) {
    commands_.hold = line({"hold"});
    commands_.hold->timeout = 1s;
    commands_.release = line({"go"});
    commands_.can_hold_clients = true;
    commands_.pause_observable = is_observable;
  }
  void write(const std::string& name, const std::string& text) const { std::ofstream(dir_.path() / name) << text; }
  std::string read(const std::string& name) const {
    std::ifstream file(dir_.path() / name);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  template <class Act>
  std::string error_of(Act act) {
    try {
      CommandTraffic traffic(commands_);
      act(traffic);
    } catch (const Error& error) {
      return error.id() + (error.failure() == Failure::refused ? " (refused): " : ": ") + error.what();
    }
    return "accepted";
  }
  std::string refusal() {
    return error_of([](Traffic& traffic) { traffic.require_ready(kBlue, 5s, soon()); });
  }

  ScratchDir dir_{"vgt-"};
  fs::path program_;
  TrafficCommands commands_;
};

TEST_F(CommandDriver, LeadsThereAndReadsItBack) {
  CommandTraffic traffic(commands_);
  traffic.require_ready(kBlue, 5s, soon());
  traffic.pause(soon());
  EXPECT_FALSE(traffic.has_moved(kGreen, soon()));
  traffic.move(kGreen, soon());
  EXPECT_TRUE(traffic.has_moved(kGreen, soon()));
  EXPECT_EQ(traffic.state(soon()).at(0).target.color, "green");
  EXPECT_TRUE(traffic.pause_times().last_resume_acknowledged);
  EXPECT_EQ(read("asked"), "1:show\n2:set blue\n1:show\n2:set green\n1:show\n1:show\n1:show\n");
}

TEST_F(CommandDriver, SaysThatNobodyIsHeld) {
  CommandTraffic traffic(commands_);
  EXPECT_FALSE(traffic.abilities().can_hold_clients);
  EXPECT_EQ(traffic.effect_on_clients().substr(0, 12), "brief errors");
}

TEST_F(CommandDriver, ArgumentsReachTheProgramAsTheyAre) {
  commands_.set_target = line({"set", "{color}", "$(touch broken); `id` \"{target_host}\"", "a b"});
  CommandTraffic(commands_).point_to(kGreen, soon());
  EXPECT_NE(read("asked").find("4:set green $(touch broken); `id` \"db2\" a b\n"), std::string::npos) << read("asked");
  EXPECT_FALSE(fs::exists(dir_.path() / "broken"));
}

TEST_F(CommandDriver, AnAnswerIsTheColourOrTheAddress) {
  for (const char* answer : {"blue\n", "blue", "db1:5432\n", "db1:5432/orders\n"}) {
    write("target", answer);
    EXPECT_EQ(error_of([](Traffic& t) { t.require_sound(kBlue, 5s, soon()); }), "accepted") << answer;
  }
  for (const char* answer : {"green", "db2:5432", "db1:5433", "db1", "db1:5432/other"}) {
    write("target", answer);
    EXPECT_EQ(refusal().substr(0, 25), "pooler.target (refused): ") << answer;
  }
  for (const char* answer : {"", "\n", "blue green", "blue held", "blue\ngreen\n", "blue held now"}) {
    write("target", answer);
    EXPECT_EQ(refusal().substr(0, 33), "pooler.command-answer (refused): ") << answer;
  }
}

TEST_F(CommandDriver, AFailureSaysWhichProgramAndWhy) {
  fs::remove(dir_.path() / "target");
  EXPECT_EQ(refusal(), "pooler.command-failed (refused): command show_target (" + program_.string() +
                           " show): exit code 4: it said nothing on standard error");
  write("target", "blue\n");
  commands_.set_target = {{"/bin/sh", "-c", "echo first >&2; echo last words >&2; echo HINT: rest >&2; exit 9", "{color}"}, 5s};
  EXPECT_NE(refusal().find("exit code 9: last words"), std::string::npos) << refusal();
}

TEST_F(CommandDriver, AHangingProgramIsKilled) {
  commands_.show_target = {{"/bin/sleep", "60"}, 200ms};
  const auto began = Deadline::Clock::now();
  EXPECT_EQ(refusal(), "pooler.command-timeout (refused): command show_target (/bin/sleep 60): did not end within 200ms and was killed");
  EXPECT_LT(Deadline::Clock::now() - began, 5s);
}

TEST_F(CommandDriver, WhatLeadsElsewhereHasNotMoved) {
  commands_.set_target = {{"/bin/true", "{color}"}, 5s};
  EXPECT_EQ(error_of([](Traffic& traffic) { traffic.move(kGreen, soon()); }),
            "pooler.target: command show_target: clients are led to blue after set_target led them to green (db2:5433/orders)");
}

TEST_F(CommandDriver, AProgramThatOthersMayChangeIsRefused) {
  fs::permissions(program_, fs::perms::owner_all | fs::perms::others_write);
  EXPECT_NE(refusal().find("is writable by group or others"), std::string::npos) << refusal();
  fs::permissions(program_, fs::perms::owner_read);
  commands_.show_target.argv = {"/nowhere/lead"};
  EXPECT_NE(refusal().find("is not"), std::string::npos) << refusal();
}

// Whoever recovers has not asked whether it is ready.
TEST_F(CommandDriver, AProgramThatOthersMayChangeIsNeverRun) {
  let_it_hold(true);
  fs::permissions(program_, fs::perms::owner_all | fs::perms::group_write);
  for (const auto& act : std::vector<void (*)(Traffic&)>{[](Traffic& t) { t.resume(soon()); }, [](Traffic& t) { t.move(kGreen, soon()); },
                                                         [](Traffic& t) { t.pause(soon()); }, [](Traffic& t) { t.state(soon()); }})
    EXPECT_EQ(error_of(act).substr(0, 30), "pooler.command-file (refused):");
  EXPECT_EQ(read("asked"), "");
}

// The program and a child of it, both deaf to TERM: clients wait for the whole of it.
TEST_F(CommandDriver, AHoldThatIgnoresTermKeepsTheBudget) {
  let_it_hold(false);
  commands_.hold = {{"/bin/sh", "-c", "trap '' TERM; sleep 60 & echo $! >\"$0\"; wait; sleep 60", (dir_.path() / "child").string()}, 300ms};
  const auto began = Deadline::Clock::now();
  EXPECT_EQ(error_of([](Traffic& traffic) { traffic.pause(Deadline::after(500ms)); }).substr(0, 21), "pooler.pause-timeout:");
  EXPECT_LT(Deadline::Clock::now() - began, 800ms);
  const pid_t child = std::stoi(read("child"));
  for (int i = 0; i < 100 && ::kill(child, 0) == 0; ++i) std::this_thread::sleep_for(5ms);
  std::ifstream stat("/proc/" + std::to_string(child) + "/stat");
  const std::string state(std::istreambuf_iterator<char>(stat), {});
  EXPECT_TRUE(state.empty() || state.find(") Z ") != std::string::npos) << state;  // nobody reaps it in a container
}

TEST_F(CommandDriver, HoldsAndReleasesAndReadsBoth) {
  let_it_hold(true);
  CommandTraffic traffic(commands_);
  traffic.pause(soon());
  EXPECT_TRUE(traffic.state(soon()).at(0).is_paused);
  EXPECT_EQ(refusal().substr(0, 26), "pooler.paused (refused): c");
  traffic.point_to(kGreen, soon());
  write("target", "green held\n");
  EXPECT_FALSE(traffic.has_moved(kGreen, soon()));
  traffic.resume(soon());
  EXPECT_TRUE(traffic.has_moved(kGreen, soon()));
}

// Whether clients are still held cannot be seen after a crash: they are released once more.
TEST_F(CommandDriver, AnUnobservableHoldIsReleasedByWhoeverCompletesTheMove) {
  let_it_hold(false);
  write("target", "green\n");
  CommandTraffic traffic(commands_);
  EXPECT_FALSE(traffic.has_moved(kGreen, soon()));
  traffic.move(kGreen, soon());
  EXPECT_TRUE(traffic.has_moved(kGreen, soon()));
  EXPECT_NE(read("asked").find("1:go\n"), std::string::npos);
}

TEST_F(CommandDriver, AHoldThatIsNotThereIsNoted) {
  let_it_hold(true);
  commands_.hold = {{"/bin/true"}, 1s};
  EXPECT_EQ(error_of([](Traffic& traffic) { traffic.pause(soon()); }).substr(0, 18), "pooler.pause-lies:");
  commands_.hold = {{"/bin/sleep", "60"}, 200ms};
  EXPECT_EQ(error_of([](Traffic& traffic) { traffic.pause(soon()); }).substr(0, 21), "pooler.pause-timeout:");
  commands_.hold = {{"/bin/true"}, 5s};
  EXPECT_EQ(refusal().substr(0, 24), "pooler.budget (refused):");
}

}  // namespace
}  // namespace verdigris
