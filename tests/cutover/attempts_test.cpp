// A switch or rollback over its budget is undone as if nothing had been, says who was in the way, and is tried again. A
// signal between attempts ends it; what was refused is not tried again.
#include <csignal>
#include <sstream>
#include <thread>

#include "replication/fence.hpp"
#include "tests/support/catalog_image.hpp"
#include "tests/support/pgbouncer_driver.hpp"
#include "tests/support/shared_shop.hpp"
#include "tests/support/world_image.hpp"

namespace verdigris::test {
namespace {

using namespace std::chrono_literals;

constexpr auto kBudget = 1s;

bool is_about_streams(const std::string& line) {
  for (const char* word : {"subscri", "slot", "publi"})
    if (line.find(word) != std::string::npos && line.find(" public") == std::string::npos) return true;
  return line.find("publication") != std::string::npos || line.find("subscribed") != std::string::npos;
}

class Attempts : public SharedShopWithPlaybook {
 protected:
  void allow(int attempts, const std::string& backoff) {
    const auto keys = "  pause: { timeout: 900ms, attempts: " + std::to_string(attempts) + ", backoff: " + backoff + " }\n";
    const auto text = replaced(original_, "max_pause: 10s", "max_pause: 1s");
    write(shop_->playbook(), replaced(text, "  databases: [shop]\n", "  databases: [shop]\n" + keys));
  }

  // A client of the pooler in the middle of a transaction: no writer, so the quiet moment does not wait for it.
  Connection open_transaction() {
    auto client = Connection::open_plain(shop_->pooler().client("app", "shop"), {"client", "report", false, {}}, soon());
    run(client, "BEGIN");
    run(client, "SELECT count(*) FROM public.customers");
    return client;
  }

  ChildProcess start(const std::string& command, const Environment& environment = {}, const std::vector<std::string>& more = {}) {
    for (const char* name : {"attempts.out", "attempts.err"}) std::filesystem::remove(shop_->dir() / name);  // of another run
    std::vector<std::string> words{command, "--confirm", "shop"};
    words.insert(words.end(), more.begin(), more.end());
    return ChildProcess::start({.argv = shop_->program(words),
                                .environment = shop_->with_points(environment),
                                .output = shop_->dir() / "attempts.out",
                                .errors = shop_->dir() / "attempts.err"});
  }
  std::string errors() const { return read(shop_->dir() / "attempts.err"); }
  nlohmann::json result() const { return nlohmann::json::parse(read(shop_->dir() / "attempts.out"), nullptr, false); }

  void wait_for_backoff(ChildProcess& crossing) {
    const auto deadline = Deadline::after(60s);
    while (!std::filesystem::exists(shop_->dir() / "attempts.err") || errors().find("attempt 1 of") == std::string::npos) {
      ASSERT_TRUE(crossing.is_running()) << errors();
      ASSERT_FALSE(deadline.has_passed()) << errors();
      std::this_thread::sleep_for(5ms);
    }
  }

  // Sequences of the closed side may be ahead: of that side the catalogs are compared. An attempt to go back lays the way
  // back from there and keeps it for the next one, and the pooler's file has a backup of the last crossing: while green
  // serves, these are left out.
  std::string everything(const std::string& serving) {
    auto source = admin(shop_->server(serving));
    auto target = admin(shop_->server(serving == "blue" ? "green" : "blue"));
    std::string text = (serving == "blue" ? catalog_image(target) : "") + "\n" + read(shop_->pooler().ini());
    for (const auto& line : server_image(source, serving))
      if (serving == "blue" || !is_about_streams(line)) text += "\n" + line;
    if (serving != "blue") return text;
    for (const auto& entry : std::filesystem::directory_iterator(shop_->pooler().ini().parent_path()))
      if (entry.path().filename().string().find("verdigris") != std::string::npos) text += "\n" + entry.path().string();
    return text;
  }

  void expect_nothing_left(const std::string& serving) {
    const auto scene = shop_->scene();
    EXPECT_TRUE(serving == "blue" ? scene.is_blue_open : scene.is_green_open) << scene.text;
    EXPECT_TRUE(serving == "blue" ? scene.is_green_closed : scene.is_blue_closed) << scene.text;
    EXPECT_FALSE(scene.is_paused) << scene.text;
    EXPECT_EQ(scene.routed_to, serving);
    EXPECT_EQ(scene.activity, "none");
  }

  // Both sides, with their streams, and the pooler's files. Sequences of the closed side may be ahead.
  Image whole_world(const std::string& serving) {
    Image all;
    for (const std::string color : {"blue", "green"}) {
      auto session = admin(shop_->server(color));
      for (const auto& line : server_image(session, color))
        if (color == serving || !line.starts_with(color + " sequence ")) all.insert(line);
    }
    for (const auto& entry : std::filesystem::directory_iterator(shop_->pooler().ini().parent_path()))
      if (const auto name = entry.path().filename().string(); name.ends_with(".ini")) all.insert("file " + name + " " + read(entry.path()));
    return all;
  }

  // An attempt that somebody holds up on the target, with `lock`, from when clients are held: over its budget of 1 s, as
  // the command line says; undone.
  void hold_up(const std::string& command, const std::string& from, const std::string& lock, const std::string& step);

  void expect_second_attempt_succeeds(const std::string& command, const std::string& from, const std::string& to);
};

void Attempts::hold_up(const std::string& command, const std::string& from, const std::string& lock, const std::string& step) {
  Clients clients({shop_->pooler().client("app", "shop"), shop_->pooler().client("app", "shop")});
  ASSERT_TRUE(clients.wait_for(from, 5));
  auto crossing = start(command, {{"VERDIGRIS_STOP", "after:apply:stand_ready"}}, {"--max-pause", "1s"});
  ASSERT_TRUE(shop_->comes_to_point("after:apply:stand_ready", crossing)) << errors();
  auto blocker = admin(shop_->server(from == "blue" ? "green" : "blue"));
  run(blocker, "BEGIN");
  run(blocker, lock);
  crossing.send(SIGCONT);
  const bool has_ended = crossing.wait_end(Deadline::after(60s));
  run(blocker, "ROLLBACK");
  ASSERT_TRUE(has_ended) << errors();
  EXPECT_EQ(crossing.exit_code(), 5) << errors();
  EXPECT_TRUE(clients.wait_for(from, 5));
  clients.stop();
  EXPECT_EQ(clients.errors(), 0);
  EXPECT_LE(clients.longest(), kBudget + 50ms);
  EXPECT_GE(clients.longest(), kBudget - 300ms) << "it was not held up in the window";
  const auto json = result();
  EXPECT_EQ(json.value("reason_id", ""), "deadline-passed") << json;
  EXPECT_EQ(json.at("undone_attempts").size(), 1U) << json;
  EXPECT_NE(read(shop_->dir() / "points").find("after:begin:" + step + "\n"), std::string::npos);
  EXPECT_EQ(read(shop_->dir() / "points").find("after:apply:" + step + "\n"), std::string::npos);
  std::printf("%s held up in %s: longest wait %lld ms\n", command.c_str(), step.c_str(), static_cast<long long>(clients.longest().count()));
  expect_nothing_left(from);
}

void Attempts::expect_second_attempt_succeeds(const std::string& command, const std::string& from, const std::string& to) {
  allow(2, "4s");
  Clients clients({shop_->pooler().client("app", "shop"), shop_->pooler().client("app", "shop")});
  ASSERT_TRUE(clients.wait_for(from, 5));
  auto report = open_transaction();
  const auto pid = value(report, "SELECT pg_backend_pid()");
  const auto before = everything(from);
  auto crossing = start(command);
  ASSERT_NO_FATAL_FAILURE(wait_for_backoff(crossing));
  EXPECT_TRUE(clients.wait_for(from, 5));
  EXPECT_EQ(everything(from), before);
  EXPECT_LE(clients.longest(), kBudget + 50ms);
  run(report, "COMMIT");
  ASSERT_TRUE(crossing.wait_end(Deadline::after(60s))) << errors();
  ASSERT_EQ(crossing.exit_code(), 0) << errors();
  EXPECT_TRUE(clients.wait_for(to, 5));
  auto console = PgBouncerConsole::open("test", shop_->pooler().admin(), soon());
  const auto servers = console.connection().query(Sql("SHOW SERVERS"), soon());
  for (int row = 0; row < PQntuples(servers.native()); ++row)
    EXPECT_EQ(PQgetvalue(servers.native(), row, PQfnumber(servers.native(), "port")), std::to_string(shop_->server(to).port()));
  clients.stop();
  EXPECT_EQ(clients.errors(), 0);
  EXPECT_LE(clients.longest(), kBudget + 50ms);
  expect_nothing_left(to);
  const auto json = result();
  EXPECT_EQ(json.value("attempts", 0), 2) << json;
  ASSERT_EQ(json.at("undone_attempts").size(), 1U) << json;
  const auto reason = json.at("undone_attempts").at(0).at("reason").get<std::string>();
  EXPECT_EQ(json.at("undone_attempts").at(0).at("reason_id"), "pooler.pause-timeout");
  for (const std::string& word : {"pid " + pid, std::string("app"), std::string("\"report\""), std::string("idle in transaction"),
                                 std::string("query began"), std::string("local")})
    EXPECT_NE(reason.find(word), std::string::npos) << word << " in: " << reason;
  EXPECT_NE(errors().find("attempt 1 of 2, next in 4s: "), std::string::npos) << errors();
}

TEST_F(Attempts, TheLastOneEndsWithExitCodeFive) {
  allow(2, "100ms");
  auto report = open_transaction();
  const auto before = everything("blue");
  const auto answer = shop_->command({"switch", "--confirm", "shop"});
  EXPECT_EQ(answer.exit_code, 5) << answer.json << answer.errors;
  EXPECT_EQ(answer.json.value("attempts", 0), 2) << answer.json;
  EXPECT_EQ(answer.json.at("undone_attempts").size(), 2U) << answer.json;
  EXPECT_EQ(everything("blue"), before);
  expect_nothing_left("blue");
}

TEST_F(Attempts, WithoutTheKeyThereIsOne) {
  auto report = open_transaction();
  const auto answer = shop_->command({"switch", "--confirm", "shop"});
  EXPECT_EQ(answer.exit_code, 5) << answer.json << answer.errors;
  EXPECT_EQ(answer.json.value("attempts", 0), 1) << answer.json;
}

TEST_F(Attempts, ASignalBetweenThemLeavesNothingBehind) {
  for (const auto& [signal, exit_code] : {std::pair{SIGTERM, 143}, std::pair{SIGINT, 130}}) {
    allow(3, "1h");
    auto report = open_transaction();
    const auto before = everything("blue");
    auto crossing = start("switch");
    ASSERT_NO_FATAL_FAILURE(wait_for_backoff(crossing));
    crossing.send(signal);
    ASSERT_TRUE(crossing.wait_end(Deadline::after(10s))) << errors();
    EXPECT_EQ(crossing.exit_code(), exit_code) << errors();
    EXPECT_EQ(result().value("attempts", 0), 1) << result();
    EXPECT_EQ(everything("blue"), before);
    expect_nothing_left("blue");
  }
}

TEST_F(Attempts, WhatWasRefusedIsNotTriedAgain) {
  allow(3, "1h");
  auto console = PgBouncerConsole::open("shop", shop_->pooler().admin(), soon());
  console.send_pause("shop", soon());
  console.receive_tag(soon());
  const auto answer = shop_->command({"switch", "--confirm", "shop"});
  EXPECT_EQ(answer.exit_code, 3) << answer.json << answer.errors;
  EXPECT_EQ(answer.json.value("attempts", 0), 1) << answer.json;
  console.resume("shop", soon());
}

// It came too late for the first: then it is for the second.
TEST_F(Attempts, AHoldGivenInTheWindowOfOneIsHeededByTheNext) {
  allow(2, "1s");
  auto report = open_transaction();
  auto crossing = start("switch", {{"VERDIGRIS_STOP", "before:begin:pause_traffic"}});
  shop_->wait_for_point("before:begin:pause_traffic");
  auto hold = ChildProcess::start({.argv = shop_->program({"hold"}), .output = shop_->dir() / "hold.out", .errors = shop_->dir() / "hold.err"});
  while (hold.is_running() && shop_->command({"status"}).json.at("held").is_null()) std::this_thread::sleep_for(5ms);
  EXPECT_TRUE(hold.is_running()) << "nothing is decided yet";
  crossing.send(SIGCONT);
  ASSERT_TRUE(hold.wait_end(Deadline::after(30s)));
  EXPECT_EQ(hold.exit_code(), 0) << read(shop_->dir() / "hold.err");
  EXPECT_NE(read(shop_->dir() / "hold.err").find("was undone"), std::string::npos) << read(shop_->dir() / "hold.err") << read(shop_->dir() / "hold.out") << errors();
  run(report, "COMMIT");
  for (const auto deadline = Deadline::after(30s); errors().find("held by") == std::string::npos; std::this_thread::sleep_for(10ms))
    ASSERT_TRUE(crossing.is_running() && !deadline.has_passed()) << errors();
  std::this_thread::sleep_for(1s);
  EXPECT_TRUE(crossing.is_running()) << errors();
  EXPECT_TRUE(shop_->scene().is_blue_open);
  crossing.send(SIGTERM);
  ASSERT_TRUE(crossing.wait_end(Deadline::after(30s))) << errors();
  EXPECT_EQ(shop_->command({"release"}).json.value("result", ""), "done");
  expect_nothing_left("blue");
}

// Clients were held for it: however it ends, it is said.
TEST_F(Attempts, AnErrorBetweenThemStillTellsOfTheOneBefore) {
  allow(2, "3s");
  auto report = open_transaction();
  auto crossing = start("switch");
  ASSERT_NO_FATAL_FAILURE(wait_for_backoff(crossing));
  auto green = admin(shop_->server("green"));
  run(green, "ALTER SUBSCRIPTION verdigris_shop_fwd DISABLE");
  const bool has_ended = crossing.wait_end(Deadline::after(60s));
  run(green, "ALTER SUBSCRIPTION verdigris_shop_fwd ENABLE");
  ASSERT_TRUE(has_ended) << errors();
  EXPECT_NE(crossing.exit_code(), 0) << errors();
  const auto json = result();
  EXPECT_TRUE(json.contains("error")) << json;
  EXPECT_EQ(json.value("attempts", 0), 2) << json;
  ASSERT_EQ(json.value("undone_attempts", nlohmann::json::array()).size(), 1U) << json;
  EXPECT_EQ(json.at("undone_attempts").at(0).at("reason_id"), "pooler.pause-timeout");
  EXPECT_NE(errors().find("attempt 1 was undone: "), std::string::npos) << errors();
  expect_nothing_left("blue");
  report.close();
  for (const auto deadline = Deadline::after(30s); shop_->command({"status"}).json.value("can_switch", false) == false;)
    ASSERT_FALSE(deadline.has_passed()) << shop_->command({"status"}).json;
}

// Whoever answers late costs the names, not the session that holds the lease.
TEST_F(Attempts, AServerThatDoesNotSayWhoBlocksCostsNoSession) {
  allow(1, "1s");
  auto report = open_transaction();
  auto crossing = start("switch", {{"VERDIGRIS_STOP", "after:window"}});
  shop_->wait_for_point("after:window");
  auto blue = admin(shop_->server("blue"));
  run(blue, "BEGIN");
  run(blue, "LOCK TABLE pg_catalog.pg_authid IN ACCESS EXCLUSIVE MODE");  // pg_stat_activity cannot be read, and nobody logs in
  crossing.send(SIGCONT);
  const bool has_ended = crossing.wait_end(Deadline::after(20s));
  run(blue, "ROLLBACK");
  crossing.wait_end(Deadline::after(60s));
  const auto said = errors();
  EXPECT_TRUE(has_ended) << "it needed a new session: " << said;
  EXPECT_EQ(crossing.exit_code(), 5) << said;
  EXPECT_EQ(said.find("trying again"), std::string::npos) << said;
  expect_nothing_left("blue");
}

// The playbook allows 10 s: it is the command line that ends them.
constexpr const char* kNoMarker = "LOCK TABLE verdigris.marker IN EXCLUSIVE MODE";        // is applied
constexpr const char* kNoReader = "LOCK TABLE public.customers IN ACCESS EXCLUSIVE MODE";  // compares it

TEST_F(Attempts, ASwitchWhoseBudgetIsSpentInTheDrainOrTheProofLeavesNothing) {
  const auto before = whole_world("blue");
  hold_up("switch", "blue", kNoMarker, "drain_to_marker");
  EXPECT_EQ(difference(before, whole_world("blue")), "");
  hold_up("switch", "blue", kNoReader, "prove_parity");
  EXPECT_EQ(difference(before, whole_world("blue")), "");
}

TEST_F(Attempts, ASwitchOverBudgetCostsNoErrorAndTheNextOneSucceeds) {
  expect_second_attempt_succeeds("switch", "blue", "green");
}

// The first attempt to go back lays green's way to follow again, and keeps it for the next one: nothing else is left.
TEST_F(Attempts, ARollbackWhoseBudgetIsSpentInTheDrainOrTheProofLeavesNothingButTheWayLaid) {
  const auto before = whole_world("green");
  hold_up("rollback", "green", kNoMarker, "drain_to_marker");
  const auto once = whole_world("green");
  std::istringstream lines(difference(before, once));
  for (std::string line; std::getline(lines, line);)
    EXPECT_TRUE(line.starts_with("+ ") && (is_about_streams(line) || line.find(" saved left-out:") != std::string::npos)) << line;
  hold_up("rollback", "green", kNoReader, "prove_parity");
  EXPECT_EQ(difference(once, whole_world("green")), "");
}

TEST_F(Attempts, ARollbackOverBudgetCostsNoErrorAndTheNextOneSucceeds) {
  expect_second_attempt_succeeds("rollback", "green", "blue");
}

}  // namespace
}  // namespace verdigris::test
