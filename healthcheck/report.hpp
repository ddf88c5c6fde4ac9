// What all findings together mean.
#pragma once

#include <string>

#include "healthcheck/check.hpp"

namespace verdigris {

struct CheckVerdict {
  int failed = 0;
  int warnings = 0;
  bool is_passed() const { return failed == 0; }
  std::string text() const;  // "1 failed, 2 warnings: a switch would be refused"
};

CheckVerdict judge(const Findings& findings);
std::string_view to_text(Level level);  // "PASS", "WARN", "FAIL", "note"

}  // namespace verdigris
