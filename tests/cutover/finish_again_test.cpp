// After `finish`, what was not asked for then can still be asked for: opening blue, removing the journal. Nothing that
// was asked for is ignored, and a second time there is nothing left to do.
#include "replication/fence.hpp"
#include "tests/support/shop.hpp"

namespace verdigris::test {
namespace {

class FinishAgain : public testing::Test {
 protected:
  void SetUp() override {
    NEED_POSTGRES(15);
    NEED_POSTGRES(17);
    shop_.emplace();
    const auto crossed = shop_->cross("switch");
    ASSERT_EQ(crossed.exit_code, 0) << crossed.errors;
  }

  void finish(const std::vector<std::string>& more, const std::string& result, const std::string& blue) {
    std::vector<std::string> arguments{"finish", "--confirm", "shop"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const auto answer = shop_->command(arguments);
    EXPECT_EQ(answer.exit_code, 0) << answer.errors;
    EXPECT_EQ(answer.json.value("result", "?"), result) << answer.json;
    EXPECT_EQ(answer.json.value("blue", "?"), blue) << answer.json;
  }
  bool takes_writes(const std::string& color) {
    auto session = Connection::open_plain(shop_->server(color).conninfo("postgres", "shop"), {color, "client", false, {}}, soon());
    try {
      run(session, "UPDATE public.customers SET credit = credit WHERE false");
      return true;
    } catch (const ServerError&) {
      return false;
    }
  }
  bool has_schema(const std::string& color) {
    auto session = admin(shop_->server(color));
    return value(session, "SELECT to_regnamespace('verdigris') IS NOT NULL") == "t";
  }

  std::optional<Shop> shop_;
};

TEST_F(FinishAgain, OpensBlueAndRemovesTheJournal) {
  finish({"--now"}, "done", "closed");
  EXPECT_FALSE(takes_writes("blue"));
  finish({}, "nothing_to_do", "closed");
  finish({"--open-blue"}, "done", "open");
  EXPECT_TRUE(takes_writes("blue"));
  EXPECT_EQ(shop_->command({"status"}).json.at("also_open"), nullptr);
  EXPECT_EQ(shop_->command({"recover", "--yes"}).exit_code, 0);
  EXPECT_TRUE(takes_writes("blue")) << "recover closed what was opened by word";
  finish({"--open-blue"}, "nothing_to_do", "open");
  finish({"--purge"}, "done", "open");
  EXPECT_FALSE(has_schema("green"));
  EXPECT_FALSE(has_schema("blue"));
  EXPECT_TRUE(takes_writes("green"));
}

TEST_F(FinishAgain, OpensBlueAlsoAfterThePurge) {
  finish({"--now", "--purge"}, "done", "closed");
  EXPECT_FALSE(has_schema("green"));
  EXPECT_TRUE(has_schema("blue")) << "its fence is in it";
  EXPECT_FALSE(takes_writes("blue"));
  finish({}, "nothing_to_do", "closed");
  EXPECT_EQ(shop_->command({"recover", "--yes"}).exit_code, 0);
  finish({"--open-blue"}, "done", "open");
  EXPECT_TRUE(takes_writes("blue"));
  EXPECT_FALSE(has_schema("blue"));
}

}  // namespace
}  // namespace verdigris::test
