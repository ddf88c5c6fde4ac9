// What we believe about several streams in one direction, on several majors.
#include <gtest/gtest.h>

#include "healthcheck/coverage.hpp"
#include "healthcheck/questions.hpp"
#include "replication/control_schema.hpp"
#include "replication/copy/snapshot.hpp"
#include "replication/copy/snapshot_keeper.hpp"
#include "replication/marker.hpp"
#include "replication/origin.hpp"
#include "replication/poll.hpp"
#include "replication/slot.hpp"
#include "replication/stream_groups.hpp"
#include "replication/subscription.hpp"
#include "replication/table_groups.hpp"
#include "tests/support/cluster.hpp"
#include "tests/support/pgbouncer_driver.hpp"

namespace verdigris::test {
namespace {

using namespace std::chrono_literals;

const Streams kTwo(Stream::forward("shop"), 2);

class StreamGroups : public testing::TestWithParam<std::pair<int, int>> {
 protected:
  void SetUp() override {
    NEED_POSTGRES(GetParam().first);
    NEED_POSTGRES(GetParam().second);
    pair = &shared_pair(GetParam().first, GetParam().second);
    blue.emplace(side(pair->blue(), "blue"));
    green.emplace(side(pair->green(), "green"));
    for (Server* server : {&*blue, &*green}) {
      install_control_schema(server->control(), "shop", server->color(), soon());
      install_marker_groups(server->control(), 2, soon());
      run(server->control(), "CREATE TABLE public.a (id int PRIMARY KEY); CREATE TABLE public.b (id int PRIMARY KEY)");
    }
    ensure_publications(source(), kTwo, tables(), soon());
  }
  static GroupedTables tables() { return {{{{"public", "a"}}}, {{{"public", "b"}}}}; }
  Connection& source() { return blue->control(); }
  Connection& target() { return green->control(); }
  void write_both(int id) {
    const auto n = std::to_string(id);
    run(source(), "BEGIN; INSERT INTO public.a VALUES (" + n + "); INSERT INTO public.b VALUES (" + n + "); COMMIT");
  }
  std::string ids(const std::string& table) {
    return value(target(), "SELECT coalesce(string_agg(id::text, ' ' ORDER BY id), '') FROM public." + table);
  }
  void create_both() {
    for (const auto& stream : kTwo)
      create_subscription(*green, stream, pair->blue().conninfo("verdigris_repl", "shop"), blue->major(), false,
                          ApplyAs::owners_of_tables, soon());
  }

  Pair* pair = nullptr;
  std::optional<Server> blue, green;
};

// Copied from the first, by another session, while the one that exported the snapshot still keeps it; with transactions
// open across it all, with one that is written after the snapshot and before the copy, and with a checkpoint between.
TEST_P(StreamGroups, ACopiedSlotBeginsWhereTheSnapshotEnds) {
  write_both(1);
  auto slot = create_slot_with_snapshot(*blue, kTwo.first(), soon());
  auto open = admin(pair->blue());
  run(open, "BEGIN; INSERT INTO public.a VALUES (20); INSERT INTO public.b VALUES (20)");
  write_both(2);
  run(source(), "CHECKPOINT");
  copy_slot(source(), kTwo.first(), kTwo[1], soon());
  for (const auto& state : slot_states(source(), kTwo, soon())) {
    EXPECT_TRUE(state.is_usable());
    EXPECT_FALSE(state.is_active);
    EXPECT_EQ(state.confirmed_flush, slot.consistent_point);
  }
  write_both(3);
  auto reader = open_under_snapshot(*blue, "copy", slot.name, "UTF8", soon());
  EXPECT_EQ(value(reader, "SELECT string_agg(id::text, ' ') FROM public.a"), "1");
  EXPECT_EQ(value(reader, "SELECT string_agg(id::text, ' ') FROM public.b"), "1");
  slot.session.close();
  run(open, "COMMIT");
  create_both();
  for (const auto& stream : kTwo) enable_subscription(target(), stream, soon());
  const auto id = write_marker(source(), "blue", "test", soon());
  wait_for_marker(target(), kTwo, id, soon());
  EXPECT_EQ(ids("a"), "2 3 20");
  EXPECT_EQ(ids("b"), "2 3 20");
  EXPECT_EQ(value(target(), "SELECT count(*) FROM verdigris.marker"), "1");
  EXPECT_EQ(value(target(), "SELECT count(*) FROM verdigris.marker_g2"), "1") << "the trigger of the writing side, and not the worker";
}

// The server takes whatever is there by then.
TEST_P(StreamGroups, ASlotThatWasReadMeanwhileIsNotCopiedUnseen) {
  ensure_slot(source(), kTwo.first(), soon());
  const auto begin = slot_state(source(), kTwo.first(), soon()).confirmed_flush;
  write_both(1);
  advance_slot(source(), kTwo.first(), wal_insert_position(source(), soon()), soon());
  copy_slot(source(), kTwo.first(), kTwo[1], soon());
  EXPECT_GT(slot_state(source(), kTwo[1], soon()).confirmed_flush, begin);
}

TEST_P(StreamGroups, AMarkerIsThereWhenItIsThereByEach) {
  ensure_slot(source(), kTwo.first(), soon());
  copy_slot(source(), kTwo.first(), kTwo[1], soon());
  create_both();
  enable_subscription(target(), kTwo.first(), soon());
  write_both(1);
  const auto marker = write_final_marker(source(), "blue", "shop", soon());
  wait_for_marker(target(), kTwo.first(), marker.id, soon());
  EXPECT_FALSE(marker_arrived(target(), kTwo, marker.id, soon()));
  std::vector<AppliedStream> both;
  for (const auto& stream : kTwo) both.push_back({stream, subscription_brief(target(), stream, soon()).oid});
  EXPECT_FALSE(progress_past_marker(target(), marker.id, both, soon()));
  EXPECT_GE(progress_past_marker(target(), marker.id, {both.front()}, soon()), marker.position);
  // A row alone is not enough: that origin has no progress, and the other's does not stand for it.
  run(target(), "INSERT INTO verdigris.marker_g2 (id, kind, side, at) VALUES (" + std::to_string(marker.id) + ", 'final', 'blue', now())");
  EXPECT_TRUE(marker_arrived(target(), kTwo, marker.id, soon()));
  EXPECT_FALSE(progress_past_marker(target(), marker.id, both, soon()));
  run(target(), "DELETE FROM verdigris.marker_g2");
  enable_subscription(target(), kTwo[1], soon());
  EXPECT_TRUE(wait_until(soon(), [&] {
    const auto progress = progress_past_marker(target(), marker.id, both, soon());
    return progress && *progress >= marker.position;
  }));
  EXPECT_EQ(ids("b"), "1");
}

// What the first lets in or not, it lets into all of them or none; and behind a closed fence none is written directly.
TEST_P(StreamGroups, TheMarkersFenceIsThatOfEach) {
  write_final_marker(source(), "blue", "shop", soon());
  for (const char* table : {"marker", "marker_g2"})
    EXPECT_THROW(run(source(), std::string("INSERT INTO verdigris.") + table + " (id, kind, side, at) VALUES (5, 'x', 'blue', now())"), ServerError) << table;
}

TEST_P(StreamGroups, AreCountedByAnythingThatIsLeftOfThem) {
  EXPECT_EQ(groups_on(source(), "shop", soon()), 2);
  EXPECT_EQ(groups_on(target(), "shop", soon()), 1);
  EXPECT_EQ(groups_on(source(), "sho", soon()), 1);
  ensure_slot(source(), kTwo.first(), soon());
  copy_slot(source(), kTwo.first(), kTwo[1], soon());
  create_both();
  EXPECT_EQ(groups_on(target(), "shop", soon()), 2);
  drop_publications(source(), kTwo, soon());
  EXPECT_EQ(groups_on(source(), "shop", soon()), 2) << "by the slot";
  drop_slots(source(), kTwo, soon());
  EXPECT_EQ(groups_on(source(), "shop", soon()), 1);
  remove_marker_groups(source(), soon());
  remove_marker_groups(source(), soon());
  EXPECT_EQ(value(source(), "SELECT to_regclass('verdigris.marker_g2') IS NULL"), "t");
  write_marker(source(), "blue", "test", soon());
}

// One row through two subscriptions: the second worker stops at it. So coverage looks.
TEST_P(StreamGroups, ATableInTwoGroupsIsAFailureOfCoverage) {
  ensure_slot(source(), kTwo.first(), soon());
  copy_slot(source(), kTwo.first(), kTwo[1], soon());
  run(source(), "ALTER PUBLICATION verdigris_shop_fwd_g2 ADD TABLE public.a");
  create_both();
  const auto has = [&](const std::string& id) {
    const auto findings = coverage(source(), target(), kTwo, soon());
    return std::ranges::any_of(findings, [&](const auto& one) { return one.level == Level::fail && one.id == id; });
  };
  EXPECT_TRUE(has("data.published-twice"));
  run(source(), "ALTER PUBLICATION verdigris_shop_fwd_g2 DROP TABLE public.a");
  EXPECT_FALSE(has("data.published-twice"));
  EXPECT_FALSE(has("data.unpublished"));
  run(source(), "ALTER PUBLICATION verdigris_shop_fwd_g2 DROP TABLE verdigris.marker_g2");
  EXPECT_TRUE(has("data.unpublished")) << "the marker of the second";
}

TEST_P(StreamGroups, TiesAreForeignKeysAndFamiliesByTheirRoots) {
  run(source(), R"(
    CREATE TABLE public.c (id int PRIMARY KEY, a int CONSTRAINT c_a_fkey REFERENCES public.a);
    CREATE TABLE public.tree (id int, PRIMARY KEY (id)) PARTITION BY RANGE (id);
    CREATE TABLE public.leaf PARTITION OF public.tree FOR VALUES FROM (0) TO (10);
    CREATE TABLE public.d (id int PRIMARY KEY, leaf int CONSTRAINT d_leaf_fkey REFERENCES public.leaf);
    CREATE TABLE public.child () INHERITS (public.b);
    CREATE TABLE public.self (id int PRIMARY KEY, other int REFERENCES public.self))");
  std::string all;
  for (const auto& tie : table_ties(source(), soon()))
    all += tie.one.name().raw() + "-" + tie.other.name().raw() + " by " + tie.by + "; ";
  EXPECT_EQ(all, "c-a by foreign key c_a_fkey; child-b by inheritance; d-tree by foreign key d_leaf_fkey; ");
}

// Each direction of each group has a slot, a sender, an origin and a worker; check counts them before anything is made.
TEST_P(StreamGroups, LimitsAreThoseOfAllGroups) {
  drop_publications(source(), kTwo, soon());
  CheckSettings settings{.deployment = "shop"};
  const auto failures = [&] {
    std::string ids;
    for (const auto& one : questions::limits({*blue, *green, settings, false, soon()}))
      if (one.level == Level::fail && one.text.starts_with("blue")) ids += one.id + " ";
    return ids;
  };
  EXPECT_EQ(failures(), "");
  EXPECT_EQ(questions::streams_each_way({*blue, *green, settings, false, soon()}), 1);
  settings.groups.lists = {{"public.a"}};
  EXPECT_EQ(questions::streams_each_way({*blue, *green, settings, false, soon()}), 2);
  run(source(), "CREATE TABLE public.c (id int PRIMARY KEY); CREATE TABLE public.d (id int PRIMARY KEY);"
                " CREATE TABLE public.f (id int PRIMARY KEY); CREATE TABLE public.g (id int PRIMARY KEY)");
  settings.groups.lists = {{"public.a"}, {"public.b"}, {"public.c"}, {"public.f"}, {"public.g"}};
  EXPECT_EQ(failures().substr(0, 27), "limits.slots limits.senders") << "of each 10, and 12 or 13 are needed";
  EXPECT_NE(failures().find("limits.workers"), std::string::npos);
  run(source(), "CREATE TABLE public.e (id int PRIMARY KEY, d int CONSTRAINT e_d_fkey REFERENCES public.d)");
  settings.groups.lists = {{"public.d"}};
  const auto findings = questions::table_groups({*blue, *green, settings, false, soon()});
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings.front().id, "repl.fk-groups");
  EXPECT_NE(findings.front().text.find("public.e and public.d, which foreign key e_d_fkey"), std::string::npos);
}

// Blue's disk comes first: no slot of any group is left to fill it while no controller lives.
TEST_P(StreamGroups, TheGuardOfTheFirstSlotDropsThoseOfAll) {
  const auto slot = create_slot_with_snapshot(*blue, kTwo.first(), soon());
  copy_slot(source(), kTwo.first(), kTwo[1], soon());
  const auto guard = guard_slot(*blue, kTwo, slot.consistent_point, {600s, 1}, soon());
  ASSERT_TRUE(guard);
  write_both(1);
  EXPECT_TRUE(wait_until(soon(), [&] {
    return value(source(), "SELECT count(*) FROM pg_replication_slots WHERE database = 'shop'") == "0";
  }));
}

INSTANTIATE_TEST_SUITE_P(Majors, StreamGroups,
                         testing::Values(std::pair(13, 15), std::pair(15, 17), std::pair(17, 18)),
                         [](const auto& one) { return std::to_string(one.param.first) + "to" + std::to_string(one.param.second); });

}  // namespace
}  // namespace verdigris::test
