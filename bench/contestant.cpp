#include "bench/contestant.hpp"

#include "bench/cpu_time.hpp"
#include "controller/sandbox/sandbox_state.hpp"
#include "replication/side.hpp"

namespace verdigris::bench {

using namespace std::chrono_literals;

Contestant::Contestant(World& world, const Scenario& scenario, std::string name, std::string database)
    : world_(world), scenario_(scenario), name_(std::move(name)), database_(std::move(database)) {
  const auto& tls = world_.tls();
  for (int i = 0; i < scenario_.poolers; ++i) {
    const auto dir = world_.dir() / (name_.substr(0, 1) + std::to_string(i));
    poolers_.push_back(PgBouncerProcess::create(
        dir, world_.conninfo("blue", "app", database_),
        {.settings = tls ? tls->pooler_settings() : std::vector<std::pair<std::string, std::string>>{}}));
    auto& pooler = poolers_.back();
    pooler.start();
    write_state({.dir = dir,
                 .phase = "ready",
                 .blue = world_.described("blue"),
                 .green = world_.described("green"),
                 .pooler = {0, "", pooler.pid(), tls ? "127.0.0.1" : dir.string(), pooler.port()},
                 .passfile = pooler.passfile()});
  }
}

std::vector<std::filesystem::path> Contestant::pooler_dirs() const {
  std::vector<std::filesystem::path> result;
  for (const auto& pooler : poolers_) result.push_back(pooler.dir());
  return result;
}

Crossing Contestant::cross() {
  const double before = cpu_seconds_of_children();
  Crossing crossing = move(serves_, other_side(serves_));
  crossing.cpu_seconds = cpu_seconds_of_children() - before;
  if (crossing.is_done) serves_ = other_side(serves_);
  return crossing;
}

void Contestant::create_database(const std::string& color) {
  world_.session(color, "postgres")
      .execute(Sql("CREATE DATABASE {} TEMPLATE template0", Identifier(database_)), Deadline::after(60s));
}

}  // namespace verdigris::bench
