// A small valid playbook, and what its decoder says about changed ones.
#pragma once

#include <string>
#include <string_view>

#include "controller/config.hpp"
#include "controller/config_values.hpp"

namespace verdigris::tests {

inline constexpr std::string_view kSample = R"(apiVersion: verdigris/v1
kind: Cutover
name: orders
clusters:
  blue: { service: orders-blue }
  green: { service: orders-green }
replication:
  conninfo: { to_blue: "service=to-blue", to_green: "service=to-green" }
pooler:
  driver: none
)";

inline std::string with_line(const std::string& line) {
  return std::string(kSample) + line + "\n";
}

inline std::string replaced(std::string_view what, std::string_view by, std::string_view in = kSample) {
  std::string text(in);
  return text.replace(text.find(what), what.size(), by);
}

inline const WallTime kNow = parse_date("2026-06-15") + std::chrono::hours(12);

inline Playbook decoded(std::string_view text) {
  return decode_playbook(text, "/etc/verdigris/orders.yaml", kNow);
}

// "line:column id line:column id", empty if all is well.
inline std::string list_faults(std::string_view text) {
  std::string list;
  try {
    decoded(text);
  } catch (const PlaybookErrors& errors) {
    for (const PlaybookError& each : errors.errors())
      list += (list.empty() ? "" : " ") + std::to_string(each.line) + ":" + std::to_string(each.column) + " " + each.id;
  }
  return list;
}

// "id: text" of the only fault.
inline std::string only_fault(std::string_view text) {
  try {
    decoded(text);
  } catch (const PlaybookErrors& errors) {
    if (errors.errors().size() != 1) return std::string(errors.what()) + ": " + list_faults(text);
    return errors.errors()[0].id + ": " + errors.errors()[0].text;
  }
  return "accepted";
}

}  // namespace verdigris::tests
