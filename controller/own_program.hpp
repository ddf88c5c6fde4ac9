// A program of the operator is run with our rights: nobody else may be able to change it.
#pragma once

#include <optional>
#include <string>

namespace verdigris {

struct ProgramFlaw {
  std::string why;  // "is not there", to follow the program's name
  std::string hint;
};

std::optional<ProgramFlaw> flaw_of_program(const std::string& file);

}  // namespace verdigris
