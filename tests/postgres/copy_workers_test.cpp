// Several streams at once on real servers: tables in parts, many small ones, sessions that are lost, a number of streams
// that changes, TLS; and what goes on beside it: notes for status, the WAL that blue keeps.
#include "replication/copy/workers.hpp"

#include <gtest/gtest.h>

#include <thread>

#include "bench/world.hpp"
#include "controller/copy_watch.hpp"
#include "controller/steps/copy_tables.hpp"
#include "controller/steps/publish_source.hpp"
#include "replication/control_schema.hpp"
#include "replication/copy/relay.hpp"
#include "replication/source_load.hpp"
#include "replication/slot.hpp"
#include "tests/support/cluster.hpp"
#include "tests/support/pgbouncer_driver.hpp"

namespace verdigris::test {
namespace {

using namespace std::chrono_literals;

const Stream kCopyStream = Stream::forward("shop");

class CopyWorkersTest : public testing::Test {
 protected:
  void SetUp() override {
    NEED_POSTGRES(15);
    NEED_POSTGRES(17);
    pair = &shared_pair(15, 17);
    blue.emplace(side(pair->blue(), "blue"));
    green.emplace(side(pair->green(), "green"));
    install_control_schema(blue->control(), "shop", "blue", soon());
    install_control_schema(green->control(), "shop", "green", soon());
  }

  void on_both(const std::string& sql) {
    run(blue->control(), sql);
    run(green->control(), sql);
  }
  void publish() { PublishSource(Source(*blue), kCopyStream, TableSelection{}).apply(soon()); }
  CopyTotals copy(int workers, std::function<int(const CopyProgress&)> look = {}) {
    publish();
    return copy_all_tables(*blue, *green, kCopyStream, {.workers = workers, .look = std::move(look), .cores = 4},
                           Deadline::after(2min));
  }
  std::string digest(Server& on, const std::string& table) {
    return value(on.control(), "SELECT count(*) || md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM ONLY " +
                                   table + " AS t");
  }
  void expect_same(const std::string& table) { EXPECT_EQ(digest(*green, table), digest(*blue, table)) << table; }
  // Large enough to be split between two streams; with gaps, and rows that were moved.
  void make_large() {
    on_both("CREATE TABLE public.large (id int, v text)");
    run(blue->control(), "INSERT INTO public.large SELECT i, repeat('x', 200) FROM generate_series(1, 350000) AS i; "
                         "DELETE FROM public.large WHERE id % 7 = 0; UPDATE public.large SET v = 'moved' WHERE id % 11 = 0");
  }
  int end_copy_sessions() {
    auto other = admin(pair->blue());
    return std::stoi(value(other, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                                  "WHERE application_name = 'verdigris/shop/copy'"));
  }

  Pair* pair = nullptr;
  std::optional<Server> blue, green;
};

TEST_F(CopyWorkersTest, ATableInPartsArrivesWhole) {
  make_large();
  int most_workers = 0;  // at one table
  std::int64_t last = 0;
  const auto totals = copy(2, [&](const CopyProgress& now) {
    EXPECT_GE(now.bytes_done, 0);
    EXPECT_LE(now.bytes_done, now.bytes);
    EXPECT_EQ(now.tables, 1);
    most_workers = std::max(most_workers, now.workers);
    last = now.bytes_done;
    return 2;
  });
  EXPECT_EQ(totals.tables, 1) << "parts of one table are one table";
  EXPECT_EQ(totals.rows, 300000);
  EXPECT_GT(last, 64 << 20);
  expect_same("public.large");
  EXPECT_EQ(most_workers, 2);
}

TEST_F(CopyWorkersTest, ManySmallTablesArriveAndAFailingOneIsNamed) {
  std::string tables;
  for (int i = 0; i < 250; ++i) tables += "CREATE TABLE public.t" + std::to_string(i) + " (a int, b text);";
  on_both(tables + "CREATE TABLE public.empty (a int); CREATE TABLE public.nothing ()");
  std::string rows;
  for (int i = 0; i < 250; ++i)
    rows += "INSERT INTO public.t" + std::to_string(i) + " SELECT g, 'row ' || g FROM generate_series(1, " +
            std::to_string(i % 5) + ") AS g;";
  run(blue->control(), rows + "INSERT INTO public.nothing DEFAULT VALUES");
  const auto totals = copy(2);
  EXPECT_EQ(totals.tables, 252);
  EXPECT_EQ(totals.rows, 501);
  for (int i = 0; i < 250; i += 7) expect_same("public.t" + std::to_string(i));
  EXPECT_EQ(value(green->control(), "SELECT count(*) FROM public.nothing"), "1");
  run(green->control(), "ALTER TABLE public.t13 ADD CHECK (a < 2) NOT VALID");
  forget_copy(green->control(), "shop", soon());
  std::string why;
  EXPECT_EQ(error_of([&] { copy(2); }, &why), "server-error");
  EXPECT_NE(why.find("table public.t13: green: "), std::string::npos) << why;
}

// What names objects by OID has another meaning on the other side: those tables travel as text.
TEST_F(CopyWorkersTest, BinaryIsForTypesThatAreAlikeEverywhere) {
  run(blue->control(), R"(
    CREATE TYPE public.mood AS ENUM ('sad', 'ok'); CREATE TYPE public.pair AS (a int, b text);
    CREATE DOMAIN public.short AS varchar(10); CREATE DOMAIN public.shorter AS public.short;
    CREATE TABLE public.b_scalars (a int, b numeric, c timestamptz, d public.mood, e public.short, f jsonb, g bytea, h "char");
    CREATE TABLE public.b_arrays (a int[], b text[], c daterange, d tsvector);
    CREATE TABLE public.b_none ();
    CREATE TABLE public.t_enums (a public.mood[]);
    CREATE TABLE public.t_pair (a public.pair);
    CREATE TABLE public.t_class (a regclass);
    CREATE TABLE public.t_classes (a regtype[]);
    CREATE TABLE public.t_xml (a xml);
    CREATE TABLE public.t_domain (a public.shorter);
    CREATE TABLE public.t_query (a tsquery);
    CREATE TABLE public.t_other (a int, b int8);
    CREATE TABLE public.b_generated (a int, b public.pair GENERATED ALWAYS AS (NULL::public.pair) STORED))");
  run(green->control(), "CREATE TABLE public.t_other (a int, b timestamptz); CREATE TABLE public.b_arrays (b text[], a int[], "
                        "d tsvector, c daterange)");
  auto items = copy_plan(user_tables(blue->control(), soon(), TableSizes::read), {});
  choose_formats(items, blue->control(), green->control(), soon());
  EXPECT_EQ(items.size(), 12u);
  for (const auto& item : items)
    EXPECT_EQ(item.is_binary, item.table.name().raw().starts_with("b_")) << item.table.display();
}

TEST_F(CopyWorkersTest, ASourceSessionThatIsLostIsReplacedAndItsPartCopiedAgain) {
  make_large();
  int ended = 0;
  const auto totals = copy(2, [&](const CopyProgress& now) {
    if (ended == 0 && now.sent > 0 && !now.under_way.empty()) ended = end_copy_sessions();
    return 2;
  });
  EXPECT_GT(ended, 0) << "the copy was over before a session could be ended";
  EXPECT_EQ(totals.rows, 300000);
  expect_same("public.large");
}

// Its locks go with it: a table could be rewritten, and would look empty under the snapshot, or have its rows elsewhere.
TEST_F(CopyWorkersTest, WithoutItsKeeperACopyEnds) {
  make_large();
  for (const std::string who : {"= 'verdigris/shop/keeper'", "<> 'verdigris/shop/control'"}) {
    bool is_ended = false;
    std::string why;
    forget_copy(green->control(), "shop", soon());  // it would go on
    const auto id = error_of([&] {
      copy(2, [&](const CopyProgress& now) {
        if (!is_ended && now.sent > 0) {
          is_ended = true;
          auto other = admin(pair->blue());
          run(other, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                     "WHERE application_name LIKE 'verdigris/shop/%' AND application_name " + who);
        }
        return 2;
      });
    }, &why);
    EXPECT_TRUE(is_ended);
    EXPECT_EQ(id, "copy.snapshot-lost") << who << why;
  }
}

// A server that has no room for one more session: whoever is there goes on.
TEST_F(CopyWorkersTest, StreamsThatCannotBeginLeaveTheOthersAtWork) {
  std::vector<CopyItem> items;
  for (int i = 0; i < 12; ++i) {
    const std::string table = "public.r" + std::to_string(i);
    on_both("CREATE TABLE " + table + " (a int, b text)");
    run(blue->control(), "INSERT INTO " + table + " SELECT g, repeat('y', 150) FROM generate_series(1, 30000) AS g");
  }
  items = copy_plan(user_tables(blue->control(), soon(), TableSizes::read), {});
  std::atomic<int> opened = 0, refused = 0;
  const CopySessions sessions{[&](const std::stop_token&) { return blue->open("copy", soon()); },
                              [&] {
                                if (opened++ > 0) {
                                  ++refused;
                                  throw CannotConnect("green", "too many clients already", "53300", "");
                                }
                                auto session = green->open("copy", soon());
                                run(session, "SET client_min_messages = error");
                                return session;
                              }};
  const auto result = copy_items(std::move(items), 3, sessions, [](const CopyProgress&) { return 3; }, Deadline::after(1min));
  EXPECT_EQ(result.rows, 360000);
  EXPECT_EQ(result.tables, 12);
  EXPECT_GT(refused, 0);
  expect_same("public.r11");
}

TEST_F(CopyWorkersTest, StreamsComeAndGoAsAskedFor) {
  std::string tables;
  for (int i = 0; i < 24; ++i) tables += "CREATE TABLE public.m" + std::to_string(i) + " (a int, b text);";
  on_both(tables);
  for (int i = 0; i < 24; ++i)
    run(blue->control(), "INSERT INTO public.m" + std::to_string(i) + " SELECT g, repeat('y', 150) FROM generate_series(1, 25000) AS g");
  int most = 0, looks = 0, least_later = 100;
  const auto totals = copy(1, [&](const CopyProgress& now) {
    ++looks;
    most = std::max(most, now.workers);
    if (now.tables_done >= 16 && !now.under_way.empty()) least_later = std::min(least_later, now.workers);
    return now.tables_done < 12 ? 4 : 1;
  });
  EXPECT_EQ(totals.tables, 24);
  EXPECT_EQ(totals.rows, 600000);
  if (looks > 3) {
    EXPECT_GT(most, 1);
  }
  for (const char* table : {"public.m0", "public.m23"}) expect_same(table);
}

TEST_F(CopyWorkersTest, TheCopyIsNotedForStatusAndHeedsWhatIsSet) {
  make_large();
  publish();
  CopyWatch watch(*green, {*blue, kCopyStream, 0}, {*blue, {}}, 2, nullptr);
  CopyProgress now{.tables = 3, .bytes = 300, .workers = 2, .under_way = {"public.large"}};
  EXPECT_EQ(watch.look(now, soon()), 2);
  Server elsewhere = side(pair->green(), "green");
  const auto note = noted_copy(elsewhere, soon());
  ASSERT_TRUE(note);
  EXPECT_EQ(note->value("tables", 0), 3);
  EXPECT_EQ(note->value("tables_done", -1), 0);
  EXPECT_EQ(note->at("under_way").at(0), "public.large");
  for (const int asked : {5, 1}) {  // a second time, too
    now.tables_done = asked;
    ask_for_copy_workers(elsewhere, asked, soon());
    int wanted = 0;
    for (const auto deadline = soon(); wanted != asked && !deadline.has_passed(); std::this_thread::sleep_for(50ms))
      wanted = watch.look(now, soon());
    EXPECT_EQ(wanted, asked);
    EXPECT_EQ(noted_copy(elsewhere, soon())->value("tables_done", -1), asked);
  }
  watch.forget(soon());
  EXPECT_FALSE(noted_copy(elsewhere, soon()));
}

TEST_F(CopyWorkersTest, BlueIsNotMadeToKeepMoreWalThanThePlaybookAllows) {
  make_large();
  publish();
  bool has_written = false;
  CopyTables step(Source(*blue), Target(*green), kCopyStream, CopySettings{}, 1 << 20, CopyPace{}, true, [&](const std::string&) {
    if (has_written) return;
    has_written = true;
    auto other = admin(pair->blue());
    run(other, "CREATE TABLE public.noise AS SELECT repeat('z', 1000) FROM generate_series(1, 5000)");
  });
  std::string why;
  EXPECT_EQ(error_of([&] { step.apply(Deadline::after(1min)); }, &why), "slot.wal-limit") << why;
  EXPECT_NE(why.find("replication.max_slot_wal is 1 MiB; the slot was dropped"), std::string::npos) << why;
  EXPECT_FALSE(slot_state(blue->control(), kCopyStream, soon()).exists);
}

// What was committed between where the copy is of and where a slot made anew begins would be on neither.
TEST_F(CopyWorkersTest, AFinishedCopyIsOfItsOwnSlotOnly) {
  on_both("CREATE TABLE public.t (a int)");
  publish();
  CopyTables step(Source(*blue), Target(*green), kCopyStream, CopySettings{}, 0, CopyPace{}, true, nullptr);
  step.apply(Deadline::after(1min));
  EXPECT_TRUE(std::holds_alternative<Done>(step.check(soon())));
  drop_slot(blue->control(), kCopyStream, soon());
  run(blue->control(), "INSERT INTO public.t VALUES (1)");
  ensure_slot(blue->control(), kCopyStream, soon());
  const auto readiness = step.check(soon());
  ASSERT_TRUE(std::holds_alternative<Blocked>(readiness));
  EXPECT_NE(std::get<Blocked>(readiness).why.find("and the finished copy is of"), std::string::npos);
}

TEST_F(CopyWorkersTest, ARateIsKeptByAllStreamsTogether) {
  std::string tables;
  for (int i = 0; i < 4; ++i) tables += "CREATE TABLE public.s" + std::to_string(i) + " (a int, b text);";
  on_both(tables);
  for (int i = 0; i < 4; ++i)
    run(blue->control(), "INSERT INTO public.s" + std::to_string(i) + " SELECT g, repeat('y', 150) FROM generate_series(1, 15000) AS g");
  publish();
  constexpr std::int64_t kRate = 2 << 20;
  CopyThrottle throttle;
  throttle.set_rate(kRate);
  const auto began = std::chrono::steady_clock::now();
  const auto totals = copy_all_tables(*blue, *green, kCopyStream, {.workers = 2, .throttle = &throttle}, Deadline::after(1min));
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  EXPECT_EQ(totals.tables, 4);
  // In advance: what a pause has saved up, and what two streams hold in their buffers.
  const auto least = static_cast<double>(totals.bytes - 2 * (256 << 10)) / kRate - 0.1;
  ASSERT_GT(least, 4) << "too little to tell";
  EXPECT_GT(took.count(), least);
  expect_same("public.s3");
}

TEST_F(CopyWorkersTest, NothingIsReadWhileBlueIsBeyondALimit) {
  make_large();
  publish();
  std::vector<Connection> busy;
  for (int i = 0; i < 2; ++i) {
    busy.push_back(admin(pair->blue()));
    busy.back().send(Sql("SELECT pg_catalog.pg_sleep(120)"), soon());
  }
  const std::string sleepers = "FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep(120)%' AND pid <> pg_backend_pid()";
  while (value(blue->control(), "SELECT count(*) " + sleepers) != "2") std::this_thread::sleep_for(10ms);
  std::vector<std::string> held;
  CopyTables step(Source(*blue), Target(*green), kCopyStream, CopySettings{}, 0,
                  CopyPace{.max_bytes_per_second = 0, .max_load = {.active_sessions = 1}}, true, [&](const std::string& text) {
                    if (!text.starts_with("held: ")) return;
                    held.push_back(text);
                    if (held.size() != 3) return;
                    auto other = admin(pair->blue());
                    run(other, "SELECT pg_terminate_backend(pid) " + sleepers);
                  });
  step.apply(Deadline::after(1min));
  ASSERT_GE(held.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_NE(held[i].find("has 2 active sessions, 1 are allowed; 0/1 tables, 0 of"), std::string::npos) << held[i];
  }
  expect_same("public.large");
}

// One that waits for a standby which is gone is seen, and nothing waits with it.
TEST_F(CopyWorkersTest, ACommitThatDoesNotReturnHoldsTheCopyAndNothingElse) {
  CopyBrake brake(*blue, {.max_bytes_per_second = 0, .max_load = {.active_sessions = 0, .standby_lag = 1min, .commit = 300ms}});
  brake.look(soon());
  EXPECT_EQ(brake.held_by(), "");
  auto other = admin(pair->blue());
  run(other, "SET synchronous_commit = local");
  const auto awaited = [&](const std::string& standby) {
    run(other, "ALTER SYSTEM SET synchronous_standby_names = '" + standby + "'");
    run(other, "SELECT pg_reload_conf()");
    while (value(blue->control(), "SHOW synchronous_standby_names") != standby) std::this_thread::sleep_for(10ms);
  };
  awaited("nobody");
  const auto began = std::chrono::steady_clock::now();
  for (const auto deadline = soon(); brake.held_by().empty() && !deadline.has_passed(); std::this_thread::sleep_for(50ms))
    brake.look(soon());
  EXPECT_TRUE(brake.held_by().starts_with("a commit on blue takes ")) << brake.held_by();
  EXPECT_NE(brake.held_by().find(" ms, 300 are allowed"), std::string::npos) << brake.held_by();
  EXPECT_LT(std::chrono::steady_clock::now() - began, 10s);
  awaited("");
  for (const auto deadline = soon(); !brake.held_by().empty() && !deadline.has_passed(); std::this_thread::sleep_for(50ms))
    brake.look(soon());
  EXPECT_EQ(brake.held_by(), "");
}

TEST(CopyBehindTls, RowsArriveThroughLibpq) {
  NEED_POSTGRES(15);
  NEED_POSTGRES(17);
  bench::World world(true);
  auto blue = world.session("blue", "postgres");
  auto green = world.session("green", "postgres");
  ASSERT_EQ(value(blue, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"), "t");
  run(blue, "CREATE TABLE public.t AS SELECT i, repeat('x', i % 300) AS v FROM generate_series(1, 20000) AS i");
  run(green, "CREATE TABLE public.t (i int, v text); SET client_min_messages = error");
  run(green, "BEGIN");
  std::atomic<std::int64_t> sent = 0;
  EXPECT_EQ(relay_copy(blue, Sql("COPY public.t TO STDOUT"), green, Sql("COPY public.t FROM STDIN"), {}, sent, soon()), 20000);
  run(green, "COMMIT");
  const std::string all = "SELECT count(*) || md5(string_agg(i || v, '|' ORDER BY i)) FROM public.t";
  EXPECT_EQ(value(green, all), value(blue, all));
}

}  // namespace
}  // namespace verdigris::test
