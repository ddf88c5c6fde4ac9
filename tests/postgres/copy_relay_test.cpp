// The relay's promises: every byte arrives, and a COPY that did not end well on one side never ends well on the other.
#include "replication/copy/relay.hpp"

#include <gtest/gtest.h>

#include <thread>

#include "replication/copy/copier.hpp"
#include "tests/support/cluster.hpp"

namespace verdigris::test {
namespace {

using namespace std::chrono_literals;

class CopyRelay : public testing::Test {
 protected:
  void SetUp() override {
    NEED_POSTGRES(15);
    NEED_POSTGRES(17);
    pair = &shared_pair(15, 17);
    source.emplace(admin(pair->blue()));
    target.emplace(admin(pair->green()));
    run(*source, "CREATE TABLE public.t (id int, v text)");
    run(*target, "CREATE TABLE public.t (id int, v text); SET client_min_messages = error");
  }

  std::int64_t relay(const Sql& copy_to, std::stop_token stop = {}) {
    run(*target, "BEGIN");
    return relay_copy(*source, copy_to, *target, Sql("COPY public.t FROM STDIN"), stop, sent, soon());
  }

  // The target as somebody else sees it, after its session has ended.
  std::string rows_kept() {
    target.reset();
    Connection other = admin(pair->green());
    return value(other, "SELECT count(*) FROM public.t");
  }

  Pair* pair = nullptr;
  std::optional<Connection> source;
  std::optional<Connection> target;
  std::atomic<std::int64_t> sent = 0;
};

TEST_F(CopyRelay, RowsOfEverySizeArriveUnchanged) {
  run(*source,
      "INSERT INTO public.t SELECT i, repeat(chr(97 + i % 26), (i * 37) % 500) FROM generate_series(1, 50000) AS i; "
      "INSERT INTO public.t VALUES (0, NULL), (-1, E'\\\\.'), (-2, E'a\\tb\\nc\\\\N'), (-3, repeat('x', 3000000))");
  EXPECT_EQ(relay(Sql("COPY public.t TO STDOUT")), 50004);
  run(*target, "COMMIT");
  const std::string digest =
      "SELECT count(*) || md5(string_agg(id || coalesce(v, 'null'), '|' ORDER BY id)) FROM public.t";
  EXPECT_EQ(value(*target, digest), value(*source, digest));
  EXPECT_GT(sent, 3000000);
  EXPECT_EQ(relay(Sql("COPY (SELECT 1, 'x' WHERE false) TO STDOUT")), 0);
}

TEST_F(CopyRelay, SourceThatFailsInTheMiddleEndsTheTargetWithAnError) {
  EXPECT_THROW(relay(Sql("COPY (SELECT i, (1 / (i - 200000))::text FROM generate_series(1, 300000) AS i) TO STDOUT")),
               ServerError);
  EXPECT_GT(sent, 0);
  EXPECT_THROW(run(*target, "SELECT 1"), ServerError);  // the transaction is failed, not complete
  EXPECT_EQ(run(*target, "COMMIT").command_tag(), "ROLLBACK");
  EXPECT_EQ(rows_kept(), "0");
}

TEST_F(CopyRelay, SourceThatIsKilledLeavesNoRow) {
  const int pid = source->backend_pid();
  std::jthread killer([&] {
    Connection other = admin(pair->blue());
    while (sent == 0) std::this_thread::sleep_for(1ms);
    run(other, "SELECT pg_terminate_backend(" + std::to_string(pid) + ")");
  });
  EXPECT_THROW(relay(Sql("COPY (SELECT generate_series(1, 100000000), repeat('x', 100)) TO STDOUT")), Error);
  EXPECT_EQ(rows_kept(), "0");
}

TEST_F(CopyRelay, TargetThatFailsIsNoticedBeforeTheSourceEnds) {
  run(*target, "ALTER TABLE public.t ADD CHECK (id <> 1000)");
  const auto begun = Deadline::Clock::now();
  EXPECT_THROW(relay(Sql("COPY (SELECT generate_series(1, 100000000), repeat('x', 100)) TO STDOUT")), ServerError);
  EXPECT_LT(Deadline::Clock::now() - begun, 10s);
  EXPECT_EQ(rows_kept(), "0");
}

TEST_F(CopyRelay, StopEndsItSoon) {
  std::stop_source stop;
  std::jthread stopper([&] {
    while (sent == 0) std::this_thread::sleep_for(1ms);
    stop.request_stop();
  });
  EXPECT_THROW(relay(Sql("COPY (SELECT generate_series(1, 100000000), repeat('x', 100)) TO STDOUT"), stop.get_token()),
               Error);
  EXPECT_EQ(rows_kept(), "0");
}

}  // namespace
}  // namespace verdigris::test
