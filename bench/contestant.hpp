// Somebody who can move a database and back. Each has a database and poolers of its own, equal in all, on the servers
// that all share, so that none meets what another has laid (fences, publications, slots), and all meet the same
// machine. Owned by one thread.
#pragma once

#include <deque>
#include <string>

#include "bench/figures.hpp"
#include "bench/scenario.hpp"
#include "bench/world.hpp"
#include "controller/sandbox/pgbouncer_process.hpp"

namespace verdigris::bench {

class Contestant {
 public:
  Contestant(World& world, const Scenario& scenario, std::string name, std::string database);
  virtual ~Contestant() = default;
  Contestant(const Contestant&) = delete;
  Contestant& operator=(const Contestant&) = delete;

  // Fills blue, makes green follow. Outside of what is measured.
  virtual void prepare() = 0;
  // Moves clients to the other side, ready to move back. Not done: everything is as before, and Crossing says why.
  Crossing cross();

  const std::string& name() const { return name_; }
  const std::string& database() const { return database_; }
  const std::string& serves() const { return serves_; }
  const Scenario& scenario() const { return scenario_; }
  // A directory for each pooler, as `sandbox load --dir` reads it.
  std::vector<std::filesystem::path> pooler_dirs() const;

 protected:
  virtual Crossing move(const std::string& from, const std::string& to) = 0;
  void create_database(const std::string& color);

  World& world_;
  const Scenario& scenario_;
  std::deque<PgBouncerProcess> poolers_;

 private:
  std::string name_, database_;
  std::string serves_ = "blue";
};

}  // namespace verdigris::bench
