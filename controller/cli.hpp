// The command line: which commands there are, and how arguments become an Invocation. Changes nothing in the process.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "controller/invocation.hpp"
#include "controller/output.hpp"
#include "replication/errors.hpp"

namespace verdigris {

using RunCommand = int (*)(const Invocation&, Output&);

// A command line that cannot be carried out, with the command that it was for: its document must be of that command.
class CommandLineError : public Error {
 public:
  CommandLineError(const Error& error, std::string command)
      : Error(error.id(), error.what(), error.hint(), Failure::usage), command_(std::move(command)) {}
  const std::string& command() const { return command_; }  // empty if none was recognised

 private:
  std::string command_;
};

struct Help {
  std::string text;
};

// Arguments without the program's name. Throws CommandLineError: "usage" for what cannot be parsed, its hint being the
// usage line; "number", "unit", "range", "value" for a value of an option.
std::variant<Invocation, Help> parse_command_line(const std::vector<std::string>& arguments);

// The command of a parsed Invocation.
RunCommand find_command(const Invocation& invocation);

}  // namespace verdigris
