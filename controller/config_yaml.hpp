// YAML as far as a playbook may use it: one document of mappings, sequences and scalars with their places. yaml-cpp
// only finds the tokens; its own node graph is not built, because it converts, follows aliases and drops what we must
// refuse.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "controller/config_faults.hpp"

namespace verdigris {

struct YamlNode {
  enum class Kind { null, scalar, sequence, mapping };
  Kind kind = Kind::null;
  std::string text;             // of a scalar
  bool is_quoted = false;       // or a block scalar: text, never a number or a boolean
  bool is_secret = false;       // complained about already; its text must go nowhere
  std::vector<YamlNode> items;  // of a sequence; of a mapping: key, value, key, value ...
  Place place;
  int last_line = 0;
};

// Bytes that no playbook may hold: not UTF-8, NUL, control characters, tabs. The place is a byte offset as well.
void check_bytes(std::string_view text, ConfigFaults& faults);

// The root mapping; throws PlaybookErrors if there is none. Anchors, aliases and tags are complained about and dropped;
// too many or too deep nodes, a second document and faults of syntax end it at once. Without recursion beyond 32
// levels.
YamlNode parse_yaml(std::string_view text, ConfigFaults& faults);

}  // namespace verdigris
