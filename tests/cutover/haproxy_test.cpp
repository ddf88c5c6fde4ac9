// Clients behind a real HAProxy that the shipped script leads (driver command): they see errors for a moment, but no
// acknowledged write is lost or doubled, there and back. A script that fails, hangs or leads elsewhere is found before
// clients wait, undone above the line, and repeated below it until a person is asked.
#include <thread>

#include "tests/support/other_traffic.hpp"
#include "tests/support/pgbouncer_driver.hpp"
#include "tests/support/shared_shop.hpp"
#include "tests/support/thorough.hpp"

namespace verdigris::test {
namespace {

using namespace std::chrono_literals;

class Haproxy : public SharedShop {
 protected:
  static void SetUpTestSuite() {
    SharedShop::SetUpTestSuite();
    if (!shop_ || !have_haproxy()) return;
    haproxy_ = std::make_unique<HaproxyProcess>(shop_->dir() / "haproxy", shop_->server("blue"), shop_->server("green"));
    haproxy_->start();
    lead_load_through(*shop_, haproxy_->dir(), 6432);
  }
  static void TearDownTestSuite() {
    haproxy_.reset();
    SharedShop::TearDownTestSuite();
  }
  void SetUp() override {
    SharedShop::SetUp();
    if (!IsSkipped() && !have_haproxy()) GTEST_SKIP() << "HAProxy is not on this machine; run scripts/bootstrap";
    if (IsSkipped()) return;
    choose_pooler(*shop_, command_section(*haproxy_, "5s"));
  }
  void TearDown() override {
    if (!haproxy_ || !have_haproxy()) return;
    haproxy_->behave();
    if (IsSkipped()) return;
    choose_pooler(*shop_, command_section(*haproxy_, "5s"));
    if (shop_->serving() == "green") {
      EXPECT_EQ(shop_->cross("rollback").exit_code, 0);
    }
  }

  // Of a client of HAProxy; "" and the refusal if it cannot write.
  std::string written_to(const std::string& note) const {
    try {
      auto client = Connection::open_plain(require_sandbox(shop_->dir()).conninfo(require_sandbox(shop_->dir()).pooler, "app"),
                                           {"client", "client", false, {}}, soon());
      run(client, "UPDATE public.customers SET credit = credit + 1 WHERE id = 1");
      return value(client, "SELECT current_setting('cluster_name')");
    } catch (const Error& error) {
      return note + error.what();
    }
  }
  std::string shown() const { return haproxy_->run_lead({"show"}).output; }
  bool has_come_to(const std::string& point) const { return read(shop_->dir() / "points").find(point) != std::string::npos; }

  // Every one of the load's four clients tries again after 10 ms; what they saw must fit into the time in which they
  // were turned away, with a second for those that found a server closing.
  void expect_bounded(const nlohmann::json& load, double turned_away_ms) const {
    EXPECT_GT(load.value("client_errors", 0), 0) << "HAProxy holds nobody: a test without errors has tested nothing";
    EXPECT_LE(load.value("client_errors", 0), 4 * (turned_away_ms + 1000) / 10) << load;
    EXPECT_LE(load.value("unknown", 0), 16) << load;
  }

  inline static std::unique_ptr<HaproxyProcess> haproxy_;
};

TEST_F(Haproxy, ThereAndBackUnderLoadLosesNothing) {
  shop_->start_load();
  double turned_away = 0;
  for (const std::string command : {"switch", "rollback"}) {
    const auto answer = shop_->cross(command);
    ASSERT_EQ(answer.exit_code, 0) << answer.json << answer.errors;
    EXPECT_NE(answer.json.value("clients", "").find("brief errors"), std::string::npos) << answer.json;
    EXPECT_NE(answer.errors.find("brief errors"), std::string::npos) << answer.errors;
    turned_away += answer.json.value("pause_ms", 1e9);
    EXPECT_EQ(shown(), command == "switch" ? "green\n" : "blue\n");
    EXPECT_EQ(written_to("refused: "), command == "switch" ? "green" : "blue");
    std::this_thread::sleep_for(1s);
  }
  const auto load = shop_->stop_load();
  const auto verdict = shop_->ledger("blue");
  EXPECT_TRUE(verdict.is_clean()) << (verdict.examples.empty() ? "" : verdict.examples.front());
  EXPECT_GT(verdict.acknowledged, 100) << load;
  expect_bounded(load, turned_away);
  EXPECT_EQ(shop_->difference_after_marker("blue", "green"), "");
}

TEST_F(Haproxy, AProcessThatIsStartedAnewLeadsToWhereItLed) {
  ASSERT_EQ(shop_->cross("switch").exit_code, 0);
  haproxy_->stop();
  haproxy_->start();
  EXPECT_EQ(shown(), "green\n");
  EXPECT_EQ(written_to("refused: "), "green");
}

TEST_F(Haproxy, AScriptThatCannotDoItIsFoundBeforeClientsAreTurnedAway) {
  choose_pooler(*shop_, command_section(*haproxy_, "3s"));
  const struct {
    const char *how, *when, *says;
  } faults[] = {{"fail", "set blue", "exit code 3: no, thanks"},
                {"hang", "set blue", "did not end within 3s and was killed"},
                {"fail", "show", "no, thanks"},
                {"hang", "show", "did not end within 3s"},
                {"elsewhere", "show", "clients are led to elsewhere:1, and blue ("}};
  for (const auto& fault : faults) {
    haproxy_->misbehave(fault.how, fault.when);
    const auto answer = shop_->command({"switch", "--confirm", "shop"}, shop_->with_points());
    EXPECT_EQ(answer.exit_code, 3) << fault.how << " " << fault.when << answer.json << answer.errors;
    EXPECT_NE(answer.json.dump().find(fault.says), std::string::npos) << answer.json;
    EXPECT_FALSE(has_come_to("pause_traffic")) << fault.how << " " << fault.when;
    haproxy_->behave();
    EXPECT_EQ(written_to("refused: "), "blue");
  }
}

TEST_F(Haproxy, AHoldThatFailsOrHangsIsUndone) {
  for (const auto& [hold, says] : {std::pair{"[/bin/false]", "exit code 1"}, std::pair{"[/bin/sleep, \"60\"]", "did not end within"}}) {
    choose_pooler(*shop_, command_section(*haproxy_, "5s",
                                          std::string("    hold: { argv: ") + hold + ", timeout: 500ms }\n" +
                                              "    release: { argv: [/bin/true], timeout: 1s }\n    can_hold_clients: true\n"));
    const auto answer = shop_->command({"switch", "--confirm", "shop"});
    EXPECT_EQ(answer.exit_code, 5) << answer.json << answer.errors;
    EXPECT_NE(answer.json.value("reason", "").find(says), std::string::npos) << answer.json;
    EXPECT_EQ(shown(), "blue\n");
    EXPECT_EQ(written_to("refused: "), "blue");
  }
}

// It hears no TERM either: the budget is that of the clients.
TEST_F(Haproxy, AHoldThatIsDeafKeepsTheBudget) {
  const auto playbook = read(shop_->playbook());
  write(shop_->playbook(), replaced(playbook, "max_pause: 10s", "max_pause: 1500ms"));
  choose_pooler(*shop_, command_section(*haproxy_, "5s",
                                        "    hold: { argv: " + haproxy_->lead({"hold"}) + ", timeout: 1s }\n" +
                                            "    release: { argv: [/bin/true], timeout: 1s }\n    can_hold_clients: true\n"));
  haproxy_->misbehave("deaf", "hold");
  const auto answer = shop_->command({"switch", "--confirm", "shop"});
  write(shop_->playbook(), playbook);
  EXPECT_EQ(answer.exit_code, 5) << answer.json << answer.errors;
  EXPECT_NE(answer.json.value("reason", "").find("did not end within 1s"), std::string::npos) << answer.json;
  EXPECT_LT(answer.json.at("undone_attempts").at(0).value("pause_ms", 1e9), 1700) << answer.json;
  EXPECT_EQ(written_to("refused: "), "blue");
}

// recover runs it with our rights as well.
TEST_F(Haproxy, AScriptThatOthersMayChangeIsNotRunByRecover) {
  const auto script = haproxy_->dir() / "faulty";
  const auto killed = shop_->command({"switch", "--confirm", "shop"}, {{"VERDIGRIS_CRASH", "after:apply:open_target"}});
  ASSERT_EQ(killed.exit_code, kKilled) << killed.errors;
  std::filesystem::permissions(script, std::filesystem::perms::group_write, std::filesystem::perm_options::add);
  const auto refused = shop_->command({"recover", "--yes", "--timeout", "4s"});
  std::filesystem::permissions(script, std::filesystem::perms::group_write, std::filesystem::perm_options::remove);
  EXPECT_EQ(refused.exit_code, 6) << refused.json << refused.errors;
  EXPECT_NE(refused.errors.find("is writable by group or others"), std::string::npos) << refused.errors;
  EXPECT_EQ(shown(), "blue\n") << "it was run all the same";
  const auto recovered = shop_->command({"recover", "--yes"});
  EXPECT_EQ(recovered.exit_code, 0) << recovered.json << recovered.errors;
  EXPECT_EQ(written_to("refused: "), "green");
}

TEST_F(Haproxy, BelowTheLineAScriptIsRunAgainUntilItLeadsThere) {
  choose_pooler(*shop_, command_section(*haproxy_, "4s"));  // the script itself takes a second on a busy machine
  for (const auto& [how, says] : {std::pair{"fail", "no, thanks"}, std::pair{"hang", "was killed"},
                                  std::pair{"nothing", "clients are led to blue after set_target"}}) {
    haproxy_->misbehave(how, "set green", 2);
    const auto answer = shop_->command({"switch", "--confirm", "shop"});
    EXPECT_EQ(answer.exit_code, 0) << how << answer.json << answer.errors;
    EXPECT_NE(answer.errors.find(says), std::string::npos) << answer.errors;
    EXPECT_EQ(shown(), "green\n");
    EXPECT_EQ(written_to("refused: "), "green");
    ASSERT_EQ(shop_->cross("rollback").exit_code, 0);
  }
}

// Nobody can say that clients are led to green: a person is asked, blue stays closed, and recover ends it.
TEST_F(Haproxy, BelowTheLineAPersonIsAskedInTheEnd) {
  // A switch tries for a minute; `recover` of what it left for as long as it is told to.
  const auto end_of_switch = [&] {
    if (is_thorough()) return shop_->command({"switch", "--confirm", "shop"});
    const auto killed = shop_->cross("switch", {{"VERDIGRIS_CRASH", "after:apply:open_target"}});
    EXPECT_EQ(killed.exit_code, kKilled) << killed.errors;
    return shop_->command({"recover", "--timeout", "4s"});
  };
  shop_->start_load();
  haproxy_->misbehave("nothing", "set green");
  const auto answer = end_of_switch();
  EXPECT_EQ(answer.exit_code, 6) << answer.json << answer.errors;
  EXPECT_NE(answer.json.dump().find("verdigris recover"), std::string::npos) << answer.json;
  const auto scene = shop_->scene();
  EXPECT_TRUE(scene.is_blue_closed && scene.is_green_open) << scene.text;
  EXPECT_NE(written_to("refused: "), "blue");
  haproxy_->behave();
  const auto recovered = shop_->command({"recover"});
  EXPECT_EQ(recovered.exit_code, 0) << recovered.json << recovered.errors;
  EXPECT_EQ(written_to("refused: "), "green");
  std::this_thread::sleep_for(1s);
  shop_->stop_load();
  const auto verdict = shop_->ledger("green");
  EXPECT_TRUE(verdict.is_clean()) << (verdict.examples.empty() ? "" : verdict.examples.front());
}

TEST_F(Haproxy, TheScriptRefusesWhatItDoesNotUnderstand) {
  const auto unknown = haproxy_->run_lead({"set", "purple"});
  EXPECT_EQ(unknown.exit_code, 2) << unknown.errors;
  const auto before = read(haproxy_->config());
  write(haproxy_->config(), replaced(before, "mode tcp", "mode tcpp"));
  const auto broken = haproxy_->run_lead({"set", "blue"});
  EXPECT_EQ(broken.exit_code, 1);
  EXPECT_NE(broken.errors.find("haproxy would refuse its file"), std::string::npos) << broken.errors;
  write(haproxy_->config(), replaced(before, " disabled", ""));
  const auto differs = haproxy_->run_lead({"show"});
  EXPECT_EQ(differs.exit_code, 1);
  EXPECT_NE(differs.errors.find("blue+green"), std::string::npos) << differs.errors;
  write(haproxy_->config(), replaced(before, "server green", "server red"));
  EXPECT_NE(haproxy_->run_lead({"show"}).errors.find("does not have one server"), std::string::npos);
  write(haproxy_->config(), before);
  EXPECT_EQ(haproxy_->run_lead({"set", "blue"}).exit_code, 0);
  EXPECT_EQ(read(haproxy_->config()), before);
}

}  // namespace
}  // namespace verdigris::test
