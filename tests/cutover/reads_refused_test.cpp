// Readers who are not led to green, or brought back from it: a green that lags, has a hole in its fence, is gone or turns
// them away; and what the playbook must say of them.
#include <filesystem>

#include "tests/support/readers_shop.hpp"

namespace verdigris::test {
namespace {

using namespace std::chrono_literals;

using RefusedReads = ReadersShop;

TEST_F(RefusedReads, AreNotLedToAGreenThatLags) {
  auto locker = admin(shop_->server("green"));
  run(locker, "BEGIN");
  run(locker, "LOCK TABLE public.customers IN ACCESS EXCLUSIVE MODE");
  EXPECT_EQ(said_to_writer("shop"), "accepted");
  const auto began = Deadline::Clock::now();
  const auto refused = move("switch");
  EXPECT_LT(Deadline::Clock::now() - began, 30s);
  run(locker, "ROLLBACK");
  EXPECT_EQ(refused.exit_code, 3) << refused.json << refused.errors;
  EXPECT_NE(refused.errors.find("KiB"), std::string::npos) << refused.errors;
  expect_readers("blue");
  EXPECT_EQ(shop_->difference_after_marker("blue", "green"), "");
  const auto there = move("switch");
  EXPECT_EQ(there.exit_code, 0) << there.errors;
}

TEST_F(RefusedReads, AreNotLedToAGreenWithAHoleInItsFence) {
  auto green = admin(shop_->server("green"));
  run(green, "ALTER TABLE public.customers DISABLE TRIGGER verdigris_fence");
  const auto refused = move("switch");
  run(green, "ALTER TABLE public.customers ENABLE TRIGGER verdigris_fence");
  EXPECT_EQ(refused.exit_code, 3) << refused.json << refused.errors;
  EXPECT_NE(refused.errors.find("customers"), std::string::npos) << refused.errors;
  expect_readers("blue");
}

TEST_F(RefusedReads, AreBroughtBackFromAGreenThatIsGone) {
  ASSERT_EQ(move("switch").exit_code, 0);
  shop_->server("green").stop_immediate();
  const auto back = move("rollback");
  EXPECT_EQ(back.exit_code, 0) << back.json << back.errors;
  EXPECT_EQ(side_of("shop_ro"), "blue");
  Clients clients(readers());
  EXPECT_TRUE(clients.wait_for("blue", 20));
  clients.stop();
  shop_->server("green").start();
  EXPECT_FALSE(is_shut("green"));
  EXPECT_NE(fence_of("green"), FenceState::open);
  const auto early = shop_->command({"switch", "--confirm", "shop"});
  EXPECT_EQ(early.exit_code, 3) << early.json;
  EXPECT_NE(early.errors.find("verdigris recover"), std::string::npos) << early.errors;
  EXPECT_EQ(shop_->command({"recover", "--yes"}).exit_code, 0);
  expect_readers("blue");
}

TEST_F(RefusedReads, AreBroughtBackFromAGreenThatTurnsThemAway) {
  auto green = admin(shop_->server("green"));
  run(green, "ALTER ROLE app NOLOGIN");
  Clients clients(readers());
  ASSERT_TRUE(clients.wait_for("blue", 20));
  const auto there = move("switch");
  EXPECT_EQ(there.exit_code, 5) << there.json << there.errors;
  EXPECT_NE(there.errors.find("gets no server connection"), std::string::npos) << there.errors;
  run(green, "ALTER ROLE app LOGIN");
  expect_readers("blue");
  EXPECT_TRUE(clients.wait_for("blue", 20)) << "served again";
  clients.stop();
  EXPECT_FALSE(std::filesystem::exists(shop_->pooler().ini().string() + ".verdigris-staged"));
}

TEST_F(RefusedReads, AreLetInAlsoWhereTheLimitWasChangedByHand) {
  auto green = admin(shop_->server("green"));
  run(green, "ALTER DATABASE shop CONNECTION LIMIT -1");
  const auto refused = shop_->command({"switch", "--confirm", "shop"});
  EXPECT_EQ(refused.exit_code, 3) << "no switch to a target with an open door: " << refused.json;
  Clients clients(readers());
  ASSERT_TRUE(clients.wait_for("blue", 20));
  EXPECT_EQ(move("switch").exit_code, 0);
  EXPECT_TRUE(clients.wait_for("green", 20));
  expect_readers("green");
  EXPECT_EQ(move("rollback").exit_code, 0);
  EXPECT_TRUE(clients.wait_for("blue", 20));
  expect_readers("blue");
  clients.stop();
  EXPECT_EQ(clients.errors(), 0);
}

TEST_F(RefusedReads, MustBeNamedInThePlaybookAndKnownToThePooler) {
  const auto with = read(shop_->playbook());
  write(shop_->playbook(), original_);
  const auto none = move("switch");
  EXPECT_EQ(none.exit_code, 3);
  EXPECT_NE(none.errors.find("pooler.reads"), std::string::npos) << none.errors;
  write(shop_->playbook(), replaced(with, "[shop_ro]", "[nowhere]"));
  const auto absent = move("switch");
  EXPECT_EQ(absent.exit_code, 3);
  EXPECT_NE(absent.errors.find("\"nowhere\""), std::string::npos) << absent.errors;
  EXPECT_EQ(shop_->command({"check"}).exit_code, 3);
  write(shop_->playbook(), replaced(with, "[shop_ro]", "[shop]"));
  EXPECT_EQ(move("switch").exit_code, 2);
  write(shop_->playbook(), with);
  expect_readers("blue");
}

}  // namespace
}  // namespace verdigris::test
