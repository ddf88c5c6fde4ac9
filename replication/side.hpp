// The two sides by their colour, as journal, playbook and operators name them: "blue" is where it all began, "green"
// where it leads. Plain values, for any thread.
#pragma once

#include <string>

namespace verdigris {

inline std::string other_side(const std::string& color) { return color == "blue" ? "green" : "blue"; }

}  // namespace verdigris
