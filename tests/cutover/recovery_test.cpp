// The controller is killed before and after every record that it writes, under load; `recover` in a new process must
// end it each time, and two probes beside the pooler never see both sides take writes. A sample, in which the decision is
// met in both directions, before and after; `recover` itself is killed at a sample of its own points.
// VERDIGRIS_THOROUGH=1: all in both directions. One case alone:
//   VERDIGRIS_CASE="switch after:begin:open_target" recovery_test
//   VERDIGRIS_CASE="switch after:committed, recover before:begin:move_traffic" recovery_test
#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>

#include "replication/side.hpp"
#include "tests/support/probes.hpp"
#include "tests/support/shop.hpp"
#include "tests/support/thorough.hpp"

namespace verdigris::test {
namespace {

using Points = std::vector<std::string>;

std::string source_of(const std::string& command) { return command == "switch" ? "blue" : "green"; }
std::string target_of(const std::string& command) { return command == "switch" ? "green" : "blue"; }

Points lines_of(const std::filesystem::path& file) {
  std::ifstream in(file);
  Points result;
  for (std::string line; std::getline(in, line);)
    // What is behind an act is all but what is before the next one; crash_enumeration_test is for the difference.
    if (!line.starts_with("after:apply:") && std::ranges::find(result, line) == result.end()) result.push_back(line);
  return result;
}

bool is_chosen(const std::string& name) {
  const char* chosen = std::getenv("VERDIGRIS_CASE");
  return chosen == nullptr || name == chosen;
}

// Every fourth record in one direction, before or after it; the decision in both, before and after.
Points dealt(const Points& all, bool is_way_back) {
  if (is_thorough() || is_case_named()) return all;
  std::map<std::string, int> number;  // of each record
  Points result;
  for (const auto& point : all) {
    const bool is_before = point.starts_with("before:");
    const auto record = point.substr(point.find(':') + 1);
    const int n = number.emplace(record, static_cast<int>(number.size())).first->second;
    const bool is_in_sample = n % 8 == (is_way_back ? 1 : 5) && is_before == (n / 8 % 2 == 0);
    const bool is_end = point == (is_way_back ? "after:finished" : "before:plan");
    if (record.starts_with("committed") || is_end || is_in_sample) result.push_back(point);
  }
  return result;
}

// Of the points of `recover`: what decides in one direction, of the rest every sixteenth.
Points dealt_of_recovery(const Points& all, bool is_way_back) {
  if (is_thorough() || is_case_named()) return all;
  Points result;
  for (std::size_t n = 0; n < all.size(); ++n) {
    const bool decides = all[n].find("undone") != std::string::npos || all[n].find("committed") != std::string::npos;
    const bool is_ours = (n % 2 == 1) == is_way_back;
    if ((decides && is_ours) || (n % 16 == 4 && (n / 16 % 2 == 1) == is_way_back)) result.push_back(all[n]);
  }
  return result;
}

// Both directions, or the one of the sample.
Points commands(const std::string& in_sample) {
  if (is_thorough()) return {"switch", "rollback"};
  return {in_sample};
}

// One shop for all: what a case leaves behind is what the next one starts from, as in life.
class Recovery : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!have_postgres(15) || !have_postgres(17)) return;
    shop_ = new Shop();
    end_direct_sessions(*shop_);
  }
  static void TearDownTestSuite() {
    delete shop_;
    shop_ = nullptr;
  }
  void SetUp() override {
    NEED_POSTGRES(15);
    NEED_POSTGRES(17);
    begin_load();
  }
  void TearDown() override {
    if (shop_ == nullptr) return;
    if (shop_->has_load()) end_load();
    if (HasFailure()) return;
    expect_whole();
  }

  static void begin_load() {
    shop_->start_load();
    probes_ = std::make_unique<Probes>(*shop_);
  }

  // A crossing that nobody kills: the points that it passes, in order. One that backed out passes others.
  Points points_of(const std::string& command) {
    const auto log = shop_->dir() / (command + ".points");
    Answer answer;
    for (int tries = 1; tries <= 3; ++tries) {
      std::filesystem::remove(log);
      answer = shop_->command({command, "--confirm", "shop"}, {{"VERDIGRIS_CRASH_LOG", log.string()}});
      if (answer.exit_code == 0) break;
    }
    EXPECT_EQ(answer.exit_code, 0) << command << answer.errors;
    EXPECT_EQ(probes_->contradiction(target_of(command)), "");
    return lines_of(log);
  }

  // The points of a `recover` that nobody kills, after a controller that was killed at `first`.
  Points points_of_recovery(const std::string& first, const std::string& ends_on) {
    const auto log = shop_->dir() / "recover.points";
    std::filesystem::remove(log);
    bring_to("blue");
    if (!HasFatalFailure()) kill_at("switch", first);
    const auto answer = shop_->command({"recover", "--yes"}, {{"VERDIGRIS_CRASH_LOG", log.string()}});
    EXPECT_EQ(answer.exit_code, 0) << answer.errors;
    expect_settled_on(ends_on);
    return lines_of(log);
  }

  void bring_to(const std::string& color) {
    const auto serving = shop_->serving();
    EXPECT_EQ(probes_->contradiction(serving), "");
    if (serving == color) return;
    const auto answer = shop_->cross(color == "green" ? "switch" : "rollback");
    ASSERT_EQ(answer.exit_code, 0) << answer.errors;
    EXPECT_EQ(probes_->contradiction(color), "");
  }

  // Dies at the point. A direct client in the way can end a crossing before it gets there; it is begun again then. So it
  // is when the step had nothing to do: no sequence had moved since the last look before the pause.
  void kill_at(const std::string& command, const std::string& point) {
    auto answer = shop_->cross(command, {{"VERDIGRIS_CRASH", point}});
    for (int tries = 1; tries < 8 && answer.exit_code == 0; ++tries) {
      for (const auto& step : answer.json.at("parts"))
        ASSERT_FALSE(point.ends_with(":" + step.at("step").get<std::string>())) << point << " was passed";
      bring_to(source_of(command));
      answer = shop_->cross(command, {{"VERDIGRIS_CRASH", point}});
    }
    ASSERT_EQ(answer.exit_code, kKilled) << answer.errors;
    EXPECT_FALSE(shop_->are_both_open());
  }

  // Whether the plan that was killed had made its decision: it stands on the source first.
  bool was_decided(const std::string& command) {
    auto source = admin(shop_->server(source_of(command)));
    return value(source, R"(
      SELECT EXISTS (SELECT FROM verdigris.journal WHERE event = 'committed' AND seq >
        (SELECT max(seq) FROM verdigris.journal WHERE event = 'plan')))") == "t";
  }

  void recover_killed_at(const std::string& point) {
    const auto answer = shop_->command({"recover", "--yes"}, {{"VERDIGRIS_CRASH", point}});
    ASSERT_EQ(answer.exit_code, kKilled) << answer.errors;
    EXPECT_FALSE(shop_->are_both_open());
  }

  void recover_to(const std::string& color) {
    const auto answer = shop_->command({"recover", "--yes"});
    ASSERT_EQ(answer.exit_code, 0) << answer.errors;
    expect_settled_on(color);
  }

  // Exactly one side is open, the pooler leads there, nothing is left to do, and doing it changes nothing.
  void expect_settled_on(const std::string& color) {
    const auto scene = shop_->scene();
    EXPECT_EQ(scene.serves, color);
    EXPECT_EQ(scene.is_blue_open, color == "blue");
    EXPECT_EQ(scene.is_green_open, color == "green");
    EXPECT_EQ(scene.is_blue_closed, color == "green");
    EXPECT_EQ(scene.is_green_closed, color == "blue");
    EXPECT_EQ(scene.routed_to, color);
    EXPECT_FALSE(scene.is_paused);
    EXPECT_EQ(scene.activity, "none");
    const auto again = shop_->command({"recover", "--yes"});
    EXPECT_EQ(again.exit_code, 0) << again.errors;
    EXPECT_EQ(shop_->scene().text, scene.text) << "a second recover changed something";
    EXPECT_EQ(probes_->contradiction(color), "");
  }

  // The load is over: no client saw an error, nothing is lost or doubled, both sides are equal.
  void expect_whole() {
    const auto serving = shop_->serving();
    const std::string other = other_side(serving);
    EXPECT_EQ(shop_->difference_after_marker(serving, other), "");
    for (const auto& color : {serving, other}) {
      const auto verdict = shop_->ledger(color);
      EXPECT_TRUE(verdict.is_clean()) << color << ": " << testing::PrintToString(verdict.examples);
      EXPECT_GT(verdict.acknowledged, 0);
    }
  }

  // Whatever was killed or crashed meanwhile, behind the pooler's pause: its clients waited and saw no error.
  static void end_load() {
    probes_.reset();
    const auto load = shop_->stop_load();
    EXPECT_EQ(load.value("client_errors", -1), 0) << load.dump(1);
  }

  void look_into_ledger() {
    end_load();
    expect_whole();
    begin_load();
  }

  // One point: killed, recovered, and judged by whether the decision had been made.
  void run_case(const std::string& command, const std::string& point, bool is_past_line) {
    const std::string name = command + " " + point;
    SCOPED_TRACE("repeat: VERDIGRIS_CASE=\"" + name + "\" recovery_test");
    if (!is_chosen(name)) return;
    std::cout << name << std::endl;  // what ran when a time limit ended it
    bring_to(source_of(command));
    if (!HasFatalFailure()) kill_at(command, point);
    if (HasFatalFailure()) return;
    // A direct client can end an attempt, and undoing it passes the last record too: judged by the journal. Before the
    // plan's own record the newest plan is an older one.
    const bool is_decided = point != "before:plan" && was_decided(command);
    EXPECT_TRUE(point.ends_with("finished") || is_decided == is_past_line) << "decided: " << is_decided;
    recover_to(is_decided ? target_of(command) : source_of(command));
    if (++cases_ % 24 == 0 && !HasFailure()) look_into_ledger();
  }

  // Killed in a crossing, and again in the recovery from it.
  void run_double(const std::string& command, const std::string& first, const std::string& second) {
    const std::string name = command + " " + first + ", recover " + second;
    SCOPED_TRACE("repeat: VERDIGRIS_CASE=\"" + name + "\" recovery_test");
    if (!is_chosen(name)) return;
    std::cout << name << std::endl;
    bring_to(source_of(command));
    if (!HasFatalFailure()) kill_at(command, first);
    if (HasFatalFailure()) return;
    recover_killed_at(second);
    recover_to(first == "after:committed" ? target_of(command) : source_of(command));
    if (++cases_ % 24 == 0 && !HasFailure()) look_into_ledger();
  }

  void say_cases() const {
    if (cases_ == 0) GTEST_SKIP() << "VERDIGRIS_CASE names none of these";
    std::cout << "cases: " << cases_ << std::endl;
  }

  static Shop* shop_;
  inline static std::unique_ptr<Probes> probes_;
  int cases_ = 0;
};

Shop* Recovery::shop_ = nullptr;

TEST_F(Recovery, EndsWhatAControllerKilledAtAnyRecordLeft) {
  Points points[2];
  points[0] = points_of("switch");
  points[1] = points_of("rollback");
  std::size_t next[2] = {0, 0};
  for (const auto& list : points)
    for (const char* needed : {"before:plan", "after:begin:fence_source", "before:committed",
                               "after:committed_on_target", "after:finished"})
      ASSERT_NE(std::ranges::find(list, needed), list.end()) << needed;
  const Points all[2] = {points[0], points[1]};
  for (const int which : {0, 1}) points[which] = dealt(all[which], which == 1);
  // Whichever side serves, its next point; so a crossing that went forward is followed by one of the other direction.
  while (next[0] < points[0].size() || next[1] < points[1].size()) {
    std::size_t which = shop_->serving() == "blue" ? 0 : 1;
    if (next[which] == points[which].size()) which = 1 - which;
    const auto& list = points[which];
    const auto& point = list[next[which]++];
    const auto& order = all[which];
    const bool is_past_line = std::ranges::find(order, point) >= std::ranges::find(order, "after:committed");
    run_case(which == 0 ? "switch" : "rollback", point, is_past_line);
    if (HasFailure()) return;
  }
  say_cases();
}

TEST_F(Recovery, EndsWhatAKilledRecoveryLeft) {
  for (const std::string first : {"before:committed", "after:committed"}) {
    const bool goes_forward = first == "after:committed";
    const auto all = points_of_recovery(first, goes_forward ? "green" : "blue");
    for (const char* needed : {goes_forward ? "before:committed_on_target" : "before:undone",
                               goes_forward ? "after:begin:open_target" : "after:undo:fence_source", "after:finished"})
      ASSERT_NE(std::ranges::find(all, needed), all.end()) << needed;
    for (const std::string command : {"switch", "rollback"})
      for (const auto& second : dealt_of_recovery(all, command == "rollback")) {
        run_double(command, first, second);
        if (HasFailure()) return;
      }
  }
  say_cases();
}

// The source crashes beside the controller: what it had made durable decides.
TEST_F(Recovery, UndoesAfterTheSourceCrashedToo) {
  for (const auto& command : commands("rollback")) {
    SCOPED_TRACE(command);
    bring_to(source_of(command));
    kill_at(command, "after:begin:drain_to_marker");
    shop_->server(source_of(command)).stop_immediate();
    shop_->server(source_of(command)).start();
    recover_to(source_of(command));
    if (HasFailure()) return;
  }
}

// The target crashes with the decision, or its opening, on it that nothing has flushed yet: the decision stands on the
// source, and that is enough.
TEST_F(Recovery, GoesForwardAfterTheTargetCrashedBehindTheLine) {
  for (const auto& command : commands("switch"))
    for (const char* point : {"after:committed_on_target", "after:begin:move_traffic"}) {
      SCOPED_TRACE(command + " " + point);
      auto& target = shop_->server(target_of(command));
      bring_to(source_of(command));
      kill_at(command, point);
      target.stop_immediate();
      target.start();
      recover_to(target_of(command));
      if (HasFailure()) return;
    }
}

// The target is gone: clients get the source back without it.
TEST_F(Recovery, UndoesWithoutTheTarget) {
  for (const auto& command : commands("rollback")) {
    SCOPED_TRACE(command);
    auto& target = shop_->server(target_of(command));
    bring_to(source_of(command));
    kill_at(command, "after:begin:prove_parity");
    target.stop_immediate();
    const auto answer = shop_->command({"recover", "--yes"});
    EXPECT_EQ(answer.exit_code, 0) << answer.errors;
    target.start();
    expect_settled_on(source_of(command));
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace verdigris::test
