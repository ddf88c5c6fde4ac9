// `abandon` changes nothing before it may: not without permission, not without the name, not on another server. A signal
// ends it between two steps, and a second one carries it to its end.
#include <signal.h>

#include <thread>

#include "tests/support/pgbouncer_driver.hpp"
#include "tests/support/shared_shop.hpp"

namespace verdigris::test {
namespace {

using namespace std::chrono_literals;

class Abandon : public SharedShop {
 protected:
  static bool has_schema(const std::string& color) {
    auto session = admin(shop_->server(color));
    return value(session, "SELECT to_regnamespace('verdigris') IS NOT NULL") == "t";
  }
  // Refused, and green, which lost its schema, did not get one from us.
  static void expect_refused_untouched(const std::vector<std::string>& arguments, int exit_code) {
    const auto answer = shop_->command(arguments);
    EXPECT_EQ(answer.exit_code, exit_code) << answer.errors;
    EXPECT_FALSE(has_schema("green")) << "installed before it was allowed";
  }
};

TEST_F(Abandon, InstallsNothingBeforeItMay) {
  {
    auto green = admin(shop_->server("green"));
    run(green, "ALTER SCHEMA verdigris RENAME TO elsewhere");
  }
  expect_refused_untouched({"abandon"}, 2);
  expect_refused_untouched({"abandon", "--confirm", "other"}, 2);
  {
    auto blue = admin(shop_->server("blue"));
    const auto token = value(blue, "SELECT token FROM verdigris.identity");
    run(blue, "UPDATE verdigris.identity SET token = 'another'");
    expect_refused_untouched({"abandon", "--confirm", "shop"}, 6);
    run(blue, "UPDATE verdigris.identity SET token = '" + token + "'");
  }
  auto green = admin(shop_->server("green"));
  run(green, "ALTER SCHEMA elsewhere RENAME TO verdigris");
}

TEST_F(Abandon, IsEndedByASignalAndCarriedOnByASecondOne) {
  auto client = admin(shop_->server("blue"));
  run(client, "BEGIN");
  run(client, "LOCK TABLE public.customers IN ACCESS SHARE MODE");  // no trigger can be dropped
  auto abandoning = ChildProcess::start({.argv = shop_->program({"abandon", "--confirm", "shop"}),
                                         .output = shop_->dir() / "abandon.out",
                                         .errors = shop_->dir() / "abandon.err"});
  auto watcher = admin(shop_->server("blue"));
  const auto deadline = Deadline::after(30s);
  while (value(watcher, "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'public.customers'::regclass") == "0") {
    ASSERT_FALSE(deadline.has_passed()) << read(shop_->dir() / "abandon.err");
    std::this_thread::sleep_for(2ms);
  }
  abandoning.send(SIGINT);
  std::this_thread::sleep_for(100ms);
  EXPECT_TRUE(abandoning.is_running()) << "in the midst of a step";
  run(client, "COMMIT");
  ASSERT_TRUE(abandoning.wait_end(Deadline::after(30s)));
  EXPECT_EQ(abandoning.exit_code(), 130) << read(shop_->dir() / "abandon.err");
  EXPECT_TRUE(has_schema("blue"));
  const auto plan = shop_->command({"plan"}).json;
  EXPECT_EQ(plan.value("command", "?"), "abandon") << plan;
  const auto answer = shop_->command({"abandon", "--confirm", "shop"});
  EXPECT_EQ(answer.exit_code, 0) << answer.errors;
  EXPECT_FALSE(has_schema("blue"));
  EXPECT_FALSE(has_schema("green"));
}

}  // namespace
}  // namespace verdigris::test
