// The proofs of the window, each left out in turn (faults, section 6, a switch for each): what it would have refused goes
// through.
#include <gtest/gtest.h>

#include <csignal>
#include <functional>
#include <future>

#include "controller/steps/drain_to_marker.hpp"
#include "controller/steps/stop_reverse.hpp"
#include "controller/waiting_slot.hpp"
#include "replication/fence.hpp"
#include "replication/marker.hpp"
#include "replication/origin.hpp"
#include "replication/slot.hpp"
#include "replication/subscription.hpp"
#include "tests/support/crossing.hpp"
#include "tests/support/mutant.hpp"
#include "tests/support/pgbouncer_driver.hpp"
#include "tests/support/window.hpp"

namespace verdigris::test {
namespace {

using namespace std::chrono_literals;

// Nothing is under way to it when the sender is frozen.
TEST_F(Window, ThatEverythingSentIsConfirmedSaysNothingOfTheLastRow) {
  Crossing crossing(*shop_);
  crossing.go_through("stand_ready");
  const auto sender = std::stoi(shop_->ask("blue", "SELECT pid FROM pg_stat_replication WHERE application_name = 'verdigris_shop_fwd'"));
  ::kill(sender, SIGSTOP);
  shop_->ask("blue", "INSERT INTO public.log VALUES ('last') RETURNING ''");
  crossing.go_through("fence_source");
  const auto drain = [&] { return error_of([&] { crossing.apply("drain_to_marker", Deadline::after(800ms)); }); };
  EXPECT_EQ(drain(), "deadline-passed");
  crossing.deployment().reopen(soon());
  {
    const Mutant mutant("sent_position_awaited");
    EXPECT_EQ(drain(), "accepted") << "survived";
  }
  EXPECT_EQ(rows_named("green", "last"), "0");
  ::kill(sender, SIGCONT);
  crossing.apply("drain_to_marker");
  EXPECT_EQ(rows_named("green", "last"), "1");
  crossing.undo();
  EXPECT_TRUE(shop_->accepts_writes("blue"));
}

// It has its trigger and is known to nobody else.
TEST_F(Window, ATableThatIsBornBehindTheLastLookIsSeen) {
  Crossing crossing(*shop_);
  crossing.go_through("stand_ready");
  shop_->ask("blue", R"(CREATE TABLE public.born (v int PRIMARY KEY); INSERT INTO public.born VALUES (1);
                        CREATE TRIGGER verdigris_fence BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON public.born
                        FOR EACH STATEMENT EXECUTE FUNCTION verdigris.fence(); SELECT '')");
  crossing.go_through("copy_sequences");
  EXPECT_EQ(error_of([&] { crossing.apply("prove_parity"); }), "data.unpublished");
  {
    const Mutant mutant("coverage_before_window_alone");
    EXPECT_EQ(error_of([&] { crossing.apply("prove_parity"); }), "accepted") << "survived";
  }
  EXPECT_EQ(shop_->ask("green", "SELECT to_regclass('public.born') IS NULL"), "t") << "its row would be lost";
  crossing.undo();
  shop_->ask("blue", "DROP TABLE public.born; SELECT ''");
}

TEST_F(Window, APreparedTransactionIsNamedWhetherItHoldsALockOrNot) {
  Crossing crossing(*shop_);
  crossing.go_through("stand_ready");
  const auto fence = [&](const std::string& mutant) {
    const Mutant left_out(mutant);
    return error_of([&] { crossing.apply("fence_source"); });
  };
  const std::pair<const char*, const char*> cases[] = {{"INSERT INTO public.log VALUES ('late')", "fence.lock"},
                                                       {"SELECT pg_current_xact_id()", "accepted"}};
  for (const auto& [sql, broken] : cases) {
    auto client = shop_->session("blue");
    run(client, "BEGIN");
    run(client, sql);
    run(client, "PREPARE TRANSACTION 'late gid'");
    EXPECT_EQ(fence(""), "fence.prepared") << sql;
    EXPECT_EQ(fence("prepared_not_looked_for"), broken) << "survived: " << sql;
    run(client, "ROLLBACK PREPARED 'late gid'");
  }
  crossing.undo();
}

// The waiting slot is kept close, as long as the fence of its side is seen closed.
TEST_F(Window, TheWaitingSlotIsAdvancedBehindAClosedFenceAlone) {
  Crossing crossing(*shop_);
  auto& green = crossing.target().control();
  const auto slot = [&] { return slot_state(green, back_, soon()); };
  const auto bring_close = [&](const std::string& mutant) {
    const Mutant left_out(mutant);
    bring_waiting_slot_close(crossing.deployment(), "blue", soon());
  };
  const auto to_decode = [&] { return (wal_insert_position(green, soon()) - slot().restart).count; };
  shop_->ask("green", "SELECT pg_logical_emit_message(false, 'test', repeat('x', 3000000))");
  bring_close("waiting_slot_not_advanced");
  EXPECT_GT(to_decode(), 3'000'000) << "survived";
  // A transaction under way, such as a heartbeat that is applied, keeps its beginning from being behind: the next look has it.
  for (int times = 0; times < 10 && (times == 0 || to_decode() >= 1'000'000); ++times) bring_close("");
  EXPECT_LT(to_decode(), 1'000'000);

  const auto set = [&](FenceState state) {
    Transaction transaction(green, soon());
    set_fence(transaction, state);
    transaction.commit();
  };
  set(FenceState::open);
  shop_->ask("green", "SELECT pg_logical_emit_message(true, 'test', 'a client')");
  const auto before = slot().confirmed_flush;
  bring_close("");
  EXPECT_EQ(slot().confirmed_flush, before);
  bring_close("waiting_slot_advanced_anyway");
  EXPECT_GT(slot().confirmed_flush, before) << "survived";
  set(FenceState::following);
  crossing.undo();
}

TEST_F(Window, ALostSessionIsOpenedAnewWithItsLeaseOrNotAtAll) {
  Crossing crossing(*shop_);
  const auto reopen_beside_another = [&](const std::string& mutant) {
    end_session("blue", crossing.source());
    auto another = shop_->session("blue");
    run(another, "SELECT pg_advisory_lock(hashtextextended('verdigris:shop', 0))");
    const Mutant left_out(mutant);
    return error_of([&] { crossing.deployment().reopen(Deadline::after(400ms)); });
  };
  EXPECT_NE(reopen_beside_another(""), "accepted");
  EXPECT_EQ(reopen_beside_another("lease_not_compared"), "accepted") << "survived: it could decide beside the other";
  end_session("blue", crossing.source());
  crossing.undo();
}

// Compared when sessions are opened anew and right before the opening; then, that nobody has moved the slot on.
TEST_F(Window, OnlyTheServerThatWasProvenIsOpenedAndOnlyACompleteWayBackIsTaken) {
  is_used_up_ = true;
  Crossing crossing(*shop_);
  crossing.go_through("fix_reverse_start");
  const auto is_taken_back = [&](const std::string& mutant) {
    const Mutant left_out(mutant);
    end_session("green", crossing.target());
    crossing.deployment().reopen(soon());
    return crossing.target().is_connected();
  };
  const auto open = [&](const std::string& mutant) {
    const Mutant left_out(mutant);
    return error_of([&] { crossing.apply("open_target"); });
  };
  change_token();
  EXPECT_FALSE(is_taken_back(""));
  change_token();
  crossing.deployment().reopen(soon());
  change_token();
  EXPECT_TRUE(is_taken_back("identity_once")) << "survived";
  crossing.decide();
  EXPECT_EQ(open(""), "target.changed");
  EXPECT_FALSE(shop_->accepts_writes("green"));
  EXPECT_EQ(open("identity_once"), "accepted") << "survived";
  change_token();

  crossing.go_through("stop_forward");
  write_on_green("lost");
  shop_->ask("green",
             "SELECT pg_replication_slot_advance('verdigris_shop_rev', pg_current_wal_insert_lsn()); SELECT ''");
  EXPECT_EQ(error_of([&] { crossing.apply("start_reverse"); }), "reverse.slot-advanced");
  const Mutant mutant("confirmed_flush_unasserted");
  EXPECT_EQ(error_of([&] { crossing.apply("start_reverse"); }), "accepted") << "survived";
  EXPECT_EQ(rows_named("blue", "lost"), "0") << "survived";
}

// Green serves. Stopped for good by a forced rollback; or off, and green crashed, when recover comes by.
TEST_F(Window, TheWayBackIsStoppedForGoodAndItsOriginMovedOnce) {
  is_used_up_ = true;
  Crossing crossing(*shop_);
  crossing.go_through("start_reverse");
  auto& blue = crossing.source().control();
  const auto marker_comes = [&] {
    const auto id = write_marker(crossing.target().control(), "green", "test", soon());
    for (const auto deadline = Deadline::after(5s); !deadline.has_passed(); std::this_thread::sleep_for(5ms))
      if (marker_arrived(blue, back_, id, soon())) return true;
    return false;
  };
  StopReverse stop(crossing.deployment().target_of("green"), back_, crossing.deployment().facts());
  {
    const Mutant mutant("reverse_left_enabled");
    stop.apply(soon());
  }
  write_on_green("returned");
  EXPECT_TRUE(marker_comes()) << "survived";
  EXPECT_EQ(rows_named("blue", "returned"), "1");
  stop.apply(soon());
  EXPECT_FALSE(subscription_state(blue, back_, soon()).worker_pid.has_value());
  write_on_green("kept away");
  std::this_thread::sleep_for(300ms);  // of its launcher, which looks each 100 ms
  EXPECT_EQ(rows_named("blue", "kept away"), "0");
  stop.undo(soon());
  ASSERT_TRUE(marker_comes());

  // With the crash the slot forgets that blue has confirmed the row: only the origin knows.
  const auto follow_after_crash = [&](const std::string& line) {
    auto slot = slot_state(crossing.target().control(), back_, soon());
    Lsn written;
    for (int tries = 0; tries < 3; ++tries) {
      write_on_green(line);
      written = wal_insert_position(crossing.target().control(), soon());
      EXPECT_TRUE(marker_comes());
      disable_subscription(blue, back_, soon());
      shop_->server("green").stop_immediate();
      shop_->server("green").start();
      crossing.deployment().reopen(soon());
      slot = slot_state(crossing.target().control(), back_, soon());
      if (slot.confirmed_flush < written) break;
      enable_subscription(blue, back_, soon());  // it was saved just then
    }
    EXPECT_LT(slot.confirmed_flush, written);
    const auto error = error_of([&] { crossing.apply("start_reverse"); });
    if (error != "accepted") return error;  // what has a key is in the way of itself
    return shop_->rows("blue") == shop_->rows("green") ? std::string() : "a row was applied twice";
  };
  EXPECT_EQ(follow_after_crash("once"), "");
  const Mutant mutant("origin_advanced_again");
  const auto broken = follow_after_crash("once more");
  EXPECT_TRUE(broken == "a row was applied twice" || broken == "apply.failing") << "survived: " << broken;
}

// The controller dies with green open, and blue is restored to what it was before the decision.
TEST_F(Window, ASourceThatLostTheDecisionIsNotOpenedBesideTheTarget) {
  is_used_up_ = true;
  const auto switch_and_restore = [&] {
    Crossing(*shop_).go_through("open_target");
    shop_->ask("blue",
               R"(DELETE FROM verdigris.journal j WHERE (epoch, seq) >= (SELECT epoch, seq FROM verdigris.journal
                          WHERE event = 'committed' ORDER BY epoch DESC, seq DESC LIMIT 1); SELECT '')");
  };
  const auto recover = [&](const std::string& mutant) {
    return run_tool({{VERDIGRIS_PROGRAM, "recover", "--yes", "--playbook", shop_->playbook_file().string()},
                     {{"VERDIGRIS_MUTANT", mutant}},
                     {}},
                    Deadline::after(60s));
  };
  switch_and_restore();
  const auto refused = recover("");
  EXPECT_EQ(refused.exit_code, 6) << refused.errors;
  EXPECT_NE(refused.errors.find("it lacks the decision that green has"), std::string::npos) << refused.errors;
  EXPECT_FALSE(shop_->accepts_writes("blue"));
  EXPECT_TRUE(shop_->accepts_writes("green"));
  const auto broken = recover("target_records_unread");
  EXPECT_TRUE(shop_->accepts_writes("blue") && shop_->accepts_writes("green"))
      << "survived: " << broken.output << broken.errors;

  shop_->begin_anew();
  {
    const Mutant mutant("committed_on_source_alone");
    switch_and_restore();
  }
  const auto ignorant = recover("");
  EXPECT_TRUE(shop_->accepts_writes("blue") && shop_->accepts_writes("green"))
      << "survived: " << ignorant.output << ignorant.errors;
}

}  // namespace
}  // namespace verdigris::test
