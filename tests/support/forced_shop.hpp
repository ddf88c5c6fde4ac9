// A Shop of its own for each test, for tests that lose a server for good and go on without it; what they ask of both sides.
// Skipped where 15 or 17 is not installed.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "replication/fence.hpp"
#include "tests/support/shop.hpp"

namespace verdigris::test {

class ForcedShop : public testing::Test {
 protected:
  void SetUp() override {
    NEED_POSTGRES(15);
    NEED_POSTGRES(17);
    shop_.emplace(std::vector<std::pair<std::string, std::string>>{{"max_prepared_transactions", "4"}});
  }

  Answer force(const std::string& loss, const Environment& environment = {}) {
    return shop_->command({"rollback", "--force", "--accept-loss=" + loss, "--confirm", "shop"}, environment);
  }
  std::string ask(const std::string& color, const std::string& sql) {
    auto session = admin(shop_->server(color));
    return value(session, sql);
  }
  FenceState fence_of(const std::string& color) {
    auto session = admin(shop_->server(color));
    return fence_state(session, soon());
  }

  std::optional<Shop> shop_;
};

}  // namespace verdigris::test
