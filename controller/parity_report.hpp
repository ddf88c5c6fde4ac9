// What a comparison found, for people and for scripts. Stateless.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "controller/output.hpp"
#include "healthcheck/check.hpp"
#include "healthcheck/parity/parity.hpp"

namespace verdigris {

struct ParityScene {
  std::string source, target;  // colours
  CompareMode mode;
};

bool is_without_failure(const Findings& findings);
// equal | different | undecided | incomplete (equal in what was compared, and not all was).
std::string verdict_of(const ParityReport& report, const Findings& gaps);

nlohmann::ordered_json to_json(const ParityReport& report, const Findings& gaps, const ParityScene& scene);
void print(const ParityReport& report, const Findings& gaps, const ParityScene& scene, Output& output);

}  // namespace verdigris
