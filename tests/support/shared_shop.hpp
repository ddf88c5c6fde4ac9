// A suite whose tests share one Shop: what one leaves behind is what the next one starts from, as in life. One such suite a
// program. Skipped where 15 or 17 is not installed.
#pragma once

#include <gtest/gtest.h>

#include <memory>

#include "tests/support/pgbouncer_driver.hpp"
#include "tests/support/shop.hpp"

namespace verdigris::test {

class SharedShop : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (have_postgres(15) && have_postgres(17)) shop_ = std::make_unique<Shop>();
  }
  static void TearDownTestSuite() { shop_.reset(); }
  void SetUp() override {
    NEED_POSTGRES(15);
    NEED_POSTGRES(17);
  }

  inline static std::unique_ptr<Shop> shop_;
};

// Each test may change the playbook; the next one finds it as it was.
class SharedShopWithPlaybook : public SharedShop {
 protected:
  void SetUp() override {
    SharedShop::SetUp();
    if (IsSkipped()) return;
    original_ = read(shop_->playbook());
  }
  void TearDown() override {
    if (!original_.empty()) write(shop_->playbook(), original_);
  }

  std::string original_;
};

}  // namespace verdigris::test
