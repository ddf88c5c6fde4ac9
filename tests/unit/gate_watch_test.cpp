// What a gate that is red costs: told once, waited for as long as its policy allows and no longer, refused by its id;
// asked anew right before clients are held. And programs as gates.
#include "controller/gates/gate_watch.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "controller/gates/command_probe.hpp"
#include "controller/sandbox/scratch_dir.hpp"
#include "replication/errors.hpp"

namespace verdigris {
namespace {

using namespace std::chrono_literals;

Deadline in_time() {
  return Deadline::after(10s);
}

struct FakeProbe final : Probe {
  FakeProbe(std::string id, std::string& red, int& asked_times)
      : Probe(std::move(id)), state(red), asked(asked_times) {}
  std::string describe() const override { return id() + " as wanted"; }
  std::optional<GateAnswer> ask(Deadline) override {
    ++asked;
    return GateAnswer{state, "Mend it."};
  }
  std::string& state;
  int& asked;
};

class GateWatches : public testing::Test {
 protected:
  void add(GatePolicy policy) { watch_.add(std::make_unique<FakeProbe>("totals", red_, asked_), policy); }
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
  GateWatch watch_{[this](const std::string& text) { told_ += text + "\n"; }};
};

TEST_F(GateWatches, WithoutGatesNothingIsInTheWay) {
  EXPECT_FALSE(watch_.has_gates());
  EXPECT_FALSE(watch_.obstacle(in_time()));
  EXPECT_FALSE(watch_.last_obstacle(in_time()));
}

TEST_F(GateWatches, ARedOneIsRefusedByItsIdAndWhatItSaw) {
  add({});
  red_ = "green: it is 3, and not = 0";
  EXPECT_EQ(refusal_of([&] { watch_.obstacle(in_time()); }),
            "gate.totals/refused: gate totals: green: it is 3, and not = 0 (Mend it.)");
}

TEST_F(GateWatches, ItIsWaitedForAsLongAsItsPolicyAllows) {
  add({100ms});
  red_ = "it is 3";
  EXPECT_EQ(watch_.obstacle(in_time()), "waits for gate totals, at most 100ms");
  EXPECT_EQ(watch_.obstacle(in_time()), "waits for gate totals, at most 100ms");
  std::this_thread::sleep_for(110ms);
  EXPECT_EQ(refusal_of([&] { watch_.obstacle(in_time()); }),
            "gate.totals/timed out: gate totals: it is 3, and it was waited for 100ms (Mend it.)");
}

// One that is red every other moment would else hold up somebody for ever.
TEST_F(GateWatches, TheWaitsForItCountTogether) {
  add({150ms});
  std::string last;
  for (int i = 0; i < 8 && last.empty(); ++i) {
    red_ = "it is 3";
    last = refusal_of([&] { watch_.last_obstacle(in_time()); });
    std::this_thread::sleep_for(40ms);
    red_.clear();
    if (last.empty()) last = refusal_of([&] { watch_.last_obstacle(in_time()); });
  }
  EXPECT_TRUE(last.starts_with("gate.totals/timed out")) << last;
}

TEST_F(GateWatches, WhatItWaitsForOthersDoesNotCount) {
  add({100ms});
  red_ = "it is 3";
  EXPECT_TRUE(watch_.obstacle(in_time()));
  watch_.wait_for_others();
  std::this_thread::sleep_for(120ms);
  EXPECT_EQ(refusal_of([&] { watch_.obstacle(in_time()); }), "");
}

TEST_F(GateWatches, OnlyChangesAreTold) {
  add({1h});
  watch_.look(in_time());
  EXPECT_EQ(told_, "");
  red_ = "it is 3";
  for (int i = 0; i < 3; ++i) watch_.last_obstacle(in_time());
  EXPECT_EQ(told_, "gate totals is red: it is 3\n");
  red_ = "it is 4";
  watch_.last_obstacle(in_time());
  red_.clear();
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(watch_.last_obstacle(in_time()));
  EXPECT_EQ(told_, "gate totals is red: it is 3\ngate totals is green again\n");
}

TEST_F(GateWatches, AtLastItIsAskedAnewHoweverRecentTheAnswerIs) {
  add({});
  for (int i = 0; i < 5; ++i) watch_.obstacle(in_time());
  EXPECT_EQ(asked_, 1) << "about every second is enough while it waits";
  red_ = "it is 3";
  EXPECT_FALSE(watch_.obstacle(in_time()));
  EXPECT_NE(refusal_of([&] { watch_.last_obstacle(in_time()); }), "");
}

TEST_F(GateWatches, WhatIsOnlyToldIsNeverInTheWay) {
  add({.is_told_only = true});
  red_ = "it is 3";
  watch_.look(in_time());
  EXPECT_EQ(told_, "gate totals is red: it is 3\n");
  EXPECT_FALSE(watch_.obstacle(in_time()));
  EXPECT_FALSE(watch_.last_obstacle(in_time()));
  EXPECT_FALSE(watch_.refusal(in_time()));
  EXPECT_FALSE(watch_.has_gates());
}

TEST_F(GateWatches, ADryRunNamesWhatWouldBeRefusedAtOnce) {
  add({});
  EXPECT_FALSE(watch_.refusal(in_time()));
  red_ = "it is 3";
  const auto refusal = watch_.refusal(in_time());
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->red, "gate totals: it is 3");
  EXPECT_EQ(told_, "");
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
