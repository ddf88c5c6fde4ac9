#include "controller/placeholders.hpp"

#include <algorithm>
#include <functional>

namespace verdigris {
namespace {

bool is_name(const std::string& text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
}

// Hands each name in braces to `value`, which says what stands in its place.
std::string replaced(const std::string& argument, const std::function<std::string(const std::string&)>& value) {
  std::string result;
  std::size_t at = 0;
  while (at < argument.size()) {
    const auto open = argument.find('{', at);
    const auto close = open == std::string::npos ? open : argument.find('}', open);
    if (close == std::string::npos) break;
    const auto name = argument.substr(open + 1, close - open - 1);
    if (!is_name(name)) {  // "{{color}" has a name further on
      result += argument.substr(at, open + 1 - at);
      at = open + 1;
      continue;
    }
    result += argument.substr(at, open - at) + value(name);
    at = close + 1;
  }
  return result + argument.substr(at);
}

}  // namespace

std::vector<std::string> placeholders_in(const std::string& argument) {
  std::vector<std::string> names;
  replaced(argument, [&](const std::string& name) {
    names.push_back(name);
    return name;
  });
  return names;
}

const std::vector<std::string>& known_placeholders() {
  static const std::vector<std::string> names{"target_host", "target_port", "database", "color"};
  return names;
}

bool tells_sides_apart(const std::string& argument) {
  return std::ranges::any_of(placeholders_in(argument), [](const std::string& name) { return name != "database"; });
}

std::string fill_placeholders(const std::string& argument, const Endpoint& target) {
  return replaced(argument, [&](const std::string& name) {
    if (name == "target_host") return target.host;
    if (name == "target_port") return target.port;
    if (name == "database") return target.dbname;
    return name == "color" ? target.color : "{" + name + "}";
  });
}

}  // namespace verdigris
