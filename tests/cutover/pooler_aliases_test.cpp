// Two names of the database at one pooler: held, moved and let go together, there and back under load, in place and adopted;
// and a transaction through one of them keeps neither waiting longer than the budget.
#include <atomic>
#include <thread>

#include "tests/support/shared_shop.hpp"

namespace verdigris::test {
namespace {

using namespace std::chrono_literals;

constexpr const char* kCustomer = "150";  // no other writer touches it

// Writes through the second name, one transaction after the other; an error is a test failure.
class SecondWriter {
 public:
  explicit SecondWriter(const Conninfo& through) : thread_([this, through] { run(through); }) {}
  ~SecondWriter() { stop(); }
  int stop() {
    is_over_ = true;
    if (thread_.joinable()) thread_.join();
    return acknowledged_;
  }

 private:
  void run(const Conninfo& through) {
    try {
      auto session = Connection::open_plain(through, {"client", "second", false, {}}, soon());
      for (; !is_over_; ++acknowledged_) {
        verdigris::test::run(session, std::string("UPDATE public.customers SET credit = credit + 1 WHERE id = ") + kCustomer);
        std::this_thread::sleep_for(5ms);
      }
    } catch (const Error& error) {
      ADD_FAILURE() << "the second writer saw: " << error.what();
    }
  }

  std::atomic<bool> is_over_ = false;
  std::atomic<int> acknowledged_ = 0;
  std::thread thread_;
};

class PoolerAliases : public SharedShopWithPlaybook {
 protected:
  void SetUp() override {
    SharedShopWithPlaybook::SetUp();
    if (IsSkipped()) return;
    write(shop_->playbook(), replaced(original_, "databases: [shop]", "databases: [shop, shop_app]"));
    const auto file = read(shop_->pooler().ini());
    if (file.find("shop_app") != std::string::npos || file.find("%include") != std::string::npos) return;
    write(shop_->pooler().ini(), replaced(file, "[databases]\n", "[databases]\nshop_app = host=" + shop_->server("blue").dir().string() +
                                                                    " port=5432 dbname=shop pool_size=5\n"));
    console().reload(soon());
  }
  static PgBouncerConsole console() { return PgBouncerConsole::open("shop", shop_->pooler().admin(), soon()); }
  static Conninfo second() { return shop_->pooler().client("app", "shop_app"); }
  static long credit(const std::string& color) {
    auto session = admin(shop_->server(color));
    return std::stol(value(session, std::string("SELECT credit::bigint FROM public.customers WHERE id = ") + kCustomer));
  }
  static std::string target(const std::string& alias) { return console().database(alias, soon()).target.host; }

  void expect_there_and_back() {
    const long before = credit("blue");
    shop_->start_load();
    SecondWriter writer(second());
    Clients readers({second(), second()});
    for (const auto& [command, color] : {std::pair{"switch", "green"}, std::pair{"rollback", "blue"}}) {
      const auto answer = shop_->cross(command);
      EXPECT_EQ(answer.exit_code, 0) << answer.json << answer.errors;
      for (const char* alias : {"shop", "shop_app"}) EXPECT_EQ(target(alias), shop_->server(color).dir().string()) << alias;
      EXPECT_TRUE(readers.wait_for(color, 20));
    }
    readers.stop();
    EXPECT_EQ(readers.errors(), 0);
    const int acknowledged = writer.stop();
    EXPECT_GT(acknowledged, 0);
    const auto load = shop_->stop_load();
    EXPECT_EQ(load.value("client_errors", -1), 0) << load;
    EXPECT_EQ(credit("blue") - before, acknowledged);
    EXPECT_EQ(shop_->ledger("blue").lost, 0);
    EXPECT_EQ(shop_->difference_after_marker("blue", "green"), "");
    EXPECT_EQ(credit("green"), credit("blue"));
  }
};

TEST_F(PoolerAliases, CrossThereAndBackTogetherUnderLoad) { expect_there_and_back(); }

TEST_F(PoolerAliases, ATransactionThroughOneOfThemEndsTheWaitOfBoth) {
  write(shop_->playbook(), replaced(replaced(read(shop_->playbook()), "max_pause: 10s", "max_pause: 1s"), "  databases:",
                                    "  pause: { timeout: 700ms }\n  databases:"));
  Clients clients({shop_->pooler().client("app", "shop"), second()});
  ASSERT_TRUE(clients.wait_for("blue", 20));
  for (const char* alias : {"shop", "shop_app"}) {
    auto blocker = Connection::open_plain(shop_->pooler().client("app", alias), {"client", "report", false, {}}, soon());
    run(blocker, "BEGIN");
    run(blocker, "SELECT count(*) FROM public.customers");
    const auto answer = shop_->command({"switch", "--confirm", "shop"});
    EXPECT_EQ(answer.exit_code, 5) << answer.json << answer.errors;
    EXPECT_EQ(answer.json.value("reason_id", "?"), "pooler.pause-timeout") << answer.json;
    EXPECT_NE(answer.json.value("reason", "").find("of app at \"" + std::string(alias) + "\" for "), std::string::npos) << answer.json;
    for (const char* each : {"shop", "shop_app"}) EXPECT_FALSE(console().database(each, soon()).is_paused) << each;
    ASSERT_TRUE(clients.wait_for("blue", 20));
    run(blocker, "COMMIT");
  }
  clients.stop();
  EXPECT_EQ(clients.errors(), 0);
  EXPECT_LT(clients.longest(), 3s);
}

TEST_F(PoolerAliases, CrossThereAndBackOnceAdopted) {
  const auto adopted = shop_->command({"pooler", "adopt", "--yes"});
  ASSERT_EQ(adopted.exit_code, 0) << adopted.json << adopted.errors;
  const std::string main_file = read(shop_->pooler().ini());
  expect_there_and_back();
  EXPECT_EQ(read(shop_->pooler().ini()), main_file);
}

}  // namespace
}  // namespace verdigris::test
