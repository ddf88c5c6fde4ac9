// The poolers of PgBouncerDriver with an included file each, into which their databases can be adopted.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "controller/pgbouncer_adoption.hpp"
#include "tests/support/pgbouncer_driver.hpp"

namespace verdigris::test {

class AdoptedPoolers : public PgBouncerDriver {
 protected:
  PoolerInstance instance(std::size_t which = 0) const {
    const auto& pooler = poolers_[which];
    return {pooler.dir().filename(), pooler.admin(), pooler.ini(), included(which)};
  }
  std::filesystem::path included(std::size_t which = 0) const { return poolers_[which].dir() / "verdigris" / "shop.ini"; }
  std::filesystem::path main(std::size_t which = 0) const { return poolers_[which].ini(); }
  PoolerSettings adopted_settings() const {
    auto all = settings();
    for (std::size_t i = 0; i < all.instances.size(); ++i) all.instances[i] = instance(i);
    return all;
  }
  void adopt(std::size_t which = 0, const std::vector<std::string>& aliases = {"shop"}) const {
    PgBouncerAdoption adoption(instance(which), aliases);
    adoption.look(soon());
    EXPECT_FALSE(adoption.is_adopted());
    adoption.apply(soon());
  }
};

}  // namespace verdigris::test
