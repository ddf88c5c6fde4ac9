// A rollback is a crossing like a switch: what is in the way of green's fence then (sessions beside the pooler, locks,
// prepared transactions, a trigger that its owner disables) is refused, waited for, ended or undone just the same, and
// green serves on until the line.
#include <csignal>
#include <thread>

#include "tests/support/pgbouncer_driver.hpp"
#include "tests/support/shared_shop.hpp"

namespace verdigris::test {
namespace {

using namespace std::chrono_literals;

class WayBackBlockers : public SharedShopWithPlaybook {
 protected:
  static void SetUpTestSuite() {
    if (have_postgres(15) && have_postgres(17))
      shop_ = std::make_unique<Shop>(std::vector<std::pair<std::string, std::string>>{{"max_prepared_transactions", "4"}});
  }
  void SetUp() override {
    SharedShopWithPlaybook::SetUp();
    if (!IsSkipped() && shop_->serving() == "blue") {
      ASSERT_EQ(shop_->cross("switch").exit_code, 0);
    }
  }
  void choose(const std::string& policy) {
    write(shop_->playbook(), replaced(replaced(original_, "lock_timeout: 2s", "lock_timeout: 500ms, bypass: " + policy),
                                      "max_pause: 10s", "max_pause: 4s"));
  }
  Connection direct(const std::string& application) {
    return Connection::open_plain(shop_->server("green").conninfo("postgres", "shop"),
                                  {"green", application, false, {}}, soon());
  }
  ChildProcess stopped_at(const std::string& point) {
    for (const char* name : {"back.out", "back.err"}) std::filesystem::remove(shop_->dir() / name);
    auto crossing = ChildProcess::start({.argv = shop_->program({"rollback", "--confirm", "shop"}),
                                         .environment = shop_->with_points({{"VERDIGRIS_STOP", point}}),
                                         .output = shop_->dir() / "back.out",
                                         .errors = shop_->dir() / "back.err"});
    shop_->wait_for_point(point);
    return crossing;
  }
  std::string said() const { return read(shop_->dir() / "back.out") + read(shop_->dir() / "back.err"); }
  void expect_undone_because(ChildProcess& crossing, const std::vector<std::string>& words) {
    crossing.send(SIGCONT);
    ASSERT_TRUE(crossing.wait_end(Deadline::after(60s))) << said();
    EXPECT_EQ(crossing.exit_code(), 5) << said();
    for (const auto& word : words) EXPECT_NE(said().find(word), std::string::npos) << word << " in: " << said();
    const auto scene = shop_->scene();
    EXPECT_EQ(scene.serves, "green");
    EXPECT_TRUE(scene.is_green_open) << scene.text;
    EXPECT_TRUE(scene.is_blue_closed) << scene.text;
    EXPECT_FALSE(scene.is_paused) << scene.text;
  }
  void expect_refused_because(const std::vector<std::string>& words) {
    const auto answer = shop_->command({"rollback", "--confirm", "shop"});
    EXPECT_EQ(answer.exit_code, 3) << answer.json << answer.errors;
    const auto text = answer.json.dump() + answer.errors;
    for (const auto& word : words) EXPECT_NE(text.find(word), std::string::npos) << word << " in: " << text;
    EXPECT_EQ(shop_->serving(), "green");
  }
};

TEST_F(WayBackBlockers, ASessionBesideThePoolerIsRefusedWaitedForOrEnded) {
  choose("refuse");
  {
    auto early = direct("etl");
    expect_refused_because({"fence.bypass", "etl", "pid " + std::to_string(early.backend_pid())});
  }
  choose("wait");
  {
    auto crossing = stopped_at("after:apply:stand_ready");
    auto late = direct("late etl");
    run(late, "BEGIN");
    run(late, "UPDATE public.customers SET credit = credit WHERE id = 1");
    expect_undone_because(crossing, {"late etl", "pid " + std::to_string(late.backend_pid()), "query began 20"});
    run(late, "COMMIT");
  }
  choose("terminate");
  auto writer = direct("writer");
  run(writer, "BEGIN");
  run(writer, "INSERT INTO public.ledger_a VALUES (77, 1, 0)");
  const auto answer = shop_->command({"rollback", "--confirm", "shop"});
  EXPECT_EQ(answer.exit_code, 0) << answer.json << answer.errors;
  EXPECT_ANY_THROW(run(writer, "COMMIT"));
  auto green = admin(shop_->server("green"));
  EXPECT_EQ(value(green, "SELECT count(*) FROM public.ledger_a WHERE writer = 77"), "0");
  EXPECT_EQ(shop_->difference_after_marker("blue", "green"), "");
}

TEST_F(WayBackBlockers, APreparedTransactionIsRefusedOrUndoneByItsName) {
  choose("wait");
  const auto prepare = [&](const char* gid) {
    auto session = direct("prepares");
    run(session, "BEGIN");
    run(session, "INSERT INTO public.ledger_a VALUES (78, 1, 0)");
    run(session, std::string("PREPARE TRANSACTION '") + gid + "'");
  };
  const auto take_back = [&](const char* gid) {  // by a session that does not stay: it would be waited for
    auto green = admin(shop_->server("green"));
    run(green, std::string("ROLLBACK PREPARED '") + gid + "'");
  };
  prepare("early gid");
  expect_refused_because({"early gid", "of postgres, prepared 20"});
  take_back("early gid");
  auto crossing = stopped_at("after:apply:stand_ready");
  prepare("late gid");
  expect_undone_because(crossing, {"late gid", "of postgres, prepared 20"});
  take_back("late gid");
}

TEST_F(WayBackBlockers, ATriggerThatItsOwnerDisablesIsSeenBeforeAndBehindTheFence) {
  choose("wait");
  const auto disable = [&](const char* state) {
    auto owner = direct("owner");
    run(owner, std::string("ALTER TABLE public.customers ") + state + " TRIGGER USER");
  };
  disable("DISABLE");
  expect_refused_because({"public.customers"});
  disable("ENABLE");
  auto crossing = stopped_at("after:apply:fence_source");
  disable("DISABLE");
  expect_undone_because(crossing, {"public.customers"});
  disable("ENABLE");
}

}  // namespace
}  // namespace verdigris::test
