// The section gates of a playbook: a list of mappings with one key each, the kind of the gate.
#pragma once

#include <optional>
#include <string>

#include "controller/config_mapping.hpp"
#include "controller/playbook.hpp"

namespace verdigris {

void read_gates(Mapping& root, Playbook& playbook);
// "lag", "long_transactions", or the one that it was given.
std::string gate_id(const GateSettings& gate);

// "= 0", "<= -1.5", "!= 'ok'". Throws Error (usage) "value".
Expectation parse_expectation(const std::string& text);

// Whether an answer of a server is as expected; a text is compared byte by byte. Nothing if a number is expected and it
// is none.
std::optional<bool> meets(const Expectation& expected, const std::string& answer);

}  // namespace verdigris
