// Servers for tests. A Pair is blue and green of given majors with database `shop`, kept for the whole process, so that
// several tests share the start-up; each test takes a fresh, empty database. As root the servers run as nobody. Skips
// the test, with the reason, if a major is not on this machine.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "controller/sandbox/pgbouncer_process.hpp"
#include "controller/sandbox/postgres_server.hpp"
#include "controller/sandbox/roles.hpp"
#include "controller/sandbox/scratch_dir.hpp"
#include "replication/connection.hpp"
#include "replication/server.hpp"

namespace verdigris::test {

inline Deadline soon() {
  return Deadline::after(std::chrono::seconds(30));
}

class ScratchDir : public verdigris::ScratchDir {
 public:
  ScratchDir() : verdigris::ScratchDir("vgt-") {}
};

enum class Fsync { on, off };

struct PairOptions {
  Fsync fsync = Fsync::off;  // on where a test crashes servers: then nothing acknowledged may be lost
  std::vector<std::pair<std::string, std::string>> settings = {};  // of both servers
};

class Pair {
 public:
  Pair(int blue_major, int green_major, const PairOptions& options = {});
  PostgresServer& blue() { return blue_; }
  PostgresServer& green() { return green_; }
  const std::filesystem::path& dir() const { return dir_.path(); }

  // Drops `shop` on both sides with all slots, subscriptions and sessions in it, and creates it anew.
  void fresh_databases();
  // A pooler in front of blue's shop, started: the PgBouncer of this machine, or the one that $VERDIGRIS_PGBOUNCER names
  // (scripts/test --pgbouncer).
  PgBouncerProcess pooler(const std::string& name, const PoolerOptions& options = {});

 private:
  ScratchDir dir_;
  PostgresServer blue_;
  PostgresServer green_;
};

// The bindirs of this checkout's .toolchain, for tests that name none.
std::vector<std::filesystem::path> toolchain_bindirs();
bool have_postgres(int major);
// Started once per process and pair of majors (fsync off), with fresh databases each time it is asked for.
Pair& shared_pair(int blue_major, int green_major);

// A session as superuser verdigris on the server's shop; settings as the product's own sessions have them.
Connection admin(const PostgresServer& server, const std::string& dbname = "shop");
// The product's object for a side ("blue", "green"), connected.
Server side(const PostgresServer& server, const std::string& color, const std::string& deployment = "shop");
// For SQL that a test composes.
Result run(Connection& on, const std::string& sql);
std::string value(Connection& on, const std::string& sql);  // of one row with one column; "" for NULL

}  // namespace verdigris::test

// Used at the head of a test: NEED_POSTGRES(17).
#define NEED_POSTGRES(major)                  \
  if (!verdigris::test::have_postgres(major)) \
  GTEST_SKIP() << "PostgreSQL " << (major) << " is not on this machine; run scripts/bootstrap"
