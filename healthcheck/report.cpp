#include "healthcheck/report.hpp"

namespace verdigris {

std::string CheckVerdict::text() const {
  const std::string warned = std::to_string(warnings) + (warnings == 1 ? " warning" : " warnings");
  if (is_passed()) return "0 failed, " + warned + ": nothing stands against a switch";
  return std::to_string(failed) + " failed, " + warned + ": a switch would be refused";
}

CheckVerdict judge(const Findings& findings) {
  CheckVerdict verdict;
  for (const auto& finding : findings) {
    if (finding.level == Level::fail) ++verdict.failed;
    if (finding.level == Level::warn) ++verdict.warnings;
  }
  return verdict;
}

std::string_view to_text(Level level) {
  switch (level) {
    case Level::pass:
      return "PASS";
    case Level::warn:
      return "WARN";
    case Level::fail:
      return "FAIL";
    case Level::note:
      break;
  }
  return "note";
}

}  // namespace verdigris
