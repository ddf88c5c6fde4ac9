// A suite that stands between any two acts of the window, on a SmallShop of its own. Skipped where 15 or 17 is not
// installed.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tests/support/crossing.hpp"

namespace verdigris::test {

class Window : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (have_postgres(15) && have_postgres(17)) shop_ = std::make_unique<SmallShop>();
  }
  static void TearDownTestSuite() { shop_.reset(); }
  void SetUp() override {
    NEED_POSTGRES(15);
    NEED_POSTGRES(17);
    if (is_used_up_) shop_->begin_anew();
    is_used_up_ = false;
  }
  void end_session(const std::string& color, Server& server) {
    if (!server.is_connected()) return;
    shop_->ask(color, "SELECT pg_terminate_backend(" + std::to_string(server.control().backend_pid()) + ")");
  }
  void change_token() {
    shop_->ask("green", "UPDATE verdigris.identity SET token = reverse(token) RETURNING ''");
  }  // twice: as it was
  std::string rows_named(const std::string& color, const std::string& line) {
    return shop_->ask(color, "SELECT count(*) FROM public.log WHERE line = '" + line + "'");
  }
  void write_on_green(const std::string& line) {
    shop_->ask("green", "INSERT INTO public.log VALUES ('" + line + "') RETURNING ''");
  }

  const Stream back_ = Stream::leaving("green", "shop");
  inline static std::unique_ptr<SmallShop> shop_;
  inline static bool is_used_up_ = false;  // blue serves no more, or something else is not as it was
};

}  // namespace verdigris::test
