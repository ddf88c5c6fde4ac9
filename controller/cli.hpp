// The command line: which commands there are, and how arguments become an Invocation. Changes nothing in the process.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "controller/invocation.hpp"
#include "controller/output.hpp"

namespace verdigris {

using RunCommand = int (*)(const Invocation&, Output&);

struct Help {
  std::string text;
};

// Arguments without the program's name. Throws Error (usage): "usage" for what cannot be parsed, its hint being the
// usage line; "number", "unit", "range", "value" for a value of an option.
std::variant<Invocation, Help> parse_command_line(const std::vector<std::string>& arguments);

// The command of a parsed Invocation.
RunCommand find_command(const Invocation& invocation);

}  // namespace verdigris
