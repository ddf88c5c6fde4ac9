// Two PgBouncer processes on one TCP port (so_reuseport, faults B14), through which clients reach one or the other: all
// are held, or a switch is refused before anybody is. So it is if the port is another process's alone.
#include <csignal>

#include "controller/sandbox/postgres_binaries.hpp"
#include "tests/support/pgbouncer_driver.hpp"

namespace verdigris::test {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

class PgBouncerSiblings : public PgBouncerDriver {
 protected:
  void SetUp() override {
    poolers_.push_back(pair_.pooler("a", {.settings = {{"so_reuseport", port_is_shared_ ? "1" : "0"}}}));
    start_sibling();
  }
  bool port_is_shared_ = true;
  std::string sibling_address_ = "127.0.0.1";
  void TearDown() override {
    if (sibling_) sibling_->stop(SIGTERM, soon());
    fs::remove_all(dir());
  }
  fs::path dir() const { return pair_.dir() / "sibling"; }
  PoolerInstance sibling() const {
    return {"sibling", poolers_[0].admin().with("host", dir().string()), dir() / "pgbouncer.ini"};
  }
  PoolerSettings both() const {
    auto all = settings();
    all.instances.push_back(sibling());
    return all;
  }
  bool is_paused(const PoolerInstance& instance) const {
    return PgBouncerConsole::open("test", instance.admin, soon()).database("shop", soon()).is_paused;
  }
  // By the port: whoever takes it.
  std::vector<Conninfo> by_port(int clients) const {
    return std::vector<Conninfo>(static_cast<std::size_t>(clients),
                                 poolers_[0].client("app", "shop").with("host", "127.0.0.1"));
  }

 private:
  // The files of the first, with a directory of its own.
  void start_sibling() {
    ServerUser().make_directory(dir());
    for (const char* name : {"pgbouncer.ini", "userlist.txt"}) {
      auto text = read(poolers_[0].dir() / name);
      const auto from = poolers_[0].dir().string();
      for (auto at = text.find(from); at != std::string::npos; at = text.find(from))
        text.replace(at, from.size(), dir().string());
      if (std::string(name) == "pgbouncer.ini") text = replaced(text, "listen_addr = 127.0.0.1", "listen_addr = " + sibling_address_);
      write(dir() / name, text);
      ServerUser().own(dir() / name);
    }
    const char* other = std::getenv("VERDIGRIS_PGBOUNCER");
    const std::string program = other != nullptr && *other != '\0' ? other : require_pgbouncer().string();
    const auto argv = ServerUser().argv({program, "-q", (dir() / "pgbouncer.ini").string()}, SIGTERM);
    sibling_.emplace(ChildProcess::start({.argv = argv, .death_signal = SIGTERM}));
    for (const auto deadline = soon();; std::this_thread::sleep_for(20ms)) {
      try {
        PgBouncerConsole::open("test", sibling().admin, soon());
        return;
      } catch (const CannotConnect&) {
        if (deadline.has_passed()) throw;
      }
    }
  }

  std::optional<ChildProcess> sibling_;
};

TEST_F(PgBouncerSiblings, OneThatThePlaybookDoesNotNameIsRefusedBeforeAnybodyIsHeld) {
  std::string text;
  EXPECT_EQ(refusal(settings(), &text), "pooler.siblings");
  EXPECT_EQ(text, "pooler a: 2 processes of this machine listen on port " + std::to_string(poolers_[0].port()) +
                      " with so_reuseport, the playbook names 1: clients of the others would not be held");
  PgBouncerTraffic traffic(settings());
  try {
    traffic.require_sound(blue(), 5s, soon());
    ADD_FAILURE() << "a dry run accepts it";
  } catch (const Refused& error) {
    EXPECT_EQ(error.id(), "pooler.siblings");
    EXPECT_NE(error.hint().find("pooler.instances"), std::string::npos) << error.hint();
  }
  EXPECT_FALSE(is_paused(settings().instances[0]));
}

// One that was left over has the port; what is asked by its unix socket serves nobody but by that.
class PgBouncerLeftOver : public PgBouncerSiblings {
 protected:
  PgBouncerLeftOver() { port_is_shared_ = false; }
};

TEST_F(PgBouncerLeftOver, ThatHasThePortIsRefusedBeforeAnybodyIsHeld) {
  EXPECT_NO_THROW(PgBouncerTraffic(settings()).require_sound(blue(), 5s, soon()));
  auto late = settings();
  late.instances = {sibling()};
  std::string text;
  EXPECT_EQ(refusal(late, &text), "pooler.port-taken");
  EXPECT_EQ(text, "pooler sibling: another process of this machine listens on its port " +
                      std::to_string(poolers_[0].port()) + ": clients that come by it would not be held");
  EXPECT_FALSE(is_paused(sibling()));
}

// The other one has one address, this one was to have all.
class PgBouncerLeftOverElsewhere : public PgBouncerLeftOver {
 protected:
  PgBouncerLeftOverElsewhere() { sibling_address_ = "*"; }
};

TEST_F(PgBouncerLeftOverElsewhere, ThatHasThePortOfOneAddressIsRefused) {
  auto late = settings();
  late.instances = {sibling()};
  EXPECT_EQ(refusal(late), "pooler.port-taken");
}

TEST_F(PgBouncerSiblings, BothNamedAreHeldAndMovedTogether) {
  Clients clients(by_port(8));
  ASSERT_TRUE(clients.wait_for("blue", 50));
  PgBouncerTraffic traffic(both());
  traffic.require_ready(blue(), 5s, soon());
  traffic.stage(green(), soon());
  traffic.pause(soon());
  for (const auto& instance : both().instances) EXPECT_TRUE(is_paused(instance)) << instance.name;
  const int before = clients.answers("blue");
  std::this_thread::sleep_for(100ms);
  EXPECT_EQ(clients.answers("blue"), before) << "somebody is served in the pause";
  traffic.point_to(green(), soon());
  traffic.resume(soon());
  ASSERT_TRUE(clients.wait_for("green", 50));
  const int of_blue = clients.answers("blue");
  ASSERT_TRUE(clients.wait_for("green", 50));
  EXPECT_EQ(clients.answers("blue"), of_blue);
  clients.stop();
  EXPECT_EQ(clients.errors(), 0);
}

}  // namespace
}  // namespace verdigris::test
