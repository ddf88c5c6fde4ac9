// `pooler show` and `pooler adopt` as an operator has them, and the journey with an adopted file: over and back under load,
// a kill in the midst of it, and its end, which leaves the file alone.
#include "controller/config.hpp"
#include "controller/deployment.hpp"
#include "tests/support/shared_shop.hpp"

namespace verdigris::test {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

class PoolerCommands : public SharedShop {
 protected:
  void SetUp() override {
    SharedShop::SetUp();
    if (IsSkipped()) return;
    if (original_.empty()) original_ = read(main());
    if (!fs::exists(included()) || is_adopted()) return;
    put_back();
  }
  static fs::path main() { return shop_->pooler().ini(); }
  static fs::path included() { return shop_->pooler().dir() / "verdigris" / "shop.ini"; }
  static bool is_adopted() { return read(main()).find("%include") != std::string::npos; }
  static PgBouncerConsole console() { return PgBouncerConsole::open("shop", shop_->pooler().admin(), soon()); }
  static void put_back() {
    write(main(), original_);
    fs::remove_all(included().parent_path());
    console().reload(soon());
  }
  void adopt() {
    if (is_adopted()) return;
    const auto answer = shop_->command({"pooler", "adopt", "--yes"});
    ASSERT_EQ(answer.exit_code, 0) << answer.json << answer.errors;
  }
  static nlohmann::json database_shown() {
    const auto answer = shop_->command({"pooler", "show"});
    EXPECT_EQ(answer.exit_code, 0) << answer.json << answer.errors;
    return answer.json["poolers"][0]["databases"][0];
  }
  static bool is_served_by(const std::string& color) {
    Clients clients({shop_->pooler().client("app", "shop")});
    return clients.wait_for(color, 3);
  }

  inline static std::string original_;
};

TEST_F(PoolerCommands, CheckWarnsOfAVersionWithAKnownFault) {
  const auto fault = known_fault_of(pgbouncer_version(console().version(soon())));
  const auto answer = shop_->command({"check"});
  EXPECT_EQ(answer.exit_code, 0) << answer.json;
  EXPECT_EQ(answer.json.dump().find("\"pooler.version\"") != std::string::npos, !fault.empty()) << answer.json;
}

TEST_F(PoolerCommands, ShowSaysWhatIsDefinedWhereAndLeadsWhere) {
  auto shown = database_shown();
  EXPECT_EQ(shown["defined_at"], main().string() + ":2");
  EXPECT_EQ(shown["adopted"], false);
  EXPECT_EQ(shown["paused"], false);
  EXPECT_EQ(shown["pool_mode"], "transaction");
  EXPECT_EQ(shown["target"], shop_->server("blue").dir().string() + ":5432/shop");
  write(main(), replaced(original_, "shop =", "* ="));
  const auto answer = shop_->command({"pooler", "show"});
  EXPECT_EQ(answer.exit_code, 3) << answer.json;
  EXPECT_EQ(answer.json["result"], "refused");
  EXPECT_EQ(answer.json["poolers"][0]["databases"][0]["trouble"]["id"], "pooler.alias-wildcard");
  write(main(), original_);
}

TEST_F(PoolerCommands, AdoptChangesNothingWithoutConsentAndADryRunShowsIt) {
  auto answer = shop_->command({"pooler", "adopt"});
  EXPECT_EQ(answer.exit_code, 2) << answer.json << answer.errors;
  EXPECT_EQ(answer.json["error"]["id"], "consent-needed");
  answer = shop_->command({"pooler", "adopt", "--dry-run"});
  EXPECT_EQ(answer.exit_code, 0) << answer.json << answer.errors;
  const auto& pooler = answer.json["poolers"][0];
  EXPECT_EQ(pooler["include_line"], "%include " + included().string());
  EXPECT_EQ(pooler["lines"], nlohmann::json::array({main().string() + ":2"}));
  EXPECT_NE(pooler["diff"].get<std::string>().find("\n-shop = host="), std::string::npos) << pooler;
  EXPECT_NE(pooler["diff"].get<std::string>().find("\n+%include "), std::string::npos) << pooler;
  EXPECT_EQ(read(main()), original_);
  EXPECT_FALSE(fs::exists(included().parent_path()));
}

// Wherever it is killed, and the pooler with it: clients are served, and the same command goes on.
TEST_F(PoolerCommands, AKilledAdoptionLosesNobodyAndGoesOn) {
  for (const char* point : {"after:pooler-include", "before:pooler-rename", "after:pooler-rename", "after:pooler-probe"}) {
    const auto killed = shop_->command({"pooler", "adopt", "--yes"}, {{"VERDIGRIS_CRASH", point}});
    EXPECT_EQ(killed.exit_code, kKilled) << point << killed.json << killed.errors;
    console().reload(soon());
    EXPECT_TRUE(is_served_by("blue")) << point << ", reloaded";
    shop_->pooler().kill_hard();
    shop_->pooler().start();
    EXPECT_TRUE(is_served_by("blue")) << point << ", restarted";
    const auto again = shop_->command({"pooler", "adopt", "--yes"});
    EXPECT_EQ(again.exit_code, 0) << point << again.json << again.errors;
    EXPECT_EQ(database_shown()["adopted"], true) << point;
    EXPECT_EQ(read(included()).find("probe"), std::string::npos) << point;
    put_back();
  }
}

TEST_F(PoolerCommands, ATemplateIsToldWhatToSayAndUntilThenNoSwitchBegins) {
  auto answer = shop_->command({"pooler", "adopt", "--include-only"});
  EXPECT_EQ(answer.exit_code, 0) << answer.json << answer.errors;
  EXPECT_EQ(answer.json["poolers"][0]["state"], "included_file_written");
  EXPECT_EQ(read(main()), original_);
  answer = shop_->command({"switch", "--confirm", "shop"});
  EXPECT_EQ(answer.exit_code, 3) << answer.json << answer.errors;
  EXPECT_EQ(answer.json.value("reason_id", "?"), "pooler.half-adopted") << answer.json;
  EXPECT_EQ(shop_->command({"pooler", "show"}).json["poolers"][0]["trouble"]["id"], "pooler.half-adopted");
  // The template at work.
  const auto line_end = original_.find('\n', 12) + 1;
  write(main(), original_.substr(0, 12) + original_.substr(line_end) + "%include " + included().string() + "\n");
  console().reload(soon());
  answer = shop_->command({"pooler", "adopt"});
  EXPECT_EQ(answer.exit_code, 0) << answer.json << answer.errors;
  EXPECT_EQ(answer.json["poolers"][0]["state"], "adopted_before");
  EXPECT_EQ(database_shown()["adopted"], true);
}

TEST_F(PoolerCommands, AnotherControllerOrAnOpenPlanIsInTheWay) {
  adopt();
  {
    Deployment other(load_playbook(shop_->playbook()), [](const std::string&) {});
    other.connect(soon());
    other.take_leases(1s, soon());
    const auto answer = shop_->command({"pooler", "adopt", "--yes"});
    EXPECT_EQ(answer.exit_code, 8) << answer.json << answer.errors;
  }
  const auto killed = shop_->command({"switch", "--confirm", "shop"}, {{"VERDIGRIS_CRASH", "after:begin:fence_source"}});
  ASSERT_EQ(killed.exit_code, kKilled) << killed.json << killed.errors;
  const auto answer = shop_->command({"pooler", "adopt", "--yes"});
  EXPECT_EQ(answer.exit_code, 3) << answer.json << answer.errors;
  EXPECT_EQ(answer.json["error"]["id"], "pooler.plan-open");
  const auto recovered = shop_->command({"recover"});
  EXPECT_EQ(recovered.exit_code, 0) << recovered.json << recovered.errors;
  EXPECT_TRUE(is_served_by("blue"));
}

TEST_F(PoolerCommands, CrossesThereAndBackUnderLoadByTheIncludedFileAlone) {
  adopt();
  const std::string main_file = read(main()), included_file = read(included());
  const auto plan = shop_->command({"plan"}).json.dump();
  EXPECT_NE(plan.find("+++ " + included().string()), std::string::npos) << plan;
  EXPECT_EQ(plan.find("+++ " + main().string()), std::string::npos) << plan;
  shop_->start_load();
  auto answer = shop_->cross("switch");
  EXPECT_EQ(answer.exit_code, 0) << answer.json << answer.errors;
  EXPECT_TRUE(is_served_by("green"));
  EXPECT_NE(read(included()), included_file);
  // Killed behind the line, before clients are led: recover goes on by the same file.
  const auto killed = shop_->command({"rollback", "--confirm", "shop"}, {{"VERDIGRIS_CRASH", "after:begin:move_traffic"}});
  EXPECT_EQ(killed.exit_code, kKilled) << killed.json << killed.errors;
  answer = shop_->command({"recover"});
  EXPECT_EQ(answer.exit_code, 0) << answer.json << answer.errors;
  EXPECT_TRUE(is_served_by("blue"));
  const auto load = shop_->stop_load();
  EXPECT_EQ(load.value("client_errors", -1), 0) << load;
  EXPECT_EQ(read(main()), main_file);
  EXPECT_EQ(read(included()), included_file);
  const auto ledger = shop_->ledger("blue");
  EXPECT_EQ(ledger.lost, 0);
}

// From where the pooler runs, before anybody waits.
TEST_F(PoolerCommands, AServerThatWouldTurnThePoolersUsersAwayIsNotSwitchedTo) {
  adopt();
  EXPECT_TRUE(is_served_by("blue"));  // app has a pool
  const auto hba = shop_->server("green").dir() / "data/pg_hba.conf";
  const std::string admitted = read(hba);
  const auto admit = [&](const std::string& who) {
    write(hba, who);
    auto green = admin(shop_->server("green"));
    run(green, "SELECT pg_reload_conf(), pg_sleep(0.3)");
  };
  admit(replaced(admitted, "local all all scram-sha-256\n", ""));
  auto answer = shop_->command({"switch", "--confirm", "shop"}, shop_->with_points());
  admit(admitted);
  EXPECT_EQ(answer.exit_code, 3) << answer.json << answer.errors;
  EXPECT_EQ(answer.json.value("reason_id", "?"), "pooler.target-login") << answer.json;
  EXPECT_EQ(read(shop_->dir() / "points").find("begin:pause_traffic"), std::string::npos);
  EXPECT_TRUE(is_served_by("blue"));
  answer = shop_->cross("switch");
  EXPECT_EQ(answer.exit_code, 0) << answer.json << answer.errors;
  EXPECT_NE(answer.errors.find("file staged; logins tried there: app"), std::string::npos) << answer.errors;
  EXPECT_EQ(shop_->cross("rollback").exit_code, 0);
}

// A database of a trial lets in as app who may use the pooler at all.
TEST_F(PoolerCommands, ATrialOfLoginsThatWasKilledLeavesNothingOnceRecovered) {
  adopt();
  EXPECT_TRUE(is_served_by("blue"));
  const std::string included_file = read(included());
  const auto killed = shop_->command({"switch", "--confirm", "shop"}, {{"VERDIGRIS_CRASH", "after:login-trial"}});
  EXPECT_EQ(killed.exit_code, kKilled) << killed.json << killed.errors;
  EXPECT_NE(read(included()), included_file);
  const auto recovered = shop_->command({"recover", "--yes"});
  EXPECT_EQ(recovered.exit_code, 0) << recovered.json << recovered.errors;
  EXPECT_EQ(read(included()), included_file);
  EXPECT_FALSE(fs::exists(included().string() + ".verdigris-backup"));
  const auto is_gone = [] {
    return std::ranges::none_of(console().databases(soon()), [](const auto& one) { return one.alias.starts_with("verdigris_probe_"); });
  };
  for (const auto deadline = soon(); !is_gone(); std::this_thread::sleep_for(20ms)) ASSERT_FALSE(deadline.has_passed());
}

TEST_F(PoolerCommands, AbandonAndFinishLeaveTheAdoptedFileAlone) {
  adopt();
  const std::string main_file = read(main()), on_blue = read(included());
  EXPECT_EQ(shop_->command({"abandon", "--drop-green", "--confirm", "shop"}).exit_code, 0);
  EXPECT_EQ(read(main()), main_file);
  EXPECT_EQ(read(included()), on_blue);
  EXPECT_EQ(database_shown()["adopted"], true);
  ASSERT_EQ(shop_->command({"prepare", "--yes"}).exit_code, 0);
  ASSERT_EQ(shop_->cross("switch").exit_code, 0);
  const std::string on_green = read(included());
  const auto answer = shop_->command({"finish", "--now", "--confirm", "shop"});
  EXPECT_EQ(answer.exit_code, 0) << answer.json << answer.errors;
  EXPECT_EQ(read(main()), main_file);
  EXPECT_EQ(read(included()), on_green);
  EXPECT_TRUE(is_served_by("green"));
}

}  // namespace
}  // namespace verdigris::test
