// Readers with a name of their own at the pooler: led to green alone while blue serves, and back, under load and without an
// error; their way through crossings, undone ones and crashes; and that what lets them in lets no writer in.
#include <algorithm>
#include <fstream>
#include <iostream>

#include "replication/marker.hpp"
#include "tests/support/readers_shop.hpp"
#include "tests/support/thorough.hpp"

namespace verdigris::test {
namespace {

using namespace std::chrono_literals;

using Reads = ReadersShop;

TEST_F(Reads, MoveAloneUnderLoadWithoutAnErrorAndNoWriterComesWithThem) {
  shop_->start_load();
  Clients clients(readers());
  ASSERT_TRUE(clients.wait_for("blue", 50));
  const auto there = move("switch");
  ASSERT_EQ(there.exit_code, 0) << there.json << there.errors;
  EXPECT_EQ(there.json.value("reads", "?"), "green");
  expect_readers("green");
  ASSERT_TRUE(clients.wait_for("green", 50));
  const int on_blue = clients.answers("blue");
  ASSERT_TRUE(clients.wait_for("green", 200));
  EXPECT_EQ(clients.answers("blue"), on_blue) << "a reader is still served by blue";
  EXPECT_NE(said_to_writer("shop_ro").find("verdigris"), std::string::npos) << said_to_writer("shop_ro");
  EXPECT_EQ(said_to_writer("shop"), "accepted");
  const auto again = move("switch");
  EXPECT_EQ(again.exit_code, 0) << again.errors;
  EXPECT_EQ(again.json.value("result", "?"), "nothing_to_do") << again.json;
  const auto recovered = shop_->command({"recover", "--yes"});
  EXPECT_EQ(recovered.json.value("result", "?"), "nothing_to_do") << recovered.json << recovered.errors;
  expect_readers("green");
  const auto back = move("rollback");
  ASSERT_EQ(back.exit_code, 0) << back.json << back.errors;
  EXPECT_TRUE(clients.wait_for("blue", 50));
  expect_readers("blue");
  clients.stop();
  EXPECT_EQ(clients.errors(), 0);
  EXPECT_LT(clients.longest(), 3s);
  expect_no_loss("blue");
  EXPECT_EQ(shop_->difference_after_marker("blue", "green"), "");
}

TEST_F(Reads, OnGreenKeepAwayWhatWouldShutThemOut) {
  ASSERT_EQ(move("switch").exit_code, 0);
  for (const std::string command : {"prepare", "abandon"}) {
    const auto answer = shop_->command({command, "--confirm", "shop", "--yes"});
    EXPECT_EQ(answer.exit_code, 3) << command;
    EXPECT_NE(answer.errors.find("rollback --traffic reads"), std::string::npos) << answer.errors;
  }
  expect_readers("green");
  auto green = admin(shop_->server("green"));
  run(green, "SELECT verdigris.close_access('shop', '{verdigris,verdigris_repl}')");
  EXPECT_NE(shop_->command({"status"}).json.dump().find("takes no connections"), std::string::npos);
  EXPECT_EQ(move("switch").exit_code, 0) << "opened for them again";
  expect_readers("green");
  const auto checked = shop_->command({"check"});
  EXPECT_EQ(checked.exit_code, 0) << checked.json.dump(1);
  const auto shown = shop_->command({"pooler", "show"});
  EXPECT_EQ(shown.exit_code, 0) << shown.json;
  for (const auto& database : shown.json.at("poolers").at(0).at("databases"))
    EXPECT_EQ(database.at("reads").get<bool>(), database.at("database") == "shop_ro") << database;
}

// There with the readers ahead, who notice nothing of the pause; back together, which closes green.

TEST_F(Reads, AheadOfASwitchGoOnThroughItAndComeBackWithTheRollback) {
  for (const std::string traffic : {"all", "writes"}) {
    SCOPED_TRACE(traffic);
    shop_->start_load();
    ASSERT_EQ(move("switch").exit_code, 0);
    Clients clients(readers());
    ASSERT_TRUE(clients.wait_for("green", 20));
    Answer there;
    for (int tries = 1; tries <= 3 && (tries == 1 || there.exit_code == 5 || there.exit_code == 3); ++tries)
      there = shop_->command({"switch", "--traffic", traffic, "--confirm", "shop"});
    ASSERT_EQ(there.exit_code, 0) << there.json << there.errors;
    EXPECT_EQ(clients.answers("blue"), 0);
    EXPECT_EQ(side_of("shop"), "green");
    EXPECT_EQ(side_of("shop_ro"), "green");
    EXPECT_EQ(status_of("reads"), "green");
    EXPECT_EQ(limit_of("green"), "-1");
    EXPECT_TRUE(is_shut("blue"));
    EXPECT_EQ(said_to_writer("shop_ro"), "accepted") << "green serves";
    EXPECT_EQ(shop_->command({"rollback", "--traffic", "writes", "--confirm", "shop"}).exit_code, 3);
    const auto back = shop_->cross("rollback");
    ASSERT_EQ(back.exit_code, 0) << back.json << back.errors;
    EXPECT_TRUE(clients.wait_for("blue", 20));
    clients.stop();
    EXPECT_EQ(clients.errors(), 0);
    expect_readers("blue");
    EXPECT_EQ(fence_of("green"), FenceState::closed);
    expect_no_loss("blue");
  }
}

TEST_F(Reads, OnBlueAreMovedWithTheWritersAndCannotBeLeftThere) {
  const auto refused = shop_->command({"switch", "--traffic", "writes", "--confirm", "shop"});
  EXPECT_EQ(refused.exit_code, 3) << refused.json;
  EXPECT_NE(refused.errors.find("switch --traffic reads"), std::string::npos) << refused.errors;
  expect_readers("blue");
  Clients clients(readers());
  ASSERT_TRUE(clients.wait_for("blue", 20));
  const auto there = shop_->cross("switch");
  ASSERT_EQ(there.exit_code, 0) << there.json << there.errors;
  EXPECT_EQ(there.json.value("reads", "?"), "green");
  EXPECT_TRUE(clients.wait_for("green", 20));
  EXPECT_EQ(move("switch").exit_code, 3) << "only while blue serves";
  ASSERT_EQ(shop_->cross("rollback").exit_code, 0);
  EXPECT_TRUE(clients.wait_for("blue", 20));
  clients.stop();
  EXPECT_EQ(clients.errors(), 0);
}

TEST_F(Reads, AheadOfASwitchThatIsUndoneStayOnGreen) {
  write(shop_->playbook(), replaced(replaced(read(shop_->playbook()), "max_pause: 10s", "max_pause: 1s"), "  databases:",
                                    "  pause: { timeout: 700ms }\n  databases:"));
  ASSERT_EQ(move("switch").exit_code, 0);
  Clients clients(readers());
  ASSERT_TRUE(clients.wait_for("green", 20));
  {
    auto blocker = Connection::open_plain(shop_->pooler().client("app", "shop"), {"client", "report", false, {}}, soon());
    run(blocker, "BEGIN");
    run(blocker, "SELECT count(*) FROM public.customers");
    const auto answer = shop_->command({"switch", "--confirm", "shop"});
    EXPECT_EQ(answer.exit_code, 5) << answer.json << answer.errors;
    expect_readers("green");
  }
  EXPECT_EQ(shop_->command({"switch", "--confirm", "shop"}, {{"VERDIGRIS_CRASH", "after:begin:prove_parity"}}).exit_code, kKilled);
  EXPECT_EQ(shop_->command({"recover", "--yes"}).exit_code, 0);
  expect_readers("green");
  ASSERT_TRUE(clients.wait_for("green", 20));
  clients.stop();
  EXPECT_EQ(clients.answers("blue"), 0);
  EXPECT_EQ(clients.errors(), 0);
}

// measure_lag: green applies nothing while somebody has locked a table that it must write.

// open_to_readers: a table without the fence would take the writes of anybody who may connect.

// let_readers_leave: a report that runs goes on to its end where it is, and the next transaction is on the other side.

TEST_F(Reads, FinishTheirTransactionWhereItBegan) {
  auto report = Connection::open_plain(reader(), {"client", "report", false, {}}, soon());
  run(report, "BEGIN");
  EXPECT_EQ(value(report, "SELECT current_setting('cluster_name')"), "blue");
  const auto there = move("switch");
  EXPECT_EQ(there.exit_code, 0) << there.errors;
  EXPECT_NE(there.errors.find("still in a transaction on blue"), std::string::npos) << there.errors;
  EXPECT_EQ(value(report, "SELECT current_setting('cluster_name')"), "blue");
  run(report, "COMMIT");
  EXPECT_EQ(value(report, "SELECT current_setting('cluster_name')"), "green");
}

std::vector<std::string> points_in(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::vector<std::string> result;
  for (std::string line; std::getline(in, line);)
    if (std::ranges::find(result, line) == result.end()) result.push_back(line);
  return result;
}

// At each record, and behind each act; in the sample at every eighth of them. recover ends with readers on blue; the same
// command again, where it leads: one of them in turn, or, with VERDIGRIS_THOROUGH=1, both.

TEST_F(Reads, OfAKilledControllerEndOnOneSide) {
  shop_->start_load();
  Clients clients(readers());
  for (const std::string command : {"switch", "rollback"}) {
    const std::string to = command == "switch" ? "green" : "blue";
    if (command == "rollback") {
      ASSERT_EQ(move("switch").exit_code, 0);
    }
    const auto log = shop_->dir() / (command + ".reads");
    ASSERT_EQ(move(command.c_str(), {{"VERDIGRIS_CRASH_LOG", log.string()}}).exit_code, 0);
    const auto points = points_in(log);
    ASSERT_NE(std::ranges::find(points, "after:apply:move_traffic"), points.end());
    ASSERT_NE(std::ranges::find(points, command == "switch" ? "after:begin:open_to_readers" : "after:begin:close_to_readers"), points.end());
    const std::size_t first = command == "switch" ? 1 : 5;
    int cases = 0;
    for (std::size_t n = 0; n < points.size(); ++n) {
      const auto& point = points[n];
      for (const bool is_repeated : {false, true}) {
        const bool is_in_sample = n % 8 == first && is_repeated == (n / 8 % 2 == 0);
        if (!is_in_sample && !is_thorough()) continue;
        SCOPED_TRACE(command + " " + point + (is_repeated ? ", repeated" : ", recover"));
        ASSERT_EQ(move(command == "switch" ? "rollback" : "switch").exit_code, 0);
        ASSERT_EQ(move(command.c_str(), {{"VERDIGRIS_CRASH", point}}).exit_code, kKilled);
        EXPECT_EQ(fence_of("blue"), FenceState::open);
        EXPECT_NE(fence_of("green"), FenceState::open);
        const auto answer = is_repeated ? move(command.c_str()) : shop_->command({"recover", "--yes"});
        EXPECT_EQ(answer.exit_code, 0) << answer.json << answer.errors;
        const bool was_not_begun = point == "before:plan", was_over = point == "after:finished";
        const std::string from = to == "green" ? "blue" : "green";
        expect_readers(is_repeated || was_over ? to : was_not_begun ? from : "blue");
        if (HasFailure()) return;
        ++cases;
      }
    }
    std::cout << "cases: " << cases << std::endl;
  }
  clients.stop();
  EXPECT_EQ(clients.errors(), 0);
  expect_no_loss("blue");
}

// A role of the same name that may not log in there, as with a pg_hba.conf that lacks the application's hosts.

TEST_F(Reads, ComeBackWithAPlainRollbackWhoeverLedThemElsewhereByHand) {
  ASSERT_EQ(move("switch").exit_code, 0);
  Clients clients(readers());
  ASSERT_TRUE(clients.wait_for("green", 20));
  const auto back = shop_->command({"rollback", "--confirm", "shop"});
  EXPECT_EQ(back.exit_code, 0) << back.json << back.errors;
  EXPECT_EQ(back.json.value("reads", "?"), "blue") << back.json;
  EXPECT_TRUE(clients.wait_for("blue", 20));
  expect_readers("blue");
  ASSERT_EQ(move("switch").exit_code, 0);
  // A RELOAD by hand fails a login that is under way, and one may begin whenever somebody asks.
  clients.stop();
  EXPECT_EQ(clients.errors(), 0);
  while (console().pools("shop_ro", soon()).logins_in_flight > 0) std::this_thread::sleep_for(1ms);
  const auto file = read(shop_->pooler().ini());
  write(shop_->pooler().ini(), replaced(file, "shop_ro = host=" + shop_->server("green").dir().string() + " port=5433",
                                        "shop_ro = host=" + shop_->server("blue").dir().string() + " port=5432"));
  console().reload(soon());
  ASSERT_EQ(side_of("shop_ro"), "blue");
  Clients others(readers());
  ASSERT_TRUE(others.wait_for("blue", 20));
  EXPECT_EQ(move("rollback").exit_code, 0) << "what status says to run";
  EXPECT_TRUE(others.wait_for("blue", 20));
  expect_readers("blue");
  others.stop();
  EXPECT_EQ(others.errors(), 0);
}

// The limit alone is not the door: CONNECT was revoked with it.

}  // namespace
}  // namespace verdigris::test
