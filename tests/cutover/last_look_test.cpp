// What was true when a crossing was begun is asked again in the last step before clients wait, of the side that serves
// now and the one that shall: a refusal there costs nobody anything.
#include "tests/support/pgbouncer_driver.hpp"
#include "tests/support/shop.hpp"

namespace verdigris::test {
namespace {

class LastLook : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    const std::vector<std::pair<std::string, std::string>> settings{{"max_prepared_transactions", "4"}};
    if (have_postgres(15) && have_postgres(17)) shop_ = new Shop(settings);
  }
  static void TearDownTestSuite() { delete shop_; }
  void SetUp() override {
    NEED_POSTGRES(15);
    NEED_POSTGRES(17);
  }

  static std::string serving(const std::string& command) { return command == "switch" ? "blue" : "green"; }

  // Exit code 3, in its own words, and no client had to wait.
  void expect_refused(const std::string& command, const std::string& why, const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments{command, "--confirm", "shop"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const auto answer = shop_->command(arguments);
    EXPECT_EQ(answer.exit_code, 3) << answer.json << answer.errors;
    EXPECT_NE(answer.json.value("reason", "?").find(why), std::string::npos) << answer.json << answer.errors;
    const auto hint = answer.json.value("hint", "");
    EXPECT_NE(hint, "");
    if (command == "rollback") {
      EXPECT_EQ(hint.find("verdigris prepare"), std::string::npos) << "not possible now: " << hint;
    }
    auto side = admin(shop_->server(serving(command)));
    EXPECT_EQ(value(side, R"(SELECT count(*) FROM verdigris.journal WHERE event = 'begin'
                             AND detail->>'step' = 'pause_traffic' AND seq >
                             (SELECT max(seq) FROM verdigris.journal WHERE event = 'plan'))"),
              "0");
    const auto scene = shop_->scene();
    EXPECT_EQ(scene.serves, serving(command));
    EXPECT_EQ(scene.activity, "none");
  }

  static Shop* shop_;
};

Shop* LastLook::shop_ = nullptr;

TEST_F(LastLook, RefusesBeforeAnybodyWaitsInBothDirections) {
  for (const std::string command : {"switch", "rollback"}) {
    SCOPED_TRACE(command);
    {
      auto source = admin(shop_->server(serving(command)));
      run(source, "CREATE TABLE public.born_late (id int PRIMARY KEY)");
      expect_refused(command, "public.born_late");
      run(source, "DROP TABLE public.born_late");

      run(source, "BEGIN");
      run(source, "SELECT pg_current_xact_id()");
      run(source, "PREPARE TRANSACTION 'late'");
      expect_refused(command, "fence.prepared");
      run(source, "ROLLBACK PREPARED 'late'");

      run(source, "CREATE SUBSCRIPTION late CONNECTION 'host=/nowhere dbname=x user=x' PUBLICATION p "
                  "WITH (connect = false, slot_name = 'late')");
      run(source, "ALTER SUBSCRIPTION late ENABLE");
      expect_refused(command, "repl.inbound");
      run(source, "ALTER SUBSCRIPTION late DISABLE");
      run(source, "ALTER SUBSCRIPTION late SET (slot_name = NONE)");
      run(source, "DROP SUBSCRIPTION late");
    }
    const auto crossed = shop_->cross(command);
    ASSERT_EQ(crossed.exit_code, 0) << crossed.errors;
  }
}

// The poolers' time-outs against what was asked for on the command line, not against the playbook.
TEST_F(LastLook, MeasuresThePoolersAgainstThePauseThatWasAskedFor) {
  expect_refused("switch", "query_wait_timeout", {"--max-pause", "150s"});
}

}  // namespace
}  // namespace verdigris::test
