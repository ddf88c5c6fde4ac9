// What keeps the snapshot of an interrupted copy, on majors that differ most.
#include "replication/copy/snapshot_keeper.hpp"

#include <gtest/gtest.h>

#include <thread>

#include "replication/copy/snapshot.hpp"
#include "replication/poll.hpp"
#include "replication/slot.hpp"
#include "tests/support/cluster.hpp"
#include "tests/support/pgbouncer_driver.hpp"

namespace verdigris::test {
namespace {

using namespace std::chrono_literals;

const Stream kResumed = Stream::forward("shop");

// Its client is gone, and with it whatever process had it.
TEST(SnapshotKeeper, NeedsNoClientOnAnyMajorAndEndsWithTheSlot) {
  for (const int major : {13, 18}) {
    SCOPED_TRACE(major);
    NEED_POSTGRES(major);
    ScratchDir dir;
    auto server = PostgresServer::create(major, dir.path() / "b", {.name = "blue", .settings = {{"fsync", "off"}, {"wal_level", "logical"}}, .bindirs = toolchain_bindirs()});
    server.start();
    auto postgres = Connection::open(server.conninfo("postgres", "postgres"), {"blue", "test", false, {}}, soon());
    create_controller_roles(postgres, soon());
    run(postgres, "CREATE DATABASE shop");
    Server blue = side(server, "blue");
    run(blue.control(), "CREATE TABLE public.t AS SELECT 1 AS a");
    std::string name;
    {
      auto slot = create_slot_with_snapshot(blue, kResumed, soon());
      const KeepingTerms terms{600s, 1 << 30};
      auto guard = guard_slot(blue, kResumed, slot.consistent_point, terms, soon());
      auto keeper = keep_snapshot(blue, kResumed, slot.name, slot.consistent_point, terms, std::move(guard), soon());
      name = keeper.snapshot;
      std::this_thread::sleep_for(300ms);
    }
    run(blue.control(), "INSERT INTO public.t VALUES (2)");
    std::this_thread::sleep_for(2500ms);
    auto reader = open_under_snapshot(blue, "copy", name, "UTF8", soon());
    EXPECT_EQ(value(reader, "SELECT count(*) FROM public.t"), "1");
    EXPECT_EQ(value(blue.control(), "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE a.application_name = 'verdigris/shop/kept' AND relation = 'public.t'::regclass"), "0");
    reader.close();
    drop_slot(blue.control(), kResumed, soon());
    EXPECT_TRUE(wait_until(Deadline::after(4s), [&] {
      return value(blue.control(), "SELECT count(*) FROM pg_stat_activity WHERE application_name IN ('verdigris/shop/kept', 'verdigris/shop/slot')") == "0";
    }));
    EXPECT_EQ(error_of([&] { open_under_snapshot(blue, "copy", name, "UTF8", soon()); }), "copy.snapshot-lost");
  }
}

}  // namespace
}  // namespace verdigris::test
