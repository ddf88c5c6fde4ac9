// Judges what equal rows do not show: columns, tables and sequences that one side lacks, and what was not compared. Each
// is lost at a switch, so each is a failure until a playbook waives it by its id.
#pragma once

#include "healthcheck/check.hpp"
#include "healthcheck/parity/agreement.hpp"

namespace verdigris {

struct GapSides {
  std::string source;  // colours
  std::string target;
  // Columns that only the source has on purpose: the stream was laid without them (replication/left_out.hpp).
  std::vector<std::string> left_out = {};
};

// One failure per id, naming what it is about; no finding: nothing is lost.
Findings findings_of(const std::vector<Gap>& gaps, const GapSides& sides);

}  // namespace verdigris
