// What stops an apply worker for good and what does not, on several majors: found out here because a stream that ends with
// each restart of the publisher leaves a green that nobody can switch to.
#include <gtest/gtest.h>

#include "replication/apply_watch.hpp"
#include "replication/control_schema.hpp"
#include "replication/marker.hpp"
#include "replication/publication.hpp"
#include "replication/slot.hpp"
#include "replication/subscription.hpp"
#include "tests/support/cluster.hpp"

namespace verdigris::test {
namespace {

using namespace std::chrono_literals;

const Stream kStream = Stream::forward("shop");

// Quick to come back: up to 15 the launcher's interval is what a test waits for.
class ApplyWatching : public testing::TestWithParam<std::pair<int, int>> {
 protected:
  void SetUp() override {
    NEED_POSTGRES(GetParam().first);
    NEED_POSTGRES(GetParam().second);
    pair.emplace(GetParam().first, GetParam().second,
                 PairOptions{.fsync = Fsync::on, .settings = {{"wal_retrieve_retry_interval", "100ms"}}});
    pair->fresh_databases();
    green.emplace(side(pair->green(), "green"));
    auto blue = side(pair->blue(), "blue");
    install_control_schema(blue.control(), "shop", "blue", soon());
    install_control_schema(green->control(), "shop", "green", soon());
    for (Server* server : {&blue, &*green}) run(server->control(), "CREATE TABLE public.t (id int PRIMARY KEY)");
    ensure_publication(blue.control(), kStream, publishable(user_tables(blue.control(), soon())), soon());
    ensure_slot(blue.control(), kStream, soon());
    create_subscription(*green, kStream, pair->blue().conninfo("verdigris_repl", "shop"), blue.major(), false, ApplyAs::owners_of_tables, soon());
    enable_subscription(green->control(), kStream, soon());
  }

  std::int64_t write_on_blue() {
    auto blue = admin(pair->blue());
    return write_marker(blue, "blue", "test", soon());
  }

  std::optional<Pair> pair;
  std::optional<Server> green;
};

TEST_P(ApplyWatching, SurvivesACrashOfThePublisher) {
  ApplyWatch watch(*green, kStream);
  ASSERT_TRUE(watch.wait_for_marker(write_on_blue(), soon(), soon()));
  pair->blue().stop_immediate();
  pair->blue().start();
  EXPECT_TRUE(watch.wait_for_marker(write_on_blue(), soon(), soon()));
  EXPECT_TRUE(subscription_state(green->control(), kStream, soon()).is_enabled);
}

TEST_P(ApplyWatching, TellsAtOnceOfAChangeThatCannotBeApplied) {
  ApplyWatch watch(*green, kStream);
  ASSERT_TRUE(watch.wait_for_marker(write_on_blue(), soon(), soon()));
  run(green->control(), "INSERT INTO public.t VALUES (1)");
  auto blue = admin(pair->blue());
  run(blue, "INSERT INTO public.t VALUES (1)");
  try {
    watch.wait_for_marker(write_on_blue(), soon(), soon());
    FAIL() << "waited for a marker behind a conflict";
  } catch (const Error& error) {
    EXPECT_EQ(error.id(), "apply.failing");
    EXPECT_NE(std::string(error.what()).find("verdigris_shop_fwd"), std::string::npos) << error.what();
    EXPECT_FALSE(error.hint().empty());
  }
  run(green->control(), "DELETE FROM public.t");
  EXPECT_TRUE(ApplyWatch(*green, kStream).wait_for_marker(write_on_blue(), soon(), soon()));
}

TEST_P(ApplyWatching, OneFailureIsTooManyWhereClientsWait) {
  ApplyWatch watch(*green, kStream, 1);
  ASSERT_TRUE(watch.wait_for_marker(write_on_blue(), soon(), soon()));
  watch.require_applying(soon());
  run(green->control(), "INSERT INTO public.t VALUES (1)");
  auto blue = admin(pair->blue());
  run(blue, "INSERT INTO public.t VALUES (1)");
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_THROW(watch.wait_for_marker(write_on_blue(), soon(), soon()), Error);
  const auto took = std::chrono::steady_clock::now() - begin;
  EXPECT_TRUE(GetParam().second < 15 || took < 2s) << "not after a restart of the worker";
}

TEST_P(ApplyWatching, TellsOfADisabledSubscription) {
  disable_subscription(green->control(), kStream, soon());
  try {
    ApplyWatch(*green, kStream).require_applying(soon());
    FAIL() << "a disabled subscription passed";
  } catch (const Error& error) {
    EXPECT_EQ(error.id(), "apply.stopped");
  }
  EXPECT_FALSE(ApplyWatch(*green, kStream).wait_for_marker(1, Deadline::after(0ms), soon()));
}

INSTANTIATE_TEST_SUITE_P(Majors, ApplyWatching,
                         testing::Values(std::pair(15, 17), std::pair(13, 14), std::pair(17, 18)),
                         [](const auto& pair) {
                           return std::to_string(pair.param.first) + "to" + std::to_string(pair.param.second);
                         });

}  // namespace
}  // namespace verdigris::test
