// Questions to the person at the keyboard. Asked only if stdin and stderr are terminals; otherwise the flag that
// answers is named and the command ends with exit code 2.
#pragma once

#include <iosfwd>
#include <string>

#include "controller/invocation.hpp"
#include "controller/output.hpp"

namespace verdigris {

// The name of the deployment must be typed, or given by --confirm. A dry run needs none. Throws Error (usage).
void require_confirmation(const Invocation& invocation, const std::string& deployment, Output& output);
void require_confirmation(const Invocation& invocation, const std::string& deployment, Output& output, bool is_terminal,
                          std::istream& keyboard);

// A lesser question, which --yes answers. False if the person says no; throws Error (usage) if nobody can be asked.
bool is_agreed(const Invocation& invocation, const std::string& question, Output& output);

}  // namespace verdigris
