// One PgBouncer in front of blue, for tests of what the driver believes about the program itself: the one of this machine, or
// the one of scripts/test --pgbouncer. Used by one thread.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <thread>

#include "tests/support/pgbouncer_driver.hpp"

namespace verdigris::test {

class PgBouncerFacts : public testing::Test {
 protected:
  PgBouncerFacts() : pair_(shared_pair(15, 15)) {}

  void start(std::vector<std::pair<std::string, std::string>> settings = {}) {
    pooler_.emplace(pair_.pooler("p", {.settings = std::move(settings)}));
  }
  PgBouncerConsole console() const { return PgBouncerConsole::open("p", pooler_->admin(), soon()); }
  Connection client(const std::string& user = "app") const {
    return Connection::open_plain(pooler_->client(user, "shop"), {"client", "client", false, {}}, soon());
  }
  Connection open_transaction() const {
    auto session = client();
    session.execute(Sql("BEGIN"), soon());
    session.execute(Sql("SELECT 1"), soon());
    return session;
  }
  void pause() const {
    auto pausing = console();
    pausing.send_pause("shop", soon());
    EXPECT_EQ(pausing.receive_tag(soon()), "PAUSE");
  }
  bool is_paused() const { return console().database("shop", soon()).is_paused; }
  // With green in place of blue.
  std::string rerouted_file() const {
    const std::string file = read(pooler_->ini());
    return "[databases]\nshop = host=" + pair_.green().dir().string() + " port=5433 dbname=shop\n\n" +
           file.substr(file.find("[pgbouncer]"));
  }
  static std::string server_of(Connection& session) {
    return session.query(Sql("SELECT current_setting('cluster_name')"), soon()).one_row(1).text(0);
  }

  Pair& pair_;
  std::optional<PgBouncerProcess> pooler_;
};

// What RELOAD answers differs: up to 1.24 success, whatever the file says.
inline void reload_anyway(PgBouncerConsole console) {
  try {
    console.reload(soon());
  } catch (const ServerError&) {
    // 1.25 says that it failed
  }
}

}  // namespace verdigris::test
