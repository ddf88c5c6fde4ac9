// What we believe about publications, slots and subscriptions, on several majors.
#include <gtest/gtest.h>

#include "replication/control_schema.hpp"
#include "replication/copy/snapshot.hpp"
#include "replication/marker.hpp"
#include "replication/publication.hpp"
#include "replication/slot.hpp"
#include "replication/subscription.hpp"
#include "tests/support/cluster.hpp"
#include "tests/support/varied_schema.hpp"

namespace verdigris::test {
namespace {

const Stream kStream = Stream::forward("shop");

struct Sides {
  Sides(int blue_major, int green_major)
      : pair(shared_pair(blue_major, green_major)),
        blue(side(pair.blue(), "blue")),
        green(side(pair.green(), "green")) {
    install_control_schema(blue.control(), "shop", "blue", soon());
    install_control_schema(green.control(), "shop", "green", soon());
  }
  Connection& source() { return blue.control(); }
  Connection& target() { return green.control(); }
  Conninfo to_blue() { return pair.blue().conninfo("verdigris_repl", "shop"); }
  void create_table(const std::string& sql) {
    run(source(), sql);
    run(target(), sql);
  }
  void subscribe() { create_subscription(green, kStream, to_blue(), blue.major(), false, ApplyAs::owners_of_tables, soon()); }

  Pair& pair;
  Server blue;
  Server green;
};

std::string refusal_id(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    return error.id();
  }
  return "none";
}

class StreamObjects : public testing::TestWithParam<std::pair<int, int>> {
 protected:
  void SetUp() override {
    NEED_POSTGRES(GetParam().first);
    NEED_POSTGRES(GetParam().second);
    sides.emplace(GetParam().first, GetParam().second);
  }
  std::optional<Sides> sides;
};

TEST_P(StreamObjects, PublicationHoldsExactlyTheListAndTheMarker) {
  create_varied_schema(sides->source());
  Connection& on = sides->source();
  const auto list = publishable(user_tables(on, soon()));
  EXPECT_FALSE(published_tables(on, kStream, soon()));
  EXPECT_FALSE(is_published(on, kStream, list, soon()));
  ensure_publication(on, kStream, list, soon());
  EXPECT_TRUE(is_published(on, kStream, list, soon()));
  EXPECT_EQ(published_tables(on, kStream, soon()), list);
  const auto leaves = published_leaves(on, kStream, soon());
  EXPECT_EQ(std::count(leaves.begin(), leaves.end(), QualifiedName("public", "events_eu_old_0")), 1);
  EXPECT_EQ(std::count(leaves.begin(), leaves.end(), QualifiedName("public", "events")), 0);
  EXPECT_EQ(std::count(leaves.begin(), leaves.end(), QualifiedName("verdigris", "marker")), 1);
  const auto shorter = std::vector<PublishedTable>(list.begin() + 1, list.end());
  ensure_publication(on, kStream, shorter, soon());
  EXPECT_EQ(published_tables(on, kStream, soon()), shorter);
  drop_publication(on, kStream, soon());
  drop_publication(on, kStream, soon());
  EXPECT_FALSE(published_tables(on, kStream, soon()));
}

TEST_P(StreamObjects, PublicationOfAllTablesIsNotOurs) {
  run(sides->source(), "CREATE PUBLICATION verdigris_shop_fwd FOR ALL TABLES");
  EXPECT_EQ(refusal_id([&] { ensure_publication(sides->source(), kStream, {}, soon()); }), "publication.foreign");
}

TEST_P(StreamObjects, ColumnListsTravelFrom15On) {
  sides->create_table("CREATE TABLE public.t (id int PRIMARY KEY, \"se\"\"lect\" text, c int)");
  const std::vector<PublishedTable> list{{{"public", "t"}, {Identifier("se\"lect"), Identifier("id")}}};
  if (GetParam().first < 15) {
    EXPECT_EQ(refusal_id([&] { ensure_publication(sides->source(), kStream, list, soon()); }), "publication.columns");
    return;
  }
  ensure_publication(sides->source(), kStream, list, soon());
  EXPECT_TRUE(is_published(sides->source(), kStream, list, soon()));
}

TEST_P(StreamObjects, SlotOfAnotherPluginOrReaderIsRefusedAndKept) {
  Connection& on = sides->source();
  run(on, "SELECT pg_create_physical_replication_slot('verdigris_shop_fwd')");
  EXPECT_EQ(refusal_id([&] { ensure_slot(on, kStream, soon()); }), "slot.foreign");
  EXPECT_EQ(refusal_id([&] { drop_slot(on, kStream, soon()); }), "slot.foreign");
  EXPECT_TRUE(slot_state(on, kStream, soon()).exists);
  run(on, "SELECT pg_drop_replication_slot('verdigris_shop_fwd')");

  sides->create_table("CREATE TABLE public.t (id int PRIMARY KEY)");
  ensure_publication(on, kStream, publishable(user_tables(on, soon())), soon());
  ensure_slot(on, kStream, soon());
  run(sides->target(), "CREATE SUBSCRIPTION other CONNECTION " + Literal(sides->to_blue().text()).sql() +
                           " PUBLICATION verdigris_shop_fwd WITH (create_slot = false, copy_data = false, "
                           "slot_name = 'verdigris_shop_fwd')");
  const auto end = soon();
  while (!slot_state(on, kStream, soon()).is_active && !end.has_passed()) {}
  EXPECT_EQ(refusal_id([&] { require_own_slot(on, kStream, soon()); }), "slot.foreign");
  run(sides->target(), "ALTER SUBSCRIPTION other DISABLE; ALTER SUBSCRIPTION other SET (slot_name = NONE)");
  run(sides->target(), "DROP SUBSCRIPTION other");
}

// Meanwhile, and not only when it is given up: whoever looks at prepare must know what it waits for.
TEST_P(StreamObjects, CopyThatWaitsForATransactionSaysWhichAndGoesOnWhenItEnds) {
  Connection writer = admin(sides->pair.blue());
  run(writer, "BEGIN; CREATE TABLE public.busy (a int)");
  const auto pid = "pid " + std::to_string(writer.backend_pid());
  std::vector<std::string> said;
  const auto slot = create_slot_with_snapshot(sides->blue, kStream, soon(), [&](const std::string& text) {
    said.push_back(text);
    if (said.size() == 1) run(writer, "COMMIT");
  });
  ASSERT_FALSE(said.empty());
  EXPECT_NE(said.front().find("blue: the copy begins when these transactions have ended: " + pid), std::string::npos)
      << said.front();
  EXPECT_TRUE(slot_state(sides->source(), kStream, soon()).is_usable());
}

TEST_P(StreamObjects, SlotCreationNamesTheTransactionInTheWay) {
  Connection writer = admin(sides->pair.blue());
  run(writer, "BEGIN; CREATE TABLE public.busy (a int)");
  try {
    ensure_slot(sides->source(), kStream, Deadline::after(std::chrono::milliseconds(3000)));
    FAIL() << "a slot was created beside an open transaction";
  } catch (const Error& error) {
    EXPECT_EQ(error.id(), "slot.blockers");
    EXPECT_NE(std::string(error.what()).find("pid " + std::to_string(writer.backend_pid())), std::string::npos)
        << error.what();
  }
  EXPECT_FALSE(slot_state(sides->source(), kStream, soon()).exists);
  run(writer, "ROLLBACK");
  ensure_slot(sides->source(), kStream, soon());
  EXPECT_TRUE(slot_state(sides->source(), kStream, soon()).is_usable());
}

TEST_P(StreamObjects, SubscriptionHoldsEveryTableBeforeItIsEnabledAndLosesNothing) {
  Connection& on = sides->source();
  sides->create_table("CREATE TABLE public.t (id int PRIMARY KEY, v text)");
  ensure_publication(on, kStream, publishable(user_tables(on, soon())), soon());
  ensure_slot(on, kStream, soon());
  sides->subscribe();
  sides->subscribe();
  auto state = subscription_state(sides->target(), kStream, soon());
  EXPECT_TRUE(state.exists && !state.is_enabled && state.not_ready.empty());
  EXPECT_EQ(state.tables, published_leaves(on, kStream, soon()));
  require_all_tables(sides->target(), kStream, state.tables, soon());
  EXPECT_EQ(refusal_id([&] { require_all_tables(sides->target(), kStream, {}, soon()); }), "subscription.incomplete");
  run(on, "INSERT INTO public.t SELECT i, 'before' FROM generate_series(1, 6) AS i");
  enable_subscription(sides->target(), kStream, soon());
  wait_for_marker(sides->target(), kStream, write_marker(on, "blue", "test", soon()), soon());
  EXPECT_EQ(value(sides->target(), "SELECT count(*) FROM public.t"), "6");
  EXPECT_NO_THROW(require_own_slot(on, kStream, soon()));
  disable_subscription(sides->target(), kStream, soon());
  EXPECT_FALSE(subscription_state(sides->target(), kStream, soon()).worker_pid);
  EXPECT_EQ(
      value(sides->target(), "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'logical replication worker'"),
      "0");
  drop_subscription(sides->target(), kStream, soon());
  drop_subscription(sides->target(), kStream, soon());
  EXPECT_TRUE(slot_state(on, kStream, soon()).exists);
  drop_slot(on, kStream, soon());
  drop_slot(on, kStream, soon());
}

// Green that nobody but blue reaches reads on, and nobody can disable its subscription.
TEST_P(StreamObjects, AReaderOfASideThatWasGivenUpIsEndedForItsSlotToGo) {
  Connection& on = sides->source();
  sides->create_table("CREATE TABLE public.t (id int PRIMARY KEY)");
  ensure_publication(on, kStream, publishable(user_tables(on, soon())), soon());
  ensure_slot(on, kStream, soon());
  sides->subscribe();
  enable_subscription(sides->target(), kStream, soon());
  const auto end = soon();
  while (!slot_state(on, kStream, soon()).is_active && !end.has_passed()) {}
  ASSERT_TRUE(slot_state(on, kStream, soon()).is_active);
  auto impatient = admin(sides->pair.blue());
  EXPECT_THROW(drop_slot(impatient, kStream, Deadline::after(std::chrono::milliseconds(300))), Error);
  EXPECT_TRUE(slot_state(on, kStream, soon()).exists);
  drop_slot(on, kStream, soon(), SlotReader::is_ended);
  EXPECT_FALSE(slot_state(on, kStream, soon()).exists);
  drop_subscription(sides->target(), kStream, soon());
}

TEST_P(StreamObjects, MissingTableOnTheReceiverLeavesNoSubscription) {
  run(sides->source(), "CREATE TABLE public.t (id int PRIMARY KEY)");
  ensure_publication(sides->source(), kStream, publishable(user_tables(sides->source(), soon())), soon());
  EXPECT_THROW(sides->subscribe(), ServerError);
  EXPECT_FALSE(subscription_state(sides->target(), kStream, soon()).exists);
}

TEST_P(StreamObjects, LockTimeoutOfTheDatabaseDoesNotReachApply) {
  run(sides->target(), "ALTER DATABASE shop SET lock_timeout = '1ms'");
  keep_lock_timeout_from_apply(sides->target(), soon());
  EXPECT_EQ(value(sides->target(), "SELECT count(*) FROM pg_db_role_setting WHERE 'lock_timeout=0' = ANY (setconfig)"),
            "1");
  run(sides->target(), "ALTER ROLE verdigris IN DATABASE shop RESET lock_timeout");
}

INSTANTIATE_TEST_SUITE_P(Majors, StreamObjects,
                         testing::Values(std::pair(15, 17), std::pair(13, 14), std::pair(17, 18)),
                         [](const auto& pair) {
                           return std::to_string(pair.param.first) + "to" + std::to_string(pair.param.second);
                         });

}  // namespace
}  // namespace verdigris::test
