// verdigris itself as a contestant: the program at hand, through its own commands, as an operator calls it.
#pragma once

#include "bench/contestant.hpp"

namespace verdigris::bench {

// The program of the build this bench belongs to.
std::filesystem::path program_path();

class Program : public Contestant {
 public:
  Program(World& world, const Scenario& scenario) : Contestant(world, scenario, "verdigris", "shop") {}
  void prepare() override;

 protected:
  Crossing move(const std::string& from, const std::string& to) override;

 private:
  std::filesystem::path playbook() const { return world_.dir() / "verdigris.yaml"; }
  void write_playbook() const;
};

}  // namespace verdigris::bench
