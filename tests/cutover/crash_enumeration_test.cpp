// Behind each act of a crossing and of its undoing, in both directions, under load: the controller is killed, or it is
// stopped while a server or one of two poolers is killed and started again, and goes on. However that ends, exactly one
// side is open then (after `recover`, if it asks for a person), no write is lost or doubled, a second `recover` changes
// nothing, and two probes beside the pooler never saw both sides take writes. A sample; VERDIGRIS_THOROUGH=1: each act
// with each of them in both directions. One case alone:
//   VERDIGRIS_CASE="switch target after:apply:open_target" crash_enumeration_test
#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <iostream>

#include "replication/side.hpp"
#include "tests/support/pgbouncer_driver.hpp"
#include "tests/support/probes.hpp"
#include "tests/support/shared_shop.hpp"
#include "tests/support/thorough.hpp"

namespace verdigris::test {
namespace {

using namespace std::chrono_literals;

constexpr const char* kKilledOnes[] = {"source", "target", "pooler", "second_pooler", "controller"};
const std::string kApplied = "after:apply:";
const std::string kUndone = "after:undo:";

struct Case {
  std::string command, killed, point;
  std::string ends_on = {};  // "source", "target"; empty: either
  std::string name() const { return command + " " + killed + " " + point; }
  std::string source() const { return command == "switch" ? "blue" : "green"; }
};

struct Between {
  const char* point;
  bool is_behind_line;
};
constexpr Between kBetween[] = {{"inside:fence_source", false}, {"before:committed", false},
                                {"after:committed", true},      {"after:committed_on_target", true},
                                {"inside:start_reverse", true}, {"inside:drop_stream", true}};

bool is_chosen(const Case& one) {
  const char* chosen = std::getenv("VERDIGRIS_CASE");
  return chosen == nullptr || one.name() == chosen;
}

bool is_whole() { return is_thorough() || is_case_named(); }

// Who is killed behind the n-th act, and in which direction: behind every other one of the servers and poolers in turn; the
// controller behind every sixth (recovery_test has it at records).
bool is_dealt(std::size_t n, std::size_t killed, const std::string& command) {
  const bool is_switch = command == "switch";
  if (killed == 4) return n % 6 == 0 && (n / 6 % 2 == 0) == is_switch;
  return n % 2 == 0 && killed == n / 2 % 4 && (n / 8 % 2 == 0) == is_switch;
}

std::size_t place_of(const std::string& act, const std::vector<std::string>& all) {
  return static_cast<std::size_t>(std::ranges::find(all, act) - all.begin());
}

class CrashEnumeration : public SharedShop {
 protected:
  void SetUp() override {
    SharedShop::SetUp();
    if (IsSkipped()) return;
    if (!second_) add_second_pooler();
    shop_->start_load();
    probes_.emplace(*shop_);
    probes_->add(second_->client("app", "shop"));
  }
  void TearDown() override {
    if (!IsSkipped() && !HasFailure()) expect_whole();
    probes_.reset();
  }
  static void TearDownTestSuite() {
    second_.reset();
    SharedShop::TearDownTestSuite();
  }

  static void add_second_pooler() {
    end_direct_sessions(*shop_);
    second_.emplace(shop_->pair().pooler("second"));
    const std::string first = "file: " + shop_->pooler().ini().string() + "\n";
    write(shop_->playbook(),
          replaced(read(shop_->playbook()), first,
                   first + "    - admin: \"host=" + second_->dir().string() + " port=" +
                       std::to_string(second_->port()) + " dbname=pgbouncer user=verdigris_admin passfile=" +
                       second_->passfile().string() + "\"\n      file: " + second_->ini().string() + "\n"));
  }

  // The acts of a crossing in their order, as one that nobody disturbs passes them.
  std::vector<std::string> acts() {
    const auto from = shop_->serving();
    const auto answer = shop_->cross(from == "blue" ? "switch" : "rollback", shop_->with_points());
    EXPECT_EQ(answer.exit_code, 0) << answer.errors;
    EXPECT_EQ(probes_->contradiction(other_side(from)), "");
    std::ifstream in(shop_->dir() / "points");
    std::vector<std::string> result;
    for (std::string line; std::getline(in, line);) {
      if (!line.starts_with(kApplied)) continue;
      const auto act = line.substr(kApplied.size());
      if (std::ranges::find(result, act) == result.end()) result.push_back(act);
    }
    return result;
  }

  // What crashes and comes back within a second or so.
  void crash(const Case& one) {
    if (one.killed.ends_with("pooler")) {
      auto& pooler = one.killed == "pooler" ? shop_->pooler() : *second_;
      pooler.kill_hard();
      pooler.start();
      return;
    }
    auto& server = shop_->server(one.killed == "source" ? one.source() : other_side(one.source()));
    server.stop_immediate();
    server.start();
  }

  // False if it ended before it came to the point: a client was in its way.
  bool crash_behind(const Case& one, const std::vector<std::string>& arguments) {
    if (one.killed == "controller") {
      const auto answer = shop_->command(arguments, {{"VERDIGRIS_CRASH", one.point}});
      return answer.exit_code == kKilled;
    }
    auto running = ChildProcess::start({.argv = shop_->program(arguments),
                                        .environment = shop_->with_points({{"VERDIGRIS_STOP", one.point}}),
                                        .output = shop_->dir() / "crossing.out",
                                        .errors = shop_->dir() / "crossing.err"});
    const bool is_there = shop_->comes_to_point(one.point, running);
    if (is_there) {
      crash(one);
      running.send(SIGCONT);
    }
    EXPECT_TRUE(running.wait_end(Deadline::after(100s))) << read_errors();
    const int code = running.exit_code().value_or(-1);
    if (is_there) {
      EXPECT_TRUE(code == 0 || code == 5 || code == 6) << code << read_errors();
    }
    return is_there;
  }

  // Behind an act of undoing: what a controller that died right before the line left, undone by `recover`.
  void crash_behind_undo(const Case& one) {
    Answer answer;
    for (int tries = 0; tries < 4 && answer.exit_code != kKilled; ++tries)
      answer = shop_->command({one.command, "--confirm", "shop"}, {{"VERDIGRIS_CRASH", "before:committed"}});
    ASSERT_EQ(answer.exit_code, kKilled) << answer.errors;
    EXPECT_TRUE(crash_behind(one, {"recover", "--yes"})) << "never came to " << one.point << read_errors();
  }

  void expect_settled(const Case& one) {
    const auto answer = shop_->command({"recover", "--yes"});
    ASSERT_EQ(answer.exit_code, 0) << answer.errors << read_errors();
    const auto scene = shop_->scene();
    const bool is_blue = scene.serves == "blue";
    EXPECT_EQ(scene.is_blue_open, is_blue);
    EXPECT_EQ(scene.is_green_open, !is_blue);
    EXPECT_EQ(scene.is_blue_closed, !is_blue);
    EXPECT_EQ(scene.is_green_closed, is_blue);
    EXPECT_EQ(scene.activity, "none");
    if (!one.ends_on.empty()) {
      EXPECT_EQ(scene.serves, one.ends_on == "source" ? one.source() : other_side(one.source()));
    }
    for (const auto* pooler : {&shop_->pooler(), &*second_}) {
      const auto shop = PgBouncerConsole::open("shop", pooler->admin(), soon()).database("shop", soon());
      EXPECT_FALSE(shop.is_paused) << pooler->dir();
      EXPECT_EQ(shop.target.host, shop_->server(scene.serves).dir().string()) << pooler->dir();
    }
    const auto files = read(second_->ini());
    const auto again = shop_->command({"recover", "--yes"});
    EXPECT_EQ(again.exit_code, 0) << again.errors;
    EXPECT_EQ(shop_->scene().text, scene.text) << "a second recover changed something";
    EXPECT_EQ(read(second_->ini()), files);
    EXPECT_EQ(probes_->contradiction(scene.serves), "");
  }

  // The load's clients saw servers and poolers crash: errors are theirs, loss is not.
  void expect_whole() {
    shop_->stop_load();
    probes_.reset();
    const auto serving = shop_->serving();
    const auto other = other_side(serving);
    EXPECT_EQ(shop_->difference_after_marker(serving, other), "");
    for (const auto& color : {serving, other}) {
      const auto verdict = shop_->ledger(color);
      EXPECT_TRUE(verdict.is_clean()) << color << ": " << testing::PrintToString(verdict.examples);
      EXPECT_GT(verdict.acknowledged, 0);
    }
  }

  void bring_to(const std::string& color) {
    const auto serving = shop_->serving();
    EXPECT_EQ(probes_->contradiction(serving), "");
    if (serving == color) return;
    const auto answer = shop_->cross(color == "green" ? "switch" : "rollback");
    ASSERT_EQ(answer.exit_code, 0) << answer.errors;
    EXPECT_EQ(probes_->contradiction(color), "");
  }

  void run_case(const Case& one) {
    SCOPED_TRACE("repeat: VERDIGRIS_CASE=\"" + one.name() + "\" crash_enumeration_test");
    std::cout << one.name() << std::endl;  // what ran when a time limit ended it
    bring_to(one.source());
    bool was_there = HasFailure();
    if (one.point.starts_with(kUndone) && !HasFailure()) {
      crash_behind_undo(one);
      was_there = true;
    }
    for (int tries = 0; tries < 4 && !was_there && !HasFailure(); ++tries)
      was_there = crash_behind(one, {one.command, "--confirm", "shop"});
    EXPECT_TRUE(was_there) << "never came to " << one.point << read_errors();
    if (!HasFailure()) expect_settled(one);
  }

  // Whichever side serves, its next one: a crossing that went forward is followed by one of the other direction.
  void run_all(const std::vector<Case>& cases) {
    std::deque<Case> from_blue, from_green;
    for (const auto& one : cases)
      if (is_chosen(one)) (one.source() == "blue" ? from_blue : from_green).push_back(one);
    if (from_blue.empty() && from_green.empty()) GTEST_SKIP() << "VERDIGRIS_CASE names none of these";
    int count = 0;
    for (; !from_blue.empty() || !from_green.empty(); ++count) {
      const bool is_greens_turn = from_blue.empty() || (!from_green.empty() && shop_->serving() == "green");
      auto& list = is_greens_turn ? from_green : from_blue;
      run_case(list.front());
      list.pop_front();
      if (HasFailure()) return;
    }
    std::cout << "cases: " << count << std::endl;
  }

  std::string read_errors() const { return read(shop_->dir() / "crossing.err"); }

  inline static std::optional<PgBouncerProcess> second_;
  std::optional<Probes> probes_;
};

TEST_F(CrashEnumeration, BehindEachActOfACrossingEndsWithOneSideOpenAndNothingLost) {
  const auto all = acts();
  for (const char* known : {"ready_reverse_path", "stand_ready", "pause_traffic", "open_target", "drop_stream"})
    ASSERT_NE(std::ranges::find(all, known), all.end()) << known;
  const auto line = place_of("open_target", all);
  std::vector<Case> cases;
  for (std::size_t n = 0; n < all.size(); ++n)
    for (std::size_t killed = 0; killed < std::size(kKilledOnes); ++killed)
      for (const char* command : {"switch", "rollback"}) {
        if (!is_whole() && !is_dealt(n, killed, command)) continue;
        const std::string who = kKilledOnes[killed];
        cases.push_back({command, who, kApplied + all[n], n >= line ? "target" : who == "controller" ? "source" : ""});
      }
  // Between acts: the decision, and what a step does in two parts.
  for (std::size_t n = 0; n < std::size(kBetween); ++n)
    for (std::size_t killed = 0; killed < std::size(kKilledOnes); ++killed)
      for (const char* command : {"switch", "rollback"}) {
        const auto& [point, is_behind_line] = kBetween[n];
        const bool is_in_sample = killed == n % 3 && (n / 3 % 2 == 0) == (std::string(command) == "switch");
        const std::string who = kKilledOnes[killed];
        if (is_whole() || is_in_sample)
          cases.push_back({command, who, point, is_behind_line ? "target" : who == "controller" ? "source" : ""});
      }
  // One pooler is moved by then, the other is not.
  for (const char* point : {"before:pooler-rename", "after:pooler-rename", "after:pooler-resume"})
    for (const char* command : {"switch", "rollback"})
      if (is_whole() || (point == std::string("after:pooler-resume")) == (command == std::string("switch")))
        cases.push_back({command, "controller", point, "target"});
  run_all(cases);
}

TEST_F(CrashEnumeration, BehindEachActOfUndoingEndsOnTheSourceAndNothingIsLost) {
  auto all = acts();
  all.resize(place_of("open_target", all));
  ASSERT_GT(all.size(), 10U);
  const auto window = place_of("stand_ready", all);
  std::vector<Case> cases;
  for (std::size_t n = 0; n < all.size(); ++n)
    for (std::size_t killed = 0; killed < std::size(kKilledOnes); ++killed)
      for (const char* command : {"switch", "rollback"}) {
        const bool is_near = n >= window && n < window + 4;  // the pause, the fence, and what is beside them
        const bool is_in_sample =
            is_near && killed == n % std::size(kKilledOnes) && (n % 2 == 0) == (std::string(command) == "switch");
        if (is_whole() || is_in_sample) cases.push_back({command, kKilledOnes[killed], kUndone + all[n], "source"});
      }
  run_all(cases);
}

}  // namespace
}  // namespace verdigris::test
