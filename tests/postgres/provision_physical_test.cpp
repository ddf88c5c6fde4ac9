// A green that is made of a base backup of blue and of its log up to the position where the stream begins, while blue is
// written to: no commit twice, none lost; blue's journal, publication and settings taken off it; gone on with after a
// kill at any point; led to only when it was compared row for row.
#include <atomic>
#include <thread>

#include "tests/support/made_green.hpp"

namespace verdigris::test {
namespace {

using namespace std::chrono_literals;

constexpr int kRefused = 3, kFailed = 1;
constexpr auto kBetweenWrites = 1ms;  // the machine has other work, too

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// Each writes one transaction after the other, the first of a single row: every third record of blue's log is a commit
// then, such as the one at the very position where the stream begins must not be there twice.
class Writers {
 public:
  explicit Writers(int count) {
    for (int i = 0; i < count; ++i) threads_.emplace_back([this, i] { write(i); });
  }
  ~Writers() { stop(); }
  void stop() {
    is_over_ = true;
    for (auto& one : threads_)
      if (one.joinable()) one.join();
  }
  int acknowledged() const { return acknowledged_; }

 private:
  void write(int number) {
    auto blue = admin(blue_alone());
    run(blue, "SET synchronous_commit = off");  // blue is not killed here
    for (int i = 1; !is_over_; ++i) {
      const auto id = std::to_string(1'000'000 * (number + 1) + i);
      if (number == 0 && i % 2 == 0)
        run(blue, "INSERT INTO public.visits VALUES (" + id + ")");
      else
        run(blue, "INSERT INTO public.items VALUES (" + id + ", 'w', 1)" +
                      (number == 0 ? "" : "; INSERT INTO public.orders (item, at) VALUES (" + id + ", now())"));
      ++acknowledged_;
      std::this_thread::sleep_for(kBetweenWrites);
    }
  }

  std::atomic<bool> is_over_ = false;
  std::atomic<int> acknowledged_ = 0;
  std::vector<std::thread> threads_;
};

class Physical : public testing::Test {
 protected:
  void SetUp() override {
    NEED_POSTGRES(15);
    world_ = std::make_unique<MadeGreen>(15);
    world_->change("green: initdb", "green: physical");
    world_->change(", load_profile: full", "");
    auto blue = admin(blue_alone());
    run(blue, "CREATE TABLE public.visits (item int)");
  }
  void TearDown() override {
    world_.reset();
    if (!have_postgres(15)) return;
    auto blue = admin(blue_alone(), "postgres");
    run(blue, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_type = 'physical' AND NOT active");
  }

  int prepare_until(const std::string& point) {
    return world_->command({"prepare", "--yes"}, {{"VERDIGRIS_CRASH", point}}).exit_code;
  }
  std::string of_green(const std::string& sql) {
    auto green = world_->green();
    return value(green, sql);
  }
  std::string of_blue(const std::string& sql) {
    auto blue = admin(blue_alone());
    return value(blue, sql);
  }
  // All rows of blue, once each, as soon as green has caught up.
  void expect_equal() {
    EXPECT_TRUE(world_->follows());
    EXPECT_EQ(world_->difference(), "");
    EXPECT_EQ(of_green("SELECT count(*) FROM public.orders"), of_green("SELECT count(DISTINCT id) FROM public.orders"));
    // Without a key nothing but this would tell of a row that came twice.
    EXPECT_EQ(of_green("SELECT count(*) FROM public.visits"), of_blue("SELECT count(*) FROM public.visits"));
    EXPECT_EQ(of_green("SELECT count(*) FROM public.visits"), of_green("SELECT count(DISTINCT item) FROM public.visits"));
  }

  void expect_led_to_only_if_compared();

  std::unique_ptr<MadeGreen> world_;
};

TEST_F(Physical, UnderWritesGreenBeginsWhereTheStreamDoesAndIsLedToOnlyIfCompared) {
  Writers writers(3);
  const auto prepared = world_->command({"prepare", "--yes"});
  writers.stop();
  ASSERT_EQ(prepared.exit_code, 0) << prepared.json << prepared.errors;
  EXPECT_GT(writers.acknowledged(), 100);
  expect_equal();
  EXPECT_EQ(of_green("SELECT string_agg(side, ' ') FROM verdigris.identity"), "green");
  EXPECT_NE(of_green("SELECT token FROM verdigris.identity"), of_blue("SELECT token FROM verdigris.identity"));
  EXPECT_EQ(of_green("SELECT system_identifier FROM pg_control_system()"), of_blue("SELECT system_identifier FROM pg_control_system()"));
  EXPECT_EQ(of_green("SELECT count(*) FROM pg_publication WHERE pubname = 'verdigris_shop_fwd'"), "0");
  EXPECT_EQ(of_green("SELECT current_setting('primary_conninfo') || current_setting('recovery_target_lsn')"), "");
  EXPECT_EQ(of_green("SELECT current_setting('max_logical_replication_workers')"), "8");
  EXPECT_EQ(of_green("SELECT current_setting('work_mem')"), "5MB");
  EXPECT_EQ(of_blue("SELECT count(*) FROM pg_replication_slots WHERE slot_type = 'physical'"), "0");
  EXPECT_TRUE(has(world_->marker(), "state production")) << world_->marker();
  EXPECT_EQ(world_->command({"check"}).exit_code, 0);
  EXPECT_EQ(world_->command({"prepare", "--yes"}).exit_code, 0);
  expect_led_to_only_if_compared();
}

void Physical::expect_led_to_only_if_compared() {
  const auto refused = world_->command({"switch", "--confirm", "shop"});
  EXPECT_EQ(refused.exit_code, kRefused);
  EXPECT_EQ(error_id(refused), "verify.required") << refused.json;
  EXPECT_EQ(world_->command({"verify", "--mode", "counts"}).exit_code, 0);
  EXPECT_EQ(error_id(world_->command({"switch", "--confirm", "shop"})), "verify.required");
  EXPECT_EQ(world_->command({"verify", "--table", "public.items"}).exit_code, 0);
  EXPECT_EQ(error_id(world_->command({"switch", "--confirm", "shop"})), "verify.required");
  EXPECT_EQ(world_->command({"verify", "--mode", "full"}).exit_code, 0);
  const auto switched = world_->command({"switch", "--confirm", "shop"});
  EXPECT_EQ(switched.exit_code, 0) << switched.json << switched.errors;
  const auto back = world_->command({"rollback", "--confirm", "shop"});
  EXPECT_EQ(back.exit_code, 0) << back.json << back.errors;
}

TEST_F(Physical, AKilledPrepareGoesOnOrBeginsAnew) {
  Writers writers(1);
  for (const char* point : {"provision:begun", "provision:backed-up", "provision:moved", "provision:started", "provision:promoted",
                            "provision:own", "provision:stopped", "provision:ready", "after:apply:subscribe_target"})
    EXPECT_EQ(prepare_until(point), kKilled) << point;
  const auto prepared = world_->command({"prepare", "--yes"});
  writers.stop();
  ASSERT_EQ(prepared.exit_code, 0) << prepared.json << prepared.errors;
  expect_equal();
}

// Each fault, seeded; between them abandon takes back what there is of a copy that nobody gets into.
TEST_F(Physical, OneRecordFurtherOrBluesJournalIsSeen) {
  const auto further = world_->command({"prepare", "--yes"}, {{"VERDIGRIS_MUTANT", "inclusive_start"}});
  EXPECT_EQ(further.exit_code, kFailed);
  EXPECT_EQ(error_id(further), "provision.recovery-end") << further.json;
  const auto abandoned = world_->command({"abandon", "--confirm", "shop"});
  EXPECT_EQ(abandoned.exit_code, 0) << abandoned.json << abandoned.errors;
  EXPECT_EQ(of_blue("SELECT count(*) FROM pg_replication_slots"), "0");
  EXPECT_EQ(of_blue("SELECT count(*) FROM pg_namespace WHERE nspname = 'verdigris'"), "0");
  const auto taken = world_->command({"prepare", "--yes"}, {{"VERDIGRIS_MUTANT", "journal_of_blue_kept"}});
  EXPECT_EQ(taken.exit_code, kRefused);
  EXPECT_EQ(error_id(taken), "target.same") << taken.json;
}

TEST_F(Physical, WhatACopyCannotBeIsRefused) {
  {
    auto blue = admin(blue_alone());
    run(blue, "CREATE SUBSCRIPTION other CONNECTION 'host=/nowhere dbname=x' PUBLICATION p WITH (connect = false)");
  }
  const auto refused = world_->command({"prepare", "--yes"});
  EXPECT_EQ(refused.exit_code, kRefused);
  EXPECT_EQ(error_id(refused), "provision.subscriptions") << refused.json;
  auto blue = admin(blue_alone());
  run(blue, "ALTER SUBSCRIPTION other SET (slot_name = NONE)");
  run(blue, "DROP SUBSCRIPTION other");
  run(blue, "ALTER ROLE verdigris_repl NOREPLICATION");
  const auto failed = world_->command({"prepare", "--yes"});
  run(blue, "ALTER ROLE verdigris_repl REPLICATION");
  EXPECT_EQ(error_id(failed), "provision.backup") << failed.json;
  EXPECT_EQ(of_blue("SELECT count(*) FROM pg_replication_slots"), "0") << "it keeps blue's log for no copy";
  EXPECT_EQ(prepare_until("provision:begun"), kKilled);
  EXPECT_EQ(of_blue("SELECT count(*) FROM pg_replication_slots"), "1");
  EXPECT_EQ(world_->command({"abandon", "--confirm", "shop"}).exit_code, 0);
  EXPECT_EQ(of_blue("SELECT count(*) FROM pg_replication_slots"), "0");
  EXPECT_FALSE(std::filesystem::exists(world_->data().string() + ".verdigris")) << "the workshop is left";
}

}  // namespace
}  // namespace verdigris::test
