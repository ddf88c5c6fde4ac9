// The published PgBouncer recipe as a contestant: the script bench/recipe, which says what it does and why it is fair.
#pragma once

#include "bench/contestant.hpp"

namespace verdigris::bench {

class Recipe : public Contestant {
 public:
  // `script` is bench/recipe.
  Recipe(World& world, const Scenario& scenario, std::filesystem::path script)
      : Contestant(world, scenario, "recipe", "shop_recipe"), script_(std::move(script)) {}
  // Comes after Program::prepare, which brings the application's roles to green.
  void prepare() override;

 protected:
  Crossing move(const std::string& from, const std::string& to) override;

 private:
  std::string run(const std::vector<std::string>& arguments) const;
  std::filesystem::path script_;
};

}  // namespace verdigris::bench
