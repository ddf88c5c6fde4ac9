// Rows that are compared before clients wait, and those that change meanwhile: whatever changes on either side between
// the comparison and the line is compared in the window, and a difference stops the cutover.
#include <gtest/gtest.h>

#include <csignal>
#include <memory>
#include <set>

#include "tests/support/crossing.hpp"
#include "tests/support/mutant.hpp"
#include "tests/support/pgbouncer_driver.hpp"
#include "tests/support/probes.hpp"
#include "tests/support/shop.hpp"

namespace verdigris::test {
namespace {

using namespace std::chrono_literals;

// Act by act.
class FollowedParity : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!have_postgres(15) || !have_postgres(17)) return;
    shop_ = std::make_unique<SmallShop>();
    shop_->verify.in_pause = InPause::changed;
  }
  static void TearDownTestSuite() { shop_.reset(); }
  void SetUp() override {
    NEED_POSTGRES(15);
    NEED_POSTGRES(17);
    shop_->begin_anew();
    crossing_ = std::make_unique<Crossing>(*shop_);
  }
  void TearDown() override { crossing_.reset(); }

  // By hand, past the fence; nobody does this by accident.
  void write_on_green(const std::string& sql) {
    auto on = shop_->session("green");
    run(on, "SET session_replication_role = replica");
    run(on, sql);
  }
  // Green loses updates of this row from now on.
  void lose_updates(int id) {
    write_on_green(
        "CREATE FUNCTION public.lose() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
        "CREATE TRIGGER lose BEFORE UPDATE ON public.orders FOR EACH ROW WHEN (old.id = " +
        std::to_string(id) + ") EXECUTE FUNCTION public.lose(); ALTER TABLE public.orders ENABLE ALWAYS TRIGGER lose");
  }
  void wait_until_only_whole_tables_are_left() {
    const auto end = soon();
    for (auto now = Freshness{}; now.whole == 0 || now.dirty > 0; now = crossing_->deployment().facts().rolling->look()) {
      ASSERT_FALSE(end.has_passed()) << now.dirty << " rows and " << now.whole << " tables are left";
      std::this_thread::sleep_for(50ms);
    }
  }
  std::string slots(const std::string& color) {
    return shop_->ask(color, "SELECT count(*) FROM pg_replication_slots WHERE slot_name LIKE 'verdigris_chk%'");
  }
  // Empty, or what stopped it, which must be a difference.
  std::string stopped_by(const std::string& until) {
    try {
      crossing_->go_through(until);
      return "";
    } catch (const Error& error) {
      EXPECT_EQ(error.failure(), Failure::differs) << error.what();
      return error.what();
    }
  }

  static std::unique_ptr<SmallShop> shop_;
  std::unique_ptr<Crossing> crossing_;
};
std::unique_ptr<SmallShop> FollowedParity::shop_;

TEST_F(FollowedParity, WhatChangesOnBlueIsComparedAndOnlyThat) {
  crossing_->go_through("follow_parity");
  EXPECT_EQ(slots("blue") + slots("green"), "11");
  auto blue = shop_->session("blue");
  run(blue, R"(
      INSERT INTO public.orders (note) SELECT 'later' FROM generate_series(1, 30);
      UPDATE public.orders SET note = 'changed' WHERE id = 3;
      UPDATE public.orders SET id = 1003 WHERE id = 4;
      DELETE FROM public.orders WHERE id = 5;
      INSERT INTO public.log VALUES ('second'))");
  wait_until_only_whole_tables_are_left();
  crossing_->go_through("settle_parity");
  run(blue, "UPDATE public.orders SET note = 'after that' WHERE id IN (6, 7)");
  crossing_->go_through("drain_to_marker");
  crossing_->go_through("copy_sequences");
  const std::string account = crossing_->apply("prove_parity");
  EXPECT_NE(account.find("2 tables equal (compared now: 2 rows and 1 whole table"), std::string::npos) << account;
  crossing_->go_to_the_end();
  EXPECT_EQ(shop_->rows("blue"), shop_->rows("green"));
}

TEST_F(FollowedParity, AnEmptiedTableIsComparedAsAWhole) {
  crossing_->go_through("follow_parity");
  shop_->ask("blue", "TRUNCATE public.orders; INSERT INTO public.orders VALUES (1, 'anew'); SELECT ''");
  crossing_->go_through("prove_parity");
  EXPECT_TRUE(crossing_->deployment().facts().parity->is_equal());
  crossing_->go_to_the_end();
  EXPECT_EQ(shop_->rows("green"), "1anew | first");
}

TEST_F(FollowedParity, AWriteOnGreenByHandStopsIt) {
  crossing_->go_through("settle_parity");
  write_on_green("UPDATE public.orders SET note = note || ' ' WHERE id = 17");
  EXPECT_EQ(stopped_by("prove_parity"), "public.orders differs: key (17)");
  crossing_->undo();
  EXPECT_EQ(slots("blue") + slots("green"), "00");
  EXPECT_TRUE(shop_->accepts_writes("blue"));
  EXPECT_FALSE(shop_->accepts_writes("green"));
}

TEST_F(FollowedParity, WithoutGreensChangesAWriteThereIsNotSeen) {
  const Mutant mutant("foreign_writes_unseen");
  crossing_->go_through("settle_parity");
  write_on_green("UPDATE public.orders SET note = note || ' ' WHERE id = 17");
  EXPECT_EQ(stopped_by("prove_parity"), "") << "the other test would not notice";
}

TEST_F(FollowedParity, AWriteOnGreenWhileItIsFollowedEndsItBeforeAnybodyWaits) {
  crossing_->go_through("follow_parity");
  write_on_green("DELETE FROM public.orders WHERE id = 9");
  std::string what;
  for (int i = 0; i < 200 && what.empty(); ++i) {
    std::this_thread::sleep_for(50ms);
    try {
      crossing_->deployment().facts().rolling->look();
    } catch (const Error& error) {
      what = error.what();
    }
  }
  EXPECT_EQ(what, "public.orders differs: key (9)");
  EXPECT_EQ(stopped_by("settle_parity"), what);
}

TEST_F(FollowedParity, AChangeThatGreenLosesStopsIt) {
  crossing_->go_through("settle_parity");
  lose_updates(11);
  shop_->ask("blue", "UPDATE public.orders SET note = 'lost' WHERE id = 11 RETURNING ''");
  EXPECT_EQ(stopped_by("prove_parity"), "public.orders differs: key (11)");
}

TEST_F(FollowedParity, WithoutItsKeysALostChangeIsNotSeen) {
  const Mutant mutant("dirty_keys_forgotten");
  crossing_->go_through("settle_parity");
  lose_updates(11);
  shop_->ask("blue", "UPDATE public.orders SET note = 'lost' WHERE id = 11 RETURNING ''");
  EXPECT_EQ(stopped_by("prove_parity"), "") << "the other test would not notice";
}

TEST_F(FollowedParity, ADifferenceFromBeforeEndsItAtOnce) {
  write_on_green("UPDATE public.orders SET note = 'other' WHERE id = 2; INSERT INTO public.log VALUES ('first')");
  const auto what = stopped_by("follow_parity");
  EXPECT_TRUE(what.starts_with("public.")) << what;
  EXPECT_EQ(slots("blue") + slots("green"), "00");
}

TEST_F(FollowedParity, AnOpenTransactionOnBlueDoesNotHoldItUp) {
  auto open = shop_->session("blue");
  run(open, "BEGIN; UPDATE public.orders SET note = 'open' WHERE id = 1");
  const auto begin = std::chrono::steady_clock::now();
  crossing_->go_through("follow_parity");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s);
  run(open, "COMMIT");
  crossing_->go_to_the_end();
  EXPECT_EQ(shop_->rows("blue"), shop_->rows("green"));
}

// By the program, under load.
class FollowedSwitch : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!have_postgres(15) || !have_postgres(17)) return;
    shop_ = std::make_unique<Shop>(std::vector<std::pair<std::string, std::string>>{}, Majors{.verify = "{ in_pause: changed, budget: 1s }"});
  }
  static void TearDownTestSuite() { shop_.reset(); }
  void SetUp() override {
    NEED_POSTGRES(15);
    NEED_POSTGRES(17);
  }
  // On a session that is over then: one that stays is in the way of the rollback.
  static std::string on_green(const std::string& sql) {
    auto on = admin(shop_->server("green"));
    return value(on, sql);
  }
  static std::unique_ptr<Shop> shop_;
};
std::unique_ptr<Shop> FollowedSwitch::shop_;

TEST_F(FollowedSwitch, ThereAndBackNothingIsLostAndADifferenceEndsInFour) {
  shop_->start_load();
  auto stopped = ChildProcess::start({.argv = shop_->program({"switch", "--confirm", "shop"}),
                                      .environment = shop_->with_points({{"VERDIGRIS_STOP", "after:apply:settle_parity"}}),
                                      .output = shop_->dir() / "stopped.out",
                                      .errors = shop_->dir() / "stopped.err",
                                      .death_signal = SIGKILL});
  ASSERT_TRUE(shop_->comes_to_point("after:apply:settle_parity", stopped));
  on_green("SET session_replication_role = replica; UPDATE public.customers SET email = email || 'x' WHERE id = 5 RETURNING ''");
  stopped.send(SIGCONT);
  ASSERT_TRUE(stopped.wait_end(Deadline::after(60s)));
  EXPECT_EQ(stopped.exit_code(), 4);
  EXPECT_EQ(shop_->serving(), "blue");
  on_green("SET session_replication_role = replica; UPDATE public.customers SET email = left(email, -1) WHERE id = 5 RETURNING ''");

  const auto there = shop_->cross("switch");
  ASSERT_EQ(there.exit_code, 0) << there.errors;
  EXPECT_EQ(there.json["parity"]["verdict"], "equal") << there.json;
  const auto back = shop_->cross("rollback");
  ASSERT_EQ(back.exit_code, 0) << back.errors;
  const auto load = shop_->stop_load();
  EXPECT_EQ(load["client_errors"], 0) << load;
  const auto verdict = shop_->ledger("blue");
  EXPECT_EQ(verdict.lost, 0);
  EXPECT_EQ(verdict.duplicated, 0);
  EXPECT_EQ(on_green("SELECT count(*) FROM pg_replication_slots WHERE slot_name LIKE 'verdigris_chk%'"), "0");
}

}  // namespace
}  // namespace verdigris::test
