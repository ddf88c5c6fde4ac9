// Two texts as `diff -U0` shows them, with passwords blotted out.
#pragma once

#include <string>
#include <string_view>

namespace verdigris {

// Empty for equal texts.
std::string unified_diff(const std::string& name, std::string_view before, std::string_view after);

// "password=*** host=db1": whatever a line gives to a key that ends in "password".
std::string without_passwords(std::string_view line);

}  // namespace verdigris
