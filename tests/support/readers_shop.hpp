// A Shop whose readers have a name of their own at the pooler, shop_ro. Each test begins, and leaves, with all on blue.
// Skipped where 15 or 17 is not installed. One for all tests of a program, which run one after the other.
#pragma once

#include <string>
#include <vector>

#include "replication/access.hpp"
#include "replication/fence.hpp"
#include "tests/support/shared_shop.hpp"

namespace verdigris::test {

inline constexpr const char* kWriteOfReader = "UPDATE public.customers SET credit = credit WHERE id = 150";

class ReadersShop : public SharedShopWithPlaybook {
 protected:
  void SetUp() override {
    SharedShopWithPlaybook::SetUp();
    if (IsSkipped()) return;
    write(shop_->playbook(), replaced(original_, "databases: [shop]", "databases: [shop]\n  reads: [shop_ro]"));
    const auto file = read(shop_->pooler().ini());
    if (file.find("shop_ro") != std::string::npos) return;
    write(shop_->pooler().ini(), replaced(file, "[databases]\n", "[databases]\nshop_ro = host=" + shop_->server("blue").dir().string() +
                                                                    " port=5432 dbname=shop pool_size=5\n"));
    console().reload(soon());
  }
  void TearDown() override {
    if (IsSkipped()) return;
    if (shop_->has_load()) shop_->stop_load();
    bring_all_to_blue();
    SharedShopWithPlaybook::TearDown();
  }

  static PgBouncerConsole console() { return PgBouncerConsole::open("shop", shop_->pooler().admin(), soon()); }
  static Conninfo reader() { return shop_->pooler().client("app", "shop_ro"); }
  static std::vector<Conninfo> readers() { return {reader(), reader(), reader()}; }
  static Answer move(const char* command, const Environment& environment = {}) {
    return shop_->command({command, "--traffic", "reads", "--confirm", "shop"}, environment);
  }
  static void bring_all_to_blue() {
    shop_->command({"recover", "--yes"});
    if (shop_->serving() == "green") {
      EXPECT_EQ(shop_->cross("rollback").exit_code, 0);
    }
    const auto answer = move("rollback");
    EXPECT_EQ(answer.exit_code, 0) << answer.errors;
    expect_readers("blue");
  }

  static std::string side_of(const std::string& alias) {
    return console().database(alias, soon()).target.host == shop_->server("blue").dir().string() ? "blue" : "green";
  }
  static bool is_shut(const std::string& color) {
    auto session = admin(shop_->server(color));
    return is_access_closed(session, "shop", soon());
  }
  static std::string limit_of(const std::string& color) {
    auto session = admin(shop_->server(color));
    return value(session, "SELECT datconnlimit FROM pg_database WHERE datname = 'shop'");
  }
  static FenceState fence_of(const std::string& color) {
    auto session = admin(shop_->server(color));
    return fence_state(session, soon());
  }
  static std::string said_to_writer(const std::string& alias) {
    auto session = Connection::open_plain(shop_->pooler().client("app", alias), {"client", "writer", false, {}}, soon());
    try {
      run(session, kWriteOfReader);
      return "accepted";
    } catch (const ServerError& error) {
      return error.what();
    }
  }
  static std::string status_of(const char* key) {
    const auto answer = shop_->command({"status"});
    return answer.json.contains(key) && answer.json.at(key).is_string() ? answer.json.at(key).get<std::string>() : answer.json.dump();
  }

  // Blue serves; readers are on a side, and that side alone decides who may connect to green. Whatever: nobody writes there.
  static void expect_readers(const std::string& color) {
    EXPECT_EQ(side_of("shop"), "blue");
    EXPECT_EQ(side_of("shop_ro"), color);
    EXPECT_EQ(is_shut("green"), color == "blue");
    EXPECT_EQ(limit_of("green"), color == "blue" ? "0" : "-1");
    EXPECT_TRUE(fence_of("green") == FenceState::following || fence_of("green") == FenceState::closed);
    EXPECT_EQ(fence_of("blue"), FenceState::open);
    EXPECT_FALSE(is_shut("blue"));
    const auto answer = shop_->command({"status"});
    EXPECT_EQ(answer.json.value("reads", "?"), color) << answer.json;
    EXPECT_EQ(answer.json.value("serves", "?"), "blue");
    EXPECT_EQ(answer.json.value("activity", "?"), "none");
    EXPECT_TRUE(answer.json.at("also_open").is_null());
  }

  static void expect_no_loss(const std::string& color) {
    const auto load = shop_->stop_load();
    EXPECT_EQ(load.value("client_errors", -1), 0) << load;
    const auto verdict = shop_->ledger(color);
    EXPECT_TRUE(verdict.is_clean()) << testing::PrintToString(verdict.examples) << " lost " << verdict.lost;
  }
};

}  // namespace verdigris::test
