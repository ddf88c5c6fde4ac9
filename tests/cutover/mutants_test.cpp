// Tests of the tests: a safety act is left out (VERDIGRIS_MUTANT), and the scenario that guards it must turn red; with
// the act in place the same scenario holds. One scenario alone: mutants_test --gtest_filter='*no_fence*'
#include <csignal>

#include <atomic>
#include <fstream>
#include <thread>

#include "tests/support/pgbouncer_driver.hpp"
#include "tests/support/probes.hpp"
#include "tests/support/shop.hpp"
#include "tests/support/thorough.hpp"

namespace verdigris::test {
namespace {

using namespace std::chrono_literals;

constexpr auto kPatience = 20s;

// Whether a promise held, and if not, how it was broken.
struct Outcome {
  bool is_kept = true;
  std::string how;
  void require(bool is_met, const std::string& what) {
    if (is_met) return;
    is_kept = false;
    how += what + "; ";
  }
  void require_clean(const LedgerVerdict& verdict, const std::string& color) {
    require(verdict.is_clean(), color + ": " + testing::PrintToString(verdict.examples));
  }
  void require_done(const Answer& answer) {
    require(answer.exit_code == 0, "exit code " + std::to_string(answer.exit_code) + answer.errors);
  }
};

using Scenario = Outcome (*)(Shop&, const Environment&);

// Direct writers and pooled ones write before, while and after; what they were promised is on the serving side, and two
// probes never saw both sides take writes.
Outcome no_write_is_lost_beside_the_pooler(Shop& shop, const Environment& environment) {
  Outcome outcome;
  end_direct_sessions(shop);
  shop.start_load();
  {
    Probes probes(shop);
    outcome.require_done(shop.cross("switch", environment));
    std::this_thread::sleep_for(500ms);
    const auto contradiction = probes.contradiction(shop.serving());
    outcome.require(contradiction.empty(), contradiction);
  }
  shop.stop_load();
  const auto serving = shop.serving();
  outcome.require_clean(shop.ledger(serving), serving);
  return outcome;
}

Outcome no_sequence_value_comes_twice(Shop& shop, const Environment& environment) {
  Outcome outcome;
  shop.start_load();
  outcome.require_done(shop.cross("switch", environment));
  std::this_thread::sleep_for(500ms);
  shop.stop_load();
  const auto ledger = shop.ledger("green");
  outcome.require(ledger.sequence_twice == 0, "a sequence value came twice");
  outcome.require_clean(ledger, "green");
  return outcome;
}

// The controller dies once the way back runs, so that there is time: nothing that blue gets may come back to green.
Outcome nothing_echoes(Shop& shop, const Environment& environment) {
  Outcome outcome;
  shop.start_load();
  auto with_crash = environment;
  with_crash.emplace_back("VERDIGRIS_CRASH", "before:begin:drop_stream");
  const auto answer = shop.cross("switch", with_crash);
  outcome.require(answer.exit_code == kKilled, "it did not get there: " + answer.errors);
  std::this_thread::sleep_for(2s);
  auto green = admin(shop.server("green"));
  outcome.require(value(green, "SELECT sum(apply_error_count) FROM pg_stat_subscription_stats") == "0",
                  "rows that green had sent came back to it");
  shop.stop_load();
  outcome.require_done(shop.command({"recover", "--yes"}));
  outcome.require_clean(shop.ledger("green"), "green");
  return outcome;
}

// A client beside the pooler commits in the last moment before the fence, while green cannot apply: the crossing must
// wait for that row, not find out that it is missing.
Outcome the_last_row_is_waited_for(Shop& shop, const Environment& environment) {
  Outcome outcome;
  auto green = admin(shop.server("green"));
  auto with_stop = environment;
  with_stop.emplace_back("VERDIGRIS_STOP", "after:apply:stand_ready");
  auto crossing = ChildProcess::start({.argv = shop.program({"switch", "--confirm", "shop"}),
                                       .environment = shop.with_points(with_stop),
                                       .output = shop.dir() / "late.out",
                                       .errors = shop.dir() / "late.err"});
  shop.wait_for_point("after:apply:stand_ready");  // until then it would be waited for
  auto client = Connection::open_plain(shop.server("blue").conninfo("postgres", "shop"),
                                       {"blue", "late client", false, {}}, soon());
  crossing.send(SIGCONT);
  shop.wait_for_point("after:begin:fence_source");  // it waits there until this client has gone
  run(green, "BEGIN");
  run(green, "LOCK TABLE public.ledger_a IN EXCLUSIVE MODE");
  run(client, "INSERT INTO public.ledger_a VALUES (99, 1, 0)");
  client.close();
  std::this_thread::sleep_for(700ms);
  run(green, "COMMIT");
  outcome.require(crossing.wait_end(Deadline::after(kPatience)), "it does not end");
  outcome.require(crossing.exit_code() == 0, "it was not done: " + read(shop.dir() / "late.err"));
  outcome.require(value(green, "SELECT count(*) FROM public.ledger_a WHERE writer = 99") == "1", "the row is missing");
  return outcome;
}

// Writes that nobody waits for, in another database of the server: its log runs ahead of what is flushed.
class AsynchronousWriter {
 public:
  explicit AsynchronousWriter(const PostgresServer& server) : session_(admin(server, "postgres")) {
    run(session_, "CREATE TABLE public.noise (body text)");
    run(session_, "SET synchronous_commit = off");
    thread_ = std::thread([this] { write(); });
  }
  ~AsynchronousWriter() {
    is_stopping_ = true;
    thread_.join();
  }
  AsynchronousWriter(const AsynchronousWriter&) = delete;
  AsynchronousWriter& operator=(const AsynchronousWriter&) = delete;

 private:
  void write() {
    try {
      while (!is_stopping_) {
        run(session_, "INSERT INTO public.noise SELECT repeat('x', 1500) FROM generate_series(1, 4)");
        std::this_thread::sleep_for(1ms);
      }
    } catch (const Error&) {
      // its server was stopped
    }
  }

  std::atomic<bool> is_stopping_{false};
  Connection session_;
  std::thread thread_;
};

// Green crashes right after the decision and comes back: nothing that was proven of it may be gone.
Outcome the_proven_target_survives_a_crash(Shop& shop, const Environment& environment) {
  Outcome outcome;
  auto with_crash = environment;
  with_crash.emplace_back("VERDIGRIS_CRASH", "before:committed_on_target");
  {
    // Its WAL writer would come by every 10 s and make durable what nobody asked for. stop_immediate() wakes it.
    auto green = admin(shop.server("green"));
    ::kill(std::stoi(value(green, "SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'")), SIGSTOP);
    const AsynchronousWriter noise(shop.server("green"));
    const auto answer = shop.cross("switch", with_crash);
    outcome.require(answer.exit_code == kKilled, "it did not get there: " + answer.errors);
    shop.server("green").stop_immediate();
  }
  shop.server("green").start();
  outcome.require_done(shop.command({"recover", "--yes"}));
  outcome.require(shop.serving() == "green" && shop.scene().is_green_open, "green does not serve");
  return outcome;
}

// What clients wrote between the opening of green and the start of the way back arrives on blue as well. The controller
// dies in between, so that there is time for them to write.
Outcome the_way_back_is_complete(Shop& shop, const Environment& environment) {
  Outcome outcome;
  shop.start_load();
  auto with_crash = environment;
  with_crash.emplace_back("VERDIGRIS_CRASH", "before:begin:start_reverse");
  const auto answer = shop.cross("switch", with_crash);
  outcome.require(answer.exit_code == kKilled, "it did not get there: " + answer.errors);
  std::this_thread::sleep_for(500ms);
  outcome.require_done(shop.command({"recover", "--yes"}, environment));
  shop.stop_load();
  outcome.require(shop.difference_after_marker("green", "blue").empty(), "the sides differ");
  outcome.require_clean(shop.ledger("blue"), "blue");
  return outcome;
}

struct Mutant {
  const char* name;
  Scenario scenario;
  // Where another proof would refuse first: left out as well, so that the invariant itself is seen broken, in these words.
  const char* also = nullptr;
  const char* broken = "";
};

std::ostream& operator<<(std::ostream& out, const Mutant& mutant) { return out << mutant.name; }

class Mutants : public testing::TestWithParam<Mutant> {
 protected:
  void SetUp() override {
    NEED_POSTGRES(15);
    NEED_POSTGRES(17);
  }
  static Outcome play(const Environment& environment) {
    // Green's log is flushed by those who ask for it and by nobody else.
    Shop shop({{"wal_writer_delay", "10s"}, {"wal_writer_flush_after", "64MB"}, {"wal_buffers", "32MB"},
               {"bgwriter_lru_maxpages", "0"}, {"autovacuum", "off"}});
    return GetParam().scenario(shop, environment);
  }
};

TEST_P(Mutants, TurnTheirScenarioRed) {
  const auto with_it = play({});
  EXPECT_TRUE(with_it.is_kept) << with_it.how;
  Outcome without;
  // Alone it is stopped by another proof, which takes its time.
  if (GetParam().also == nullptr || is_thorough()) {
    without = play({{"VERDIGRIS_MUTANT", GetParam().name}});
    EXPECT_FALSE(without.is_kept) << "survived: VERDIGRIS_MUTANT=" << GetParam().name;
  }
  if (GetParam().also != nullptr) {
    const auto both = play({{"VERDIGRIS_MUTANT", std::string(GetParam().name) + "," + GetParam().also}});
    EXPECT_NE(both.how.find(GetParam().broken), std::string::npos) << "not by its own invariant: " << both.how;
    if (without.is_kept) without = both;
  }
  RecordProperty("red", without.how);
  std::cout << GetParam().name << ": " << without.how.substr(0, 300) << "\n";
}

INSTANTIATE_TEST_SUITE_P(All, Mutants,
                         testing::Values(Mutant{"no_fence", no_write_is_lost_beside_the_pooler, "parity_unproven",
                                                "two writable sides"},
                                         Mutant{"sequences_not_copied", no_sequence_value_comes_twice, "parity_unproven",
                                                "a sequence value came twice"},
                                         Mutant{"reverse_before_forward_gone", nothing_echoes},
                                         Mutant{"marker_not_awaited", the_last_row_is_waited_for},
                                         Mutant{"line_not_durable", the_proven_target_survives_a_crash},
                                         Mutant{"reverse_slot_advanced", the_way_back_is_complete}),
                         [](const auto& mutant) { return std::string(mutant.param.name); });

// The switches are for test builds: the program that ships has none.
TEST(Release, HasNoSwitches) {
  const auto program = std::filesystem::path(VERDIGRIS_SOURCE_DIR) / "build/release/verdigris";
  if (!std::filesystem::exists(program)) GTEST_SKIP() << program << " was not built";
  const auto bytes = read(program);
  for (const char* name : {"VERDIGRIS_MUTANT", "VERDIGRIS_CRASH", "VERDIGRIS_STOP"}) EXPECT_EQ(bytes.find(name), std::string::npos) << name;
}

}  // namespace
}  // namespace verdigris::test
