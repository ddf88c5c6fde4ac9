// What a gate that is red costs: told once, waited for as long as its policy allows and no longer, refused by its id;
// asked anew right before clients are held. And programs as gates.
#include "controller/gates/gate_watch.hpp"

#include <gtest/gtest.h>

#include <signal.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "controller/gates/command_probe.hpp"
#include "controller/sandbox/scratch_dir.hpp"
#include "replication/errors.hpp"

namespace verdigris {
namespace {

using namespace std::chrono_literals;

struct FakeProbe final : Probe {
  FakeProbe(std::string id, std::string& red, int& asked_times, const bool& settles)
      : Probe(std::move(id)), state(red), asked(asked_times), is_settling(settles) {}
  std::string describe() const override { return id() + " as wanted"; }
  std::optional<GateAnswer> ask(Deadline deadline) override {
    ++asked;
    EXPECT_GT(deadline.remaining(), 5s) << "each question has its own time";
    return GateAnswer{state, "Mend it.", is_settling};
  }
  std::string& state;
  int& asked;
  const bool& is_settling;
};

// A program that needs so long; counts how often it was begun.
struct FakeProgram final : Probe {
  FakeProgram(std::string id, std::chrono::milliseconds long_, int& begun_times)
      : Probe(std::move(id)), needs(long_), begun(begun_times) {}
  std::string describe() const override { return id(); }
  bool runs_program() const override { return true; }
  std::optional<GateAnswer> ask(Deadline) override {
    const auto now = std::chrono::steady_clock::now();
    if (!since) ++begun;
    if (!since) since = now;
    if (now - *since < needs) return std::nullopt;
    since.reset();
    return GateAnswer{};
  }
  std::chrono::milliseconds needs;
  int& begun;
  std::optional<std::chrono::steady_clock::time_point> since;
};

class GateWatches : public testing::Test {
 protected:
  void add(GatePolicy policy) { watch_.add(std::make_unique<FakeProbe>("totals", red_, asked_, is_settling_), policy); }
  // "id/kind: text" of what obstacle() throws.
  static std::string refusal_of(const std::function<void()>& act) {
    try {
      act();
    } catch (const Error& error) {
      const char* kind = error.failure() == Failure::refused     ? "refused"
                         : error.failure() == Failure::timed_out ? "timed out"
                                                                 : "other";
      return error.id() + "/" + kind + ": " + error.what() + " (" + error.hint() + ")";
    }
    return "";
  }

  std::string told_, red_;
  int asked_ = 0;
  bool is_settling_ = false;
  GateWatch watch_{[this](const std::string& text) { told_ += text + "\n"; }};
};

TEST_F(GateWatches, WithoutGatesNothingIsInTheWay) {
  EXPECT_FALSE(watch_.has_gates());
  EXPECT_FALSE(watch_.obstacle());
  EXPECT_FALSE(watch_.last_obstacle());
}

TEST_F(GateWatches, ARedOneIsRefusedByItsIdAndWhatItSaw) {
  add({});
  red_ = "green: it is 3, and not = 0";
  EXPECT_EQ(refusal_of([&] { watch_.obstacle(); }),
            "gate.totals/refused: gate totals: green: it is 3, and not = 0 (Mend it.)");
}

TEST_F(GateWatches, ItIsWaitedForAsLongAsItsPolicyAllows) {
  add({100ms});
  red_ = "it is 3";
  EXPECT_EQ(watch_.obstacle(), "waits for gate totals, at most 100ms");
  EXPECT_EQ(watch_.obstacle(), "waits for gate totals, at most 100ms");
  std::this_thread::sleep_for(110ms);
  EXPECT_EQ(refusal_of([&] { watch_.obstacle(); }),
            "gate.totals/timed out: gate totals: it is 3, and it was waited for 100ms (Mend it.)");
}

// One that is red every other moment would else hold up somebody for ever.
TEST_F(GateWatches, TheWaitsForItCountTogether) {
  add({150ms});
  EXPECT_FALSE(watch_.obstacle());
  std::string last;
  for (int i = 0; i < 8 && last.empty(); ++i) {
    red_ = "it is 3";
    last = refusal_of([&] { watch_.last_obstacle(); });
    std::this_thread::sleep_for(40ms);
    red_.clear();
    if (last.empty()) last = refusal_of([&] { watch_.last_obstacle(); });
  }
  EXPECT_TRUE(last.starts_with("gate.totals/timed out")) << last;
}

TEST_F(GateWatches, WhatItWaitsForOthersDoesNotCount) {
  add({100ms});
  red_ = "it is 3";
  EXPECT_TRUE(watch_.obstacle());
  watch_.wait_for_others();
  std::this_thread::sleep_for(120ms);
  EXPECT_EQ(refusal_of([&] { watch_.obstacle(); }), "");
}

TEST_F(GateWatches, OnlyChangesAreTold) {
  add({1h});
  watch_.look();
  EXPECT_EQ(told_, "");
  red_ = "it is 3";
  for (int i = 0; i < 3; ++i) watch_.last_obstacle();
  EXPECT_EQ(told_, "gate totals is red: it is 3\n");
  red_ = "it is 4";
  watch_.last_obstacle();
  red_.clear();
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(watch_.last_obstacle());
  EXPECT_EQ(told_, "gate totals is red: it is 3\ngate totals is green again\n");
}

TEST_F(GateWatches, AtLastItIsAskedAnewHoweverRecentTheAnswerIs) {
  add({});
  for (int i = 0; i < 5; ++i) watch_.obstacle();
  EXPECT_EQ(asked_, 1) << "about every second is enough while it waits";
  red_ = "it is 3";
  EXPECT_FALSE(watch_.obstacle());
  EXPECT_NE(refusal_of([&] { watch_.last_obstacle(); }), "");
}

TEST_F(GateWatches, WhatIsOnlyToldIsNeverInTheWay) {
  add({.is_told_only = true});
  red_ = "it is 3";
  watch_.look();
  EXPECT_EQ(told_, "gate totals is red: it is 3\n");
  EXPECT_FALSE(watch_.obstacle());
  EXPECT_FALSE(watch_.last_obstacle());
  EXPECT_FALSE(watch_.refusal());
  EXPECT_FALSE(watch_.has_gates());
}

TEST_F(GateWatches, ADryRunNamesWhatWouldBeRefusedAtOnce) {
  add({});
  EXPECT_FALSE(watch_.refusal());
  red_ = "it is 3";
  const auto refusal = watch_.refusal();
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->red, "gate totals: it is 3");
  EXPECT_EQ(told_, "");
}

// Small by now, but not for long enough: that is the time of stable_for, and not of wait.
TEST_F(GateWatches, OneThatSettlesIsWaitedForBesideItsWait) {
  add({});
  red_ = "behind by little for 1 s of 30s";
  is_settling_ = true;
  for (int i = 0; i < 2; ++i) EXPECT_EQ(watch_.obstacle(), "waits for gate totals to stay green");
  EXPECT_FALSE(watch_.refusal()) << "nothing to mend";
  EXPECT_EQ(told_, "gate totals is not green yet: behind by little for 1 s of 30s\n");
  is_settling_ = false;
  std::this_thread::sleep_for(1010ms);
  EXPECT_TRUE(refusal_of([&] { watch_.obstacle(); }).starts_with("gate.totals/refused"));
}

// What was made ready for the pause would be old when a program has answered.
TEST_F(GateWatches, ProgramsRunTogetherAndNotAnewAtLast) {
  int begun = 0;
  watch_.add(std::make_unique<FakeProgram>("one", 300ms, begun), {});
  watch_.add(std::make_unique<FakeProgram>("other", 300ms, begun), {});
  EXPECT_TRUE(watch_.last_obstacle()) << "they have never answered";
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_FALSE(watch_.obstacle());
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 550ms);
  EXPECT_FALSE(watch_.last_obstacle());
  EXPECT_EQ(begun, 2);
  EXPECT_EQ(watch_.account(), "2 of 2 gates green");
}

class CommandGates : public testing::Test {
 protected:
  std::filesystem::path script(const std::string& lines,
                               std::filesystem::perms perms = std::filesystem::perms::owner_all) {
    const auto file = dir_.path() / "canary";
    std::ofstream(file) << "#!/bin/sh\n" << lines << "\n";
    std::filesystem::permissions(file, perms);
    return file;
  }
  static std::string red_of(const std::vector<std::string>& argv, std::chrono::milliseconds timeout = 10s) {
    CommandProbe probe(CommandGate{"canary", {argv, timeout}});
    for (const auto deadline = Deadline::after(20s); !deadline.has_passed(); std::this_thread::sleep_for(2ms))
      if (const auto answer = probe.ask(deadline)) return answer->red;
    return "no answer";
  }
  ScratchDir dir_{"vgt-"};
};

TEST_F(CommandGates, ExitCodeZeroIsGreenAndArgumentsArriveWhole) {
  const auto file = script("[ \"$#\" = 2 ] && [ \"$1\" = 'a b' ] && [ \"$2\" = '$HOME;' ]");
  EXPECT_EQ(red_of({file.string(), "a b", "$HOME;"}), "");
  EXPECT_NE(red_of({file.string(), "a", "b"}), "");
}

TEST_F(CommandGates, AnotherOneIsRedWithItsLastWords) {
  const auto file = script("echo first; echo 'latency 3 s' >&2; exit 3");
  EXPECT_EQ(red_of({file.string(), "green"}), "\"" + file.string() + " green\" ended with exit code 3: latency 3 s");
  EXPECT_EQ(red_of({script("exit 1").string()}), "\"" + file.string() + "\" ended with exit code 1, and said nothing");
}

TEST_F(CommandGates, OneThatDoesNotEndIsEnded) {
  const auto file = script("sleep 60 & wait");
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(red_of({file.string()}, 100ms), "\"" + file.string() + "\" did not end within 100ms and was ended");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
}

// The shell dies of TERM at once; what it started does not.
TEST_F(CommandGates, WhatItStartedIsEndedWithIt) {
  const auto pid_file = dir_.path() / "pid";
  const auto file = script("(trap '' TERM; echo $$ >/dev/null; exec sleep 60) & echo $! > " + pid_file.string() + "; wait");
  EXPECT_NE(red_of({file.string()}, 300ms).find("did not end"), std::string::npos);
  int child = 0;
  std::ifstream(pid_file) >> child;
  ASSERT_GT(child, 0);
  for (const auto deadline = Deadline::after(5s); ::kill(child, 0) == 0 && !deadline.has_passed();)
    std::this_thread::sleep_for(5ms);
  EXPECT_NE(::kill(child, 0), 0) << "it outlives the gate";
}

TEST_F(CommandGates, WordsThatAreNoTextAreShownAllTheSame) {
  const auto red = red_of({script("printf 'caf\\351 '; i=0; while [ $i -lt 120 ]; do printf '\\303\\251'; i=$((i+1)); done; exit 1").string()});
  EXPECT_NE(red.find("caf\\xe9 \u00e9"), std::string::npos) << red;
  EXPECT_TRUE(red.ends_with("...")) << red;
  EXPECT_NO_THROW(nlohmann::json(red).dump());
}

TEST_F(CommandGates, OneThatOthersMayChangeOrThatIsNotThereIsNotRun) {
  using std::filesystem::perms;
  const auto mark = dir_.path() / "ran";
  const auto file = script("touch " + mark.string(), perms::owner_all | perms::others_write);
  EXPECT_EQ(red_of({file.string()}), "\"" + file.string() + "\" is writable by group or others");
  EXPECT_EQ(red_of({file.string() + "-gone"}), "\"" + file.string() + "-gone\" is not there");
  std::filesystem::permissions(file, perms::owner_read | perms::owner_write);
  EXPECT_EQ(red_of({file.string()}), "\"" + file.string() + "\" is not a program that we may run");
  EXPECT_FALSE(std::filesystem::exists(mark));
}

TEST_F(CommandGates, OneThatSaysVeryMuchIsCutShort) {
  const auto file = script(
      "i=0; while [ $i -lt 3000 ]; do echo 0123456789012345678901234567890123456789; i=$((i+1)); done; echo last; exit "
      "1");
  EXPECT_EQ(red_of({file.string()}), "\"" + file.string() + "\" ended with exit code 1: last");
}

}  // namespace
}  // namespace verdigris
