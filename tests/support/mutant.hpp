// A safety act is left out while this lives, in this process and in those that are started meanwhile: the names of
// replication/test_switches.hpp, with commas between them. No thread may run that asks for them when it comes and goes.
#pragma once

#include <cstdlib>
#include <string>

namespace verdigris::test {

class Mutant {
 public:
  explicit Mutant(const std::string& names) { setenv("VERDIGRIS_MUTANT", names.c_str(), 1); }
  ~Mutant() { unsetenv("VERDIGRIS_MUTANT"); }
  Mutant(const Mutant&) = delete;
  Mutant& operator=(const Mutant&) = delete;
};

}  // namespace verdigris::test
