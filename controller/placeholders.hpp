// Placeholders in the arguments of a command: {target_host}, {target_port}, {database}, {color}. They are replaced inside
// one argument, so a value can never become two arguments or a word of a shell. Pure functions, any thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "controller/traffic.hpp"

namespace verdigris {

// The names in braces, in order: "{a}x{b}" has a and b. Other braces are text.
std::vector<std::string> placeholders_in(const std::string& argument);
const std::vector<std::string>& known_placeholders();
// Whether it reads differently for blue and for green.
bool tells_sides_apart(const std::string& argument);
// What the target puts in is not looked at again.
std::string fill_placeholders(const std::string& argument, const Endpoint& target);

}  // namespace verdigris
