// A copy that was interrupted goes on where it ended, if the snapshot is still kept and nothing that it stands on has
// changed; else it begins anew and says why. What keeps the snapshot needs no controller, and ends by itself.
#include <gtest/gtest.h>

#include <thread>

#include "controller/lease.hpp"
#include "controller/steps/copy_tables.hpp"
#include "controller/steps/publish_source.hpp"
#include "replication/control_schema.hpp"
#include "replication/copy/copy_record.hpp"
#include "replication/copy/snapshot.hpp"
#include "replication/copy/workers.hpp"
#include "replication/poll.hpp"
#include "replication/slot.hpp"
#include "tests/support/cluster.hpp"
#include "tests/support/mutant.hpp"
#include "tests/support/pgbouncer_driver.hpp"

namespace verdigris::test {
namespace {

using namespace std::chrono_literals;

const Stream kResumed = Stream::forward("shop");
constexpr const char* kKeepers = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'verdigris/shop/kept'";
// Of a table that is done: changes with whoever writes its rows again.
constexpr const char* kWritten = "pg_relation_filenode('public.TABLE') || ' ' || min(xmin::text) || max(ctid::text) FROM public.TABLE";
constexpr int kMiddling = 8, kTiny = 12;
constexpr const char* kAll = "20 tables, 48036 rows";

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

class CopyResume : public testing::Test {
 protected:
  void SetUp() override {
    NEED_POSTGRES(15);
    NEED_POSTGRES(17);
    pair = &shared_pair(15, 17);
    connect();
    install_control_schema(blue->control(), "shop", "blue", soon());
    install_control_schema(green->control(), "shop", "green", soon());
    std::string tables, rows;
    for (int i = 0; i < kMiddling; ++i) tables += "CREATE TABLE public.m" + std::to_string(i) + " (id int, v text);";
    for (int i = 0; i < kTiny; ++i) tables += "CREATE TABLE public.t" + std::to_string(i) + " (id int, v text);";
    for (auto* side : {&*blue, &*green}) run(side->control(), tables);
    for (int i = 0; i < kMiddling; ++i)
      rows += "INSERT INTO public.m" + std::to_string(i) + " SELECT g, repeat('y', 90) FROM generate_series(1, 6000) AS g;";
    for (int i = 0; i < kTiny; ++i)
      rows += "INSERT INTO public.t" + std::to_string(i) + " SELECT g, 'row' FROM generate_series(1, 3) AS g;";
    for (int i = 0; i < kMiddling; ++i) rows += "ALTER TABLE public.m" + std::to_string(i) + " REPLICA IDENTITY FULL;";
    run(blue->control(), rows + "ALTER TABLE public.t9 REPLICA IDENTITY FULL");
    PublishSource(Source(*blue), kResumed, TableSelection{}).apply(soon());
  }
  void TearDown() override {
    if (blue) end_snapshot_keepers(blue->control(), "shop", nullptr, soon());
  }

  void connect() {
    blue.emplace(side(pair->blue(), "blue"));
    green.emplace(side(pair->green(), "green"));
  }
  CopyTables step(CopySettings settings = {}, ProgressCallback progress = {}, std::int64_t limit = 0) {
    return {Source(*blue), Target(*green), kResumed, std::move(settings), limit, CopyPace{}, true, std::move(progress)};
  }
  // Ends when that many items are done, as if the connection had gone: the rows of the next one are rolled back.
  void interrupt(int items, CopySettings settings = {}) {
    settings.workers = 1;
    const auto interrupted = error_of([&] {
      CopyTables copy = step(std::move(settings), [&](const std::string&) {
        auto other = admin(pair->green());
        if (std::stoi(value(other, "SELECT count(*) FROM verdigris.saved WHERE key LIKE 'copied:%'")) >= items)
          run(other, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'verdigris/shop/copy'");
      });
      copy.apply(Deadline::after(1min));
    });
    ASSERT_NE(interrupted, "") << "it was over before";
  }
  // Slow enough for that: every row of these tables waits a little on green.
  void slow_down() {
    std::string triggers =
        "CREATE FUNCTION public.slowly() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN IF NEW.id % 250 = 0 THEN PERFORM pg_sleep(0.01); END IF; RETURN NEW; END';";
    for (int i = 0; i < kMiddling; ++i) {
      const std::string table = "public.m" + std::to_string(i);
      triggers += "CREATE TRIGGER slowly BEFORE INSERT ON " + table + " FOR EACH ROW EXECUTE FUNCTION public.slowly();"
                  "ALTER TABLE " + table + " ENABLE ALWAYS TRIGGER slowly;";
    }
    run(green->control(), triggers);
  }
  std::string go_on(ProgressCallback progress = {}) { return step({}, std::move(progress)).apply(Deadline::after(1min)); }

  // Rows of all tables; and who wrote them where, of those that are done.
  std::string rows_of(Server& on) {
    std::string all;
    for (int i = 0; i < kMiddling; ++i) all += digest(on, "m" + std::to_string(i));
    for (int i = 0; i < kTiny; i += 3) all += digest(on, "t" + std::to_string(i));
    return all;
  }
  std::string digest(Server& on, const std::string& table) {
    return table + ":" + value(on.control(), "SELECT count(*) || md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM public." + table + " AS t") + " ";
  }
  std::map<std::string, std::string> written() {
    std::map<std::string, std::string> by;
    const auto done = run(green->control(), "SELECT replace(split_part(key, '.', 2), '\"', '') FROM verdigris.saved WHERE key LIKE 'copied:%'");
    for (const auto& row : done.rows(1))
      by[row.text(0)] = written_by(green->control(), row.text(0));
    return by;
  }
  static std::string written_by(Connection& on, const std::string& table) {
    return value(on, replaced(replaced("SELECT " + std::string(kWritten), "TABLE", table), "TABLE", table));
  }
  std::string notes() { return value(green->control(), "SELECT count(*) FROM verdigris.saved WHERE key LIKE 'cop%' AND key NOT IN ('copy:started', 'copy:done')"); }
  std::string keepers() {
    auto other = admin(pair->blue(), "postgres");
    return value(other, kKeepers);
  }
  bool is_soon_without_keeper(std::chrono::milliseconds patience = 4s) {
    auto other = admin(pair->blue(), "postgres");
    return wait_until(Deadline::after(patience), [&] { return value(other, kKeepers) == "0"; });
  }
  void write_on_blue() {
    run(blue->control(), "UPDATE public.m0 SET v = 'later' WHERE id % 5 = 0; DELETE FROM public.m1 WHERE id % 7 = 0;"
                         "INSERT INTO public.m7 VALUES (0, 'later'); INSERT INTO public.t0 VALUES (0, 'later'); DELETE FROM public.t9");
  }

  Pair* pair = nullptr;
  std::optional<Server> blue, green;
};

TEST_F(CopyResume, WhatIsThereIsNotCopiedAgainAndTheRestComesFromTheSameSnapshot) {
  slow_down();
  const auto expected = rows_of(*blue);
  interrupt(4);
  EXPECT_EQ(keepers(), "1");
  const auto before = written();
  ASSERT_GE(before.size(), 4U);
  ASSERT_LT(before.size(), static_cast<std::size_t>(kMiddling + kTiny));
  write_on_blue();
  std::string first;
  const auto account = go_on([&](const std::string& text) {
    if (first.empty()) first = text;
    auto other = admin(pair->green());
    for (const auto& [table, by] : before) EXPECT_EQ(written_by(other, table), by) << table;
  });
  const auto there = "went on: " + std::to_string(before.size()) + " of 20 tables were there, ";
  EXPECT_TRUE(has(account, there) && has(account, kAll)) << account;
  EXPECT_TRUE(has(first, "went on: ")) << first;
  for (const auto& [table, by] : before) EXPECT_EQ(written_by(green->control(), table), by) << table;
  EXPECT_EQ(rows_of(*green), expected);
  EXPECT_TRUE(is_soon_without_keeper());
  EXPECT_EQ(notes(), "0");
}

TEST_F(CopyResume, UnderAnotherSnapshotWhatTheSlotSendsWouldBeThereTwice) {
  slow_down();
  const auto expected = rows_of(*blue);
  interrupt(3);
  write_on_blue();
  const Mutant other("copy_snapshot_not_imported");
  EXPECT_TRUE(has(go_on(), "went on: "));
  EXPECT_NE(rows_of(*green), expected);
}

// Many times over, with another end of the keeper or of what was copied each time.
TEST_F(CopyResume, BegunAnewWhereItCannotGoOnAndThatIsSaid) {
  slow_down();
  const std::pair<std::string, std::function<void()>> cases[] = {
      {"blue keeps the snapshot no more: its session was ended, or no controller came for 600 s",
       [&] {
         end_snapshot_keepers(blue->control(), "shop", nullptr, soon());
         ASSERT_TRUE(is_soon_without_keeper());
       }},
      {"a table was made, truncated, rewritten or dropped on blue meanwhile", [&] { run(blue->control(), "VACUUM FULL public.m7"); }},
      {"a table was made, truncated, rewritten or dropped on blue meanwhile",
       [&] { run(blue->control(), "CREATE TABLE public.born AS SELECT 1 AS id"), run(green->control(), "CREATE TABLE public.born (id int)"); }},
      {"replication slot verdigris_shop_fwd is gone from blue", [&] { drop_slot(blue->control(), kResumed, soon()); }},
      {"replication slot verdigris_shop_fwd was read meanwhile",
       [&] {
         write_on_blue();
         run(blue->control(), "SELECT pg_replication_slot_advance('verdigris_shop_fwd', pg_current_wal_lsn())");
       }},
      {"the snapshot ended with blue's restart",
       [&] {
         blue.reset();
         pair->blue().stop_fast();
         pair->blue().start();
         connect();
       }},
  };
  for (const auto& [why, act] : cases) {
    SCOPED_TRACE(why);
    interrupt(3);
    act();
    write_on_blue();
    const auto expected = rows_of(*blue);
    const auto account = go_on();
    EXPECT_TRUE(account.starts_with("begun anew: " + why + "; ")) << account;
    EXPECT_EQ(rows_of(*green), expected);
    EXPECT_TRUE(is_soon_without_keeper());
    step().undo(soon());
    EXPECT_FALSE(slot_state(blue->control(), kResumed, soon()).exists);
  }
}

// An old snapshot sees a table empty that was truncated since.
TEST_F(CopyResume, WithoutALookAtTheFilesRowsWouldBeLost) {
  slow_down();
  interrupt(1);
  for (int i = 0; i < kMiddling; ++i) run(blue->control(), "VACUUM FULL public.m" + std::to_string(i) + "; ");
  run(blue->control(), "TRUNCATE public.t0; INSERT INTO public.t0 SELECT g, 'row' FROM generate_series(1, 3) AS g");
  const auto expected = rows_of(*blue);
  {
    const Mutant unseen("copy_storage_not_compared");
    EXPECT_TRUE(has(go_on(), "went on: "));
    EXPECT_NE(rows_of(*green), expected);
  }
  step().undo(soon());
  interrupt(1);
  run(blue->control(), "TRUNCATE public.t0; INSERT INTO public.t0 SELECT g, 'row' FROM generate_series(1, 3) AS g");
  EXPECT_TRUE(has(go_on(), "begun anew: "));
  EXPECT_EQ(rows_of(*green), expected);
}

TEST_F(CopyResume, ATargetThatWasRestartedIsGoneOnWith) {
  slow_down();
  const auto expected = rows_of(*blue);
  for (const bool is_crash : {false, true}) {
    interrupt(3);
    green.reset();
    is_crash ? pair->green().stop_immediate() : pair->green().stop_fast();
    pair->green().start();
    connect();
    const auto there = written().size();
    const auto account = go_on();
    EXPECT_TRUE(has(account, "went on: " + std::to_string(there) + " of 20 tables were there")) << account;
    EXPECT_EQ(rows_of(*green), expected);
    step().undo(soon());
  }
}

// Nothing was rewritten, and what is read under a name is not what was read before.
TEST_F(CopyResume, TablesThatHaveChangedPlacesAreNotTakenForEachOther) {
  slow_down();
  interrupt(3);
  run(blue->control(), "ALTER TABLE public.m0 RENAME TO x; ALTER TABLE public.m1 RENAME TO m0; ALTER TABLE public.x RENAME TO m1");
  const auto account = go_on();
  EXPECT_TRUE(has(account, "begun anew: a table was made, ")) << account;
  EXPECT_EQ(rows_of(*green), rows_of(*blue));
}

TEST_F(CopyResume, WhatCannotBeCopiedAnewIsSaidBeforeAnythingIsThrownAway) {
  slow_down();
  interrupt(3);
  run(blue->control(), "CREATE TABLE public.late (id int)");
  std::string why;
  EXPECT_EQ(error_of([&] { go_on(); }, &why), "schema.changed");
  EXPECT_TRUE(has(why, "the first is public.late")) << why;
  EXPECT_NE(value(green->control(), "SELECT count(*) FROM verdigris.saved WHERE key LIKE 'copied:%'"), "0");
}

TEST_F(CopyResume, TheSlotIsGuardedUntilItIsRead) {
  constexpr const char* kGuard = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'verdigris/shop/slot'";
  step({}, {}, std::int64_t{1} << 30).apply(Deadline::after(1min));
  EXPECT_EQ(value(blue->control(), kGuard) + keepers(), "10");
  step().undo(soon());
  EXPECT_TRUE(wait_until(soon(), [&] { return value(blue->control(), kGuard) == "0"; }));
}

TEST_F(CopyResume, PartsOfATableStayAndAreNotCutAnew) {
  run(blue->control(), "CREATE TABLE public.large AS SELECT i AS id, repeat('x', 200) AS v FROM generate_series(1, 350000) AS i");
  slow_down();
  run(green->control(), "CREATE TABLE public.large (id int, v text); CREATE TRIGGER slowly BEFORE INSERT ON public.large FOR EACH "
                        "ROW EXECUTE FUNCTION public.slowly(); ALTER TABLE public.large ENABLE ALWAYS TRIGGER slowly");
  PublishSource(Source(*blue), kResumed, TableSelection{}).apply(soon());
  const auto expected = digest(*blue, "large");
  CopySettings in_parts;
  in_parts.cores = 4;
  int ended = 0;
  const auto failed = error_of([&] {
    step(in_parts, [&](const std::string&) {
      auto other = admin(pair->green());
      if (ended == 0 && value(other, "SELECT count(*) > 0 FROM verdigris.saved WHERE key LIKE 'copied:%large%'") == "t")
        ended = std::stoi(value(other, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'verdigris/shop/copy'"));
    }).apply(Deadline::after(1min));
  });
  ASSERT_NE(failed, "");
  const auto parts = saved_copy(green->control(), "shop", soon())->parts;
  ASSERT_GE(parts.at(QualifiedName("public", "large")).size(), 2U);
  run(blue->control(), "INSERT INTO public.large SELECT i, repeat('z', 200) FROM generate_series(1, 100000) AS i");  // other sizes
  auto items = with_splits(copy_plan(user_tables(blue->control(), soon(), TableSizes::read), {}), parts);
  EXPECT_EQ(splits_of(items), parts);
  run(green->control(), "DROP FUNCTION public.slowly() CASCADE");
  const auto account = go_on();
  EXPECT_TRUE(has(account, "went on: 0 of 21 tables were there, ") && has(account, "; 21 tables, 398036 rows")) << account;
  EXPECT_FALSE(has(account, "there, 0 of ")) << account;
  EXPECT_EQ(digest(*green, "large"), expected);
}

TEST_F(CopyResume, RowsAreThereIfAndOnlyIfThatIsNoted) {
  auto copy_without_note = [&] {
    auto items = copy_plan(user_tables(blue->control(), soon(), TableSizes::read), {});
    const CopySessions sessions{[&](const std::stop_token&) { return blue->open("copy", soon()); },
                                [&] { return green->open("copy", soon(), false, {{"client_min_messages", "error"}}); },
                                [](Connection&, const auto&) { throw Error("test", "killed"); }};
    return error_of([&] { copy_items(std::move(items), 1, sessions, {}, soon()); });
  };
  const std::string all = "SELECT (SELECT count(*) FROM public.m0) + (SELECT count(*) FROM public.t0)";
  EXPECT_EQ(copy_without_note(), "test");
  EXPECT_EQ(value(green->control(), all), "0");
  const Mutant apart("copied_noted_apart");
  EXPECT_EQ(copy_without_note(), "test");
  EXPECT_NE(value(green->control(), all), "0");
}

// One that hung meanwhile, and whose sessions are not known any more.
TEST_F(CopyResume, AnEarlierRunCommitsNothingOnceAnotherHasClaimedTheCopy) {
  const auto items = copy_plan(user_tables(blue->control(), soon(), TableSizes::read), {});
  const auto earlier = claim_copy(green->control(), "shop", soon());
  auto zombie = green->open("other", soon());
  {
    Transaction transaction(zombie, soon());
    note_copied(zombie, "shop", earlier, {{&items[0], {3, 30}}}, soon());
    auto claimer = side(pair->green(), "green");
    run(claimer.control(), "SET lock_timeout = '100ms'");
    EXPECT_EQ(error_of([&] { claim_copy(claimer.control(), "shop", soon()); }), "server-error") << "it must wait for what is under way";
    transaction.commit();
  }
  const auto later = claim_copy(green->control(), "shop", soon());
  EXPECT_NE(earlier, later);
  EXPECT_EQ(error_of([&] { note_copied(zombie, "shop", earlier, {{&items[1], {3, 30}}}, soon()); }), "copy.other-run");
  note_copied(zombie, "shop", later, {{&items[1], {4, 40}}}, soon());
  auto known = items;
  mark_copied(known, green->control(), "shop", soon());
  EXPECT_EQ(known[0].copied->rows, 3);
  EXPECT_EQ(known[1].copied->bytes, 40);
  EXPECT_FALSE(known[2].copied);
  auto hanging = green->open("copy", soon());
  claim_copy(green->control(), "shop", soon());
  EXPECT_EQ(error_of([&] { hanging.execute(Sql("SELECT 1"), soon()); }), "connection-lost");
}

TEST_F(CopyResume, TheSnapshotIsKeptAsLongAsThereIsAControllerOrItMayComeBack) {
  slow_down();
  interrupt(2);
  step().undo(soon());
  EXPECT_TRUE(is_soon_without_keeper()) << "given up";
  EXPECT_EQ(notes(), "0");
  EXPECT_FALSE(slot_state(blue->control(), kResumed, soon()).exists);
  CopySettings brief;
  brief.keeping.alone = 2s;
  interrupt(2, brief);
  EXPECT_TRUE(is_snapshot_kept(blue->control(), "shop", soon()));
  acquire_lease(blue->control(), "shop", 1s, soon());
  std::this_thread::sleep_for(5s);
  EXPECT_EQ(keepers(), "1") << "a controller is there";
  blue->control().close();
  EXPECT_TRUE(is_soon_without_keeper(6s)) << "none is there any more";
  connect();
  EXPECT_FALSE(is_snapshot_kept(blue->control(), "shop", soon()));
  EXPECT_TRUE(slot_state(blue->control(), kResumed, soon()).exists) << "what it costs is watched by the limit of WAL";
}

// While it keeps the snapshot, and also when it has let it go; and what watches it holds up no VACUUM.
TEST_F(CopyResume, WithoutAControllerTheSlotIsDroppedIfItMakesBlueKeepTooMuch) {
  constexpr const char* kGuards = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'verdigris/shop/slot'";
  constexpr const char* kHeldUp = "SELECT coalesce(max(age(backend_xmin)), 0) FROM pg_stat_activity WHERE application_name IN ('verdigris/shop/kept', 'verdigris/shop/slot')";
  for (const bool is_later : {false, true}) {
    std::string name;
    {
      auto slot = create_slot_with_snapshot(*blue, kResumed, soon());
      const KeepingTerms terms{is_later ? 2s : 600s, 8 << 20};
      auto guard = guard_slot(*blue, kResumed, slot.consistent_point, terms, soon());
      name = keep_snapshot(*blue, kResumed, slot.name, slot.consistent_point, terms, std::move(guard), soon()).snapshot;
    }
    std::this_thread::sleep_for(1500ms);
    EXPECT_EQ(value(blue->control(), kGuards), "1");
    if (is_later) {
      EXPECT_TRUE(is_soon_without_keeper(6s));
      EXPECT_EQ(value(blue->control(), kGuards), "1");
      EXPECT_FALSE(is_snapshot_kept(blue->control(), "shop", soon()));
      EXPECT_EQ(error_of([&] { open_under_snapshot(*blue, "copy", name, "UTF8", soon()); }), "copy.snapshot-lost");
      run(blue->control(), "CREATE TABLE public.later (a int)");
      EXPECT_TRUE(wait_until(Deadline::after(4s), [&] { return value(blue->control(), kHeldUp) == "0"; }));
      EXPECT_TRUE(slot_state(blue->control(), kResumed, soon()).exists);
    } else {
      EXPECT_EQ(keepers(), "1");
      run(blue->control(), "CREATE TABLE public.sooner (a int)");
      EXPECT_NE(value(blue->control(), kHeldUp), "0");
    }
    run(blue->control(), "DROP TABLE IF EXISTS public.noise; CREATE TABLE public.noise AS SELECT repeat(md5(i::text), 30) FROM generate_series(1, 20000) AS i");
    EXPECT_TRUE(wait_until(Deadline::after(8s), [&] { return !slot_state(blue->control(), kResumed, soon()).exists; }));
    EXPECT_TRUE(is_soon_without_keeper());
    EXPECT_TRUE(wait_until(Deadline::after(4s), [&] { return value(blue->control(), kGuards) == "0"; }));
  }
}


}  // namespace
}  // namespace verdigris::test
